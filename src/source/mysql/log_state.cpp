#include "source/mysql/log_state.h"

#include "base/assert.h"

namespace lockstep {

void LogState::move_to(const LogGtid& gtid) {
  LOCKSTEP_ASSERT(is_of(gtid), "source: a transaction's id of another kind of server");
  if (const auto* const one = std::get_if<Gtid>(&gtid)) std::get<GtidState>(state_).move_to(*one);
  if (const auto* const one = std::get_if<MysqlGtid>(&gtid)) std::get<GtidSet>(state_).add(*one);
}

bool LogState::has(const LogGtid& gtid) const {
  if (!is_of(gtid)) return false;
  if (const GtidState* const state = mariadb()) return state->has(std::get<Gtid>(gtid));
  return mysql()->has(std::get<MysqlGtid>(gtid));
}

bool LogState::has_all(const LogState& other) const {
  if (state_.index() != other.state_.index()) return other.is_empty();
  if (const GtidState* const state = mariadb()) return state->has_all(*other.mariadb());
  return mysql()->has_all(*other.mysql());
}

bool LogState::is_empty() const {
  if (const GtidState* const state = mariadb()) return state->last().empty();
  return mysql()->is_empty();
}

std::string LogState::text() const {
  return std::visit([](const auto& state) { return state.text(); }, state_);
}

}  // namespace lockstep
