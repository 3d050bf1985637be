#include "sync/rejected_rows.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

std::vector<Value> cells_of(const RejectedRow& row) {
  return {row.source, row.record, row.stage, row.reason, row.row};
}

nlohmann::ordered_json json_of(const Value& value) {
  if (is_null(value)) return nullptr;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isfinite(*number))
    return *number;
  return value_text(value);
}

}  // namespace

const Schema& rejected_schema() {
  static const Schema kSchema({{"_source", Type::kText},
                               {"_record", Type::kText},
                               {"_stage", Type::kText},
                               {"_reason", Type::kText},
                               {"_row", Type::kText}});
  return kSchema;
}

const std::vector<std::string>& rejected_key() {
  static const std::vector<std::string> kKey = {"_source", "_record", "_stage"};
  return kKey;
}

void RejectedChange::put(RejectedRow row) {
  std::tuple key(row.source, row.record, row.stage);
  wanted_[std::move(key)] = std::move(row);
}

void RejectedChange::remove(const std::string& source,
                            const std::string& record,
                            const std::string& stage) {
  std::optional<RejectedRow>& wanted = wanted_[{source, record, stage}];
  if (wanted) cleared_.insert({source, record, stage});
  wanted.reset();
}

Result<void> RejectedChange::put_refused(Hub& hub,
                                         const TableName& table,
                                         std::vector<RejectedRow> rows) {
  constexpr std::array<const char*, 2> kStages = {"decode", "operation"};
  BatchBuilder keys(
      Schema({{"_source", Type::kText}, {"_record", Type::kText}, {"_stage", Type::kText}}));
  for (const RejectedRow& row : rows) {
    for (const char* stage : kStages)
      keys.append_row(std::vector<Value>{row.source, row.of_key, std::string(stage)});
  }
  if (rows.empty()) return {};
  const Lookup there = TRY(hub.lookup(table, TRY(keys.finish())));
  std::size_t place = 0;
  for (RejectedRow& row : rows) {
    bool was_rejected = false;
    for (const char* stage : kStages) {
      const auto wanted = wanted_.find({row.source, row.of_key, stage});
      const bool was_put = cleared_.contains({row.source, row.of_key, stage}) ||
                           (wanted != wanted_.end() && wanted->second.has_value());
      const bool stands = there.row_of_key[place++] >= 0;
      if (row.of_key.empty() || !(was_put || stands)) continue;
      was_rejected = true;
      remove(row.source, row.of_key, stage);
    }
    if (!was_rejected) put(std::move(row));
  }
  return {};
}

Result<Batch> RejectedChange::delta(Hub& hub, const TableName& table) const {
  BatchBuilder keys(
      Schema({{"_source", Type::kText}, {"_record", Type::kText}, {"_stage", Type::kText}}));
  for (const auto& [key, row] : wanted_) {
    keys.append_row(std::vector<Value>{std::get<0>(key), std::get<1>(key), std::get<2>(key)});
  }
  const Lookup there = TRY(hub.lookup(table, TRY(keys.finish())));
  BatchBuilder out(rejected_schema());
  std::size_t index = 0;
  for (const auto& [key, row] : wanted_) {
    const std::int64_t old = there.row_of_key[index++];
    const std::vector<Value> cells = row ? cells_of(*row) : std::vector<Value>{};
    if (old >= 0 && row && there.rows.row(old) == cells) continue;
    if (old >= 0) out.append_row_from(there.rows, old, -1);
    if (row) out.append_row(cells, 1);
  }
  return out.finish();
}

Result<Batch> RejectedChange::rows() const {
  BatchBuilder out(rejected_schema());
  for (const auto& [key, row] : wanted_) {
    if (row) out.append_row(cells_of(*row), 1);
  }
  return out.finish();
}

std::string row_json(const Batch& batch, std::int64_t row, int first_column) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (int column = first_column; column < batch.schema().size(); ++column) {
    out[batch.schema().field(column).name] = json_of(batch.value(column, row));
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace lockstep
