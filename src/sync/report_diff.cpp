// Differences between two snapshots, and between two versions of a model.
#include "hub/hub.h"
#include "sync/model_track.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace lockstep {
namespace {

struct KeyChange {
  std::int64_t before = -1;
  std::int64_t after = -1;
};

using KeyChanges = std::map<std::string, KeyChange>;

KeyChanges by_key(const Batch& change, std::span<const int> key) {
  KeyChanges out;
  for (std::int64_t row = 0; row < change.row_count(); ++row) {
    KeyChange& one = out[encode_key(change, key, row)];
    (change.sign(row) < 0 ? one.before : one.after) = row;
  }
  return out;
}

Json count_changes(const Batch& change, const KeyChanges& keys) {
  std::int64_t added = 0;
  std::int64_t removed = 0;
  std::int64_t changed = 0;
  std::map<int, std::int64_t> columns;
  for (const auto& [bytes, one] : keys) {
    added += one.before < 0 ? 1 : 0;
    removed += one.after < 0 ? 1 : 0;
    if (one.before < 0 || one.after < 0) continue;
    ++changed;
    for (int column = 0; column < change.schema().size(); ++column) {
      if (value_text(change.value(column, one.before)) !=
          value_text(change.value(column, one.after)))
        ++columns[column];
    }
  }
  Json out;
  out["added"] = added;
  out["removed"] = removed;
  out["changed"] = changed;
  out["columns"] = Json::object();
  for (const auto& [column, count] : columns)
    out["columns"][change.schema().field(column).name] = count;
  return out;
}

// One changed key of a table, with the row before and after.
Json row_json_of(const TableName& table,
                 const Batch& change,
                 std::span<const int> key,
                 const KeyChange& one) {
  Json line;
  line["table"] = table_text(table);
  line["key"] = key_text(change, key, one.after >= 0 ? one.after : one.before);
  line["change"] = one.before < 0 ? "added" : one.after < 0 ? "removed" : "changed";
  line["before"] = one.before < 0 ? Json(nullptr) : json_of_row(change, one.before);
  line["after"] = one.after < 0 ? Json(nullptr) : json_of_row(change, one.after);
  return line;
}

Result<void> add_table(const TableDefinition& table,
                       const Batch& change,
                       std::int64_t rows_max,
                       Json& out) {
  if (change.row_count() == 0) return {};
  const std::vector<int> key = TRY(change.schema().require_all(table.key));
  const KeyChanges keys = by_key(change, key);
  const Json counts = count_changes(change, keys);
  Json line;
  line["table"] = table_text(table.name);
  for (const auto& [name, value] : counts.items())
    line[name] = value;
  out["tables"].push_back(std::move(line));
  for (const auto& [bytes, one] : keys) {
    if (static_cast<std::int64_t>(out["rows"].size()) >= rows_max) break;
    out["rows"].push_back(row_json_of(table.name, change, key, one));
  }
  return {};
}

void add_metrics(const std::string& path, const Json& from, const Json& to, Json& out) {
  if (to.is_object()) {
    for (const auto& [name, value] : to.items()) {
      const Json other = from.is_object() && from.contains(name) ? from.at(name) : Json(nullptr);
      add_metrics(path.empty() ? name : path + "." + name, other, value, out);
    }
    return;
  }
  out.push_back({{"name", path}, {"from", from}, {"to", to}});
}

struct WeightChange {
  std::string target;
  std::string column;
  double from = 0;
  double to = 0;
};

Json weight_changes(const Solution& from, const Solution& to) {
  std::map<std::pair<std::string, std::string>, WeightChange> all;
  const auto fill = [&](const Solution& solution, double WeightChange::* side) {
    const std::size_t columns = solution.columns.size();
    for (std::size_t target = 0; target < solution.targets.size(); ++target) {
      for (std::size_t column = 0; column < columns; ++column) {
        WeightChange& change = all[{solution.targets[target], solution.columns[column]}];
        change.target = solution.targets[target];
        change.column = solution.columns[column];
        change.*side = solution.weights[target * columns + column];
      }
    }
  };
  fill(from, &WeightChange::from);
  fill(to, &WeightChange::to);
  std::vector<WeightChange> list;
  for (auto& [key, change] : all) {
    if (change.from != change.to) list.push_back(change);
  }
  std::stable_sort(list.begin(), list.end(), [](const WeightChange& a, const WeightChange& b) {
    return std::abs(a.to - a.from) > std::abs(b.to - b.from);
  });
  Json out = Json::array();
  for (const WeightChange& change : list) {
    out.push_back({{"target", change.target},
                   {"column", change.column},
                   {"from", change.from},
                   {"to", change.to}});
  }
  return out;
}

Result<Json> train_row_changes(Hub& hub,
                               const ModelVersionRecord& from,
                               const ModelVersionRecord& to) {
  const auto definition = TRY(hub.definition(to.definition));
  if (!definition)
    return make_error(Code::kCorrupt, "the version's definition is not in the catalog");
  const Json steps = Json::parse(TRY(steps_of_definition(definition->json)), nullptr, false);
  const TableName train{Layer::kTrain, steps.value("dataset", std::string())};
  const bool forward = from.snapshot <= to.snapshot;
  const SnapshotId older = forward ? from.snapshot : to.snapshot;
  const SnapshotId newer = forward ? to.snapshot : from.snapshot;
  const auto table = TRY(hub.table(train, older));
  if (!table) return Json(nullptr);
  const Batch change = TRY(hub.changes(train, older, newer));
  const std::vector<int> key = TRY(change.schema().require_all(table->key));
  Json counts = count_changes(change, by_key(change, key));
  Json out;
  out["inserted"] = counts[forward ? "added" : "removed"];
  out["updated"] = counts["changed"];
  out["deleted"] = counts[forward ? "removed" : "added"];
  return out;
}

}  // namespace

Result<Json> report_diff(Hub& hub,
                         const std::string& from_text,
                         const std::string& to_text,
                         std::int64_t rows_max) {
  const SnapshotId from{TRY(resolve_snapshot(hub, from_text))};
  const SnapshotId to{TRY(resolve_snapshot(hub, to_text))};
  if (from > to) {
    return make_error(Code::kUsage,
                      fmt::format("snapshot {} is not before {}", number(from), number(to)),
                      fmt::format("lockstep diff {} {}", number(to), number(from)));
  }
  Json out;
  out["from"] = number(from);
  out["to"] = number(to);
  out["tables"] = Json::array();
  out["rows"] = Json::array();
  for (const TableDefinition& table : TRY(hub.tables(to))) {
    const auto before = TRY(hub.table(table.name, from));
    const bool same_table = before && before->schema == table.schema;
    const Batch change =
        same_table ? TRY(hub.changes(table.name, from, to)) : TRY(hub.read(table.name, to));
    TRY(add_table(table, change, rows_max, out));
  }
  for (const TableDefinition& table : TRY(hub.tables(from))) {
    if (TRY(hub.table(table.name, to))) continue;
    TRY(add_table(table, TRY(hub.read(table.name, from)).with_all_signs(-1), rows_max, out));
  }
  return out;
}

Result<Json> report_model_diff(Hub& hub, const std::string& from_text, const std::string& to_text) {
  const ModelVersionRecord from = TRY(referred_version(hub, parse_model_reference(from_text)));
  const ModelVersionRecord to = TRY(referred_version(hub, parse_model_reference(to_text)));
  Json out;
  out["from"] = {
      {"model", from.model}, {"version", from.version}, {"snapshot", number(from.snapshot)}};
  out["to"] = {{"model", to.model}, {"version", to.version}, {"snapshot", number(to.snapshot)}};
  out["same_definition"] = from.definition == to.definition;
  out["rows"] = TRY(train_row_changes(hub, from, to));
  out["metrics"] = Json::array();
  add_metrics("", parsed_or_null(from.metrics), parsed_or_null(to.metrics), out["metrics"]);
  out["weights"] = Json::array();
  if (!from.weights.empty() && !to.weights.empty()) {
    const Solution before = TRY(parse_solution(from.weights));
    out["weights"] = weight_changes(before, TRY(parse_solution(to.weights)));
  }
  return out;
}

}  // namespace lockstep
