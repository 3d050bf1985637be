// The difference between two versions of a model.
#include "hub/hub.h"
#include "sync/model_track.h"
#include "sync/report_values.h"
#include "sync/table_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace lockstep {
namespace {

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

using Leaves = std::map<std::string, Json>;

// The single values of a definition by their path; what has a name goes by it.
void add_leaves(const std::string& path, const Json& value, Leaves& out) {
  const auto below = [&](const std::string& name) {
    return path.empty() ? name : path + "." + name;
  };
  if (value.is_object()) {
    for (const auto& [name, field] : value.items())
      add_leaves(below(name), field, out);
    return;
  }
  const bool named = value.is_array() && !value.empty() &&
                     std::all_of(value.begin(), value.end(), [](const Json& item) {
                       return item.is_object() && item.contains("name");
                     });
  if (!named) {
    out[path] = value;
    return;
  }
  for (const Json& item : value)
    add_leaves(below(item.at("name").get<std::string>()), item, out);
}

Result<Leaves> leaves_of(Hub& hub, const std::string& sha256) {
  const auto record = TRY(hub.definition(sha256));
  if (!record) return make_error(Code::kCorrupt, "definition " + sha256 + " is not in the catalog");
  Json json = parsed_or_null(record->json);
  // The steps stand in it as text.
  if (json.contains("spec"))
    json["spec"]["steps"] = parsed_or_null(TRY(steps_of_definition(record->json)));
  Leaves leaves;
  add_leaves("", json, leaves);
  return leaves;
}

Result<Json> definition_changes(Hub& hub,
                                const ModelVersionRecord& from,
                                const ModelVersionRecord& to) {
  Json out = Json::array();
  if (from.definition == to.definition) return out;
  const Leaves before = TRY(leaves_of(hub, from.definition));
  const Leaves after = TRY(leaves_of(hub, to.definition));
  std::set<std::string> paths;
  for (const Leaves& leaves : {before, after}) {
    for (const auto& [path, value] : leaves)
      paths.insert(path);
  }
  for (const std::string& path : paths) {
    const auto old_value = before.find(path);
    const auto new_value = after.find(path);
    const Json was = old_value == before.end() ? Json(nullptr) : old_value->second;
    const Json is = new_value == after.end() ? Json(nullptr) : new_value->second;
    if (was != is) out.push_back({{"path", path}, {"from", was}, {"to", is}});
  }
  return out;
}

Result<std::set<std::string>> features_of(Hub& hub, const std::string& sha256) {
  const auto record = TRY(hub.definition(sha256));
  std::set<std::string> names;
  const Json json = record ? parsed_or_null(record->json) : Json(nullptr);
  if (!json.contains("features")) return names;
  for (const Json& feature : json.at("features"))
    names.insert(feature.value("name", std::string()));
  return names;
}

Result<Json> feature_changes(Hub& hub,
                             const ModelVersionRecord& from,
                             const ModelVersionRecord& to) {
  const std::set<std::string> before = TRY(features_of(hub, from.definition));
  const std::set<std::string> after = TRY(features_of(hub, to.definition));
  Json out = {{"added", Json::array()}, {"removed", Json::array()}};
  for (const std::string& name : after) {
    if (!before.contains(name)) out["added"].push_back(name);
  }
  for (const std::string& name : before) {
    if (!after.contains(name)) out["removed"].push_back(name);
  }
  return out;
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
  TableDifference counts(*table);
  const auto changes = TRY(hub.scan_changes(train, older, newer));
  while (const auto batch = TRY(changes->next()))
    TRY(counts.read(*batch, {}));
  Json out;
  out["inserted"] = forward ? counts.added() : counts.removed();
  out["updated"] = counts.changed();
  out["deleted"] = forward ? counts.removed() : counts.added();
  return out;
}

}  // namespace

Result<Json> report_model_diff(Hub& hub, const std::string& from_text, const std::string& to_text) {
  const ModelVersionRecord from = TRY(referred_version(hub, parse_model_reference(from_text)));
  const ModelVersionRecord to = TRY(referred_version(hub, parse_model_reference(to_text)));
  Json out;
  out["from"] = {
      {"model", from.model}, {"version", from.version}, {"snapshot", number(from.snapshot)}};
  out["to"] = {{"model", to.model}, {"version", to.version}, {"snapshot", number(to.snapshot)}};
  out["same_definition"] = from.definition == to.definition;
  out["features"] = TRY(feature_changes(hub, from, to));
  out["definition"] = TRY(definition_changes(hub, from, to));
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
