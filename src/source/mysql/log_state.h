// How far a server's log has been read, by the ids that the server gives its transactions:
// MariaDB's (gtid.h) or MySQL's (gtid_set.h).
#pragma once

#include "source/mysql/gtid.h"
#include "source/mysql/gtid_set.h"

#include <string>
#include <utility>
#include <variant>

namespace lockstep {

using LogGtid = std::variant<Gtid, MysqlGtid>;

inline std::string gtid_text(const LogGtid& gtid) {
  return std::visit([](const auto& one) { return one.text(); }, gtid);
}

// Value. Of one kind of server for ever: what is of the other kind it does not have.
class LogState final {
 public:
  LogState() = default;  // MariaDB's, in front of all

  // NOLINTNEXTLINE(google-explicit-constructor): it is one of these
  LogState(GtidState state) : state_(std::move(state)) {}

  // NOLINTNEXTLINE(google-explicit-constructor): it is one of these
  LogState(GtidSet state) : state_(std::move(state)) {}

  // nullptr: of the other kind.
  const GtidState* mariadb() const { return std::get_if<GtidState>(&state_); }

  const GtidSet* mysql() const { return std::get_if<GtidSet>(&state_); }

  bool is_like(const LogState& other) const { return state_.index() == other.state_.index(); }

  bool is_of(const LogGtid& gtid) const { return state_.index() == gtid.index(); }

  void move_to(const LogGtid& gtid);  // of its kind

  void move_to(const Gtid& gtid) { move_to(LogGtid(gtid)); }

  bool has(const LogGtid& gtid) const;
  bool has_all(const LogState& other) const;
  bool is_empty() const;
  std::string text() const;  // "0-1-4711,1-7-2", "3e11fa47-...:1-5:7"; empty: none
  bool operator==(const LogState&) const = default;

 private:
  std::variant<GtidState, GtidSet> state_;  // in the order of LogGtid
};

}  // namespace lockstep
