// Reports about models, aliases and rejected rows.
#include "hub/hub.h"
#include "sync/model_track.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace lockstep {
namespace {

Result<std::map<std::string, std::map<std::int64_t, std::vector<std::string>>>> aliases_by_version(
    Hub& hub) {
  std::map<std::string, std::map<std::int64_t, std::vector<std::string>>> out;
  std::map<std::string, std::vector<std::string>> seen;
  for (const AliasEvent& event : TRY(hub.alias_history(""))) {
    auto& names = seen[event.model];
    if (std::find(names.begin(), names.end(), event.alias) == names.end())
      names.push_back(event.alias);
  }
  for (const auto& [model, names] : seen) {
    for (const std::string& name : names) {
      if (const auto version = TRY(resolve_alias(hub, model, name)))
        out[model][*version].push_back(name);
    }
  }
  return out;
}

Json model_json(const ModelVersionRecord& version) {
  Json out = version_summary(version);
  out["folded"] = version.folded;
  out["tested"] = version.tested;
  out["refused"] = version.refused;
  out["unlabelled"] = version.unlabelled;
  out["fingerprint"] = version.fingerprint;
  out["weights_sha256"] = version.weights_sha256;
  out["definition"] = version.definition;
  out["duration_ms"] = static_cast<double>(version.duration_us) / 1e3;
  return out;
}

Json alias_json(const AliasEvent& event) {
  Json out;
  out["id"] = event.id;
  out["model"] = event.model;
  out["alias"] = event.alias;
  out["version"] = event.version ? Json(*event.version) : Json(nullptr);
  out["follow"] = event.follow;
  out["time"] = rfc3339(event.time);
  out["who"] = event.who;
  out["why"] = event.why;
  return out;
}

}  // namespace

ModelReference parse_model_reference(std::string_view text) {
  ModelReference out;
  const std::size_t at = text.find('@');
  out.model = text.substr(0, at);
  out.alias = "champion";
  if (at == std::string_view::npos) return out;
  const std::string_view rest = text.substr(at + 1);
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), version);
  if (error == std::errc() && end == rest.data() + rest.size()) {
    out.version = version;
    out.alias.clear();
  } else {
    out.alias = rest;
  }
  return out;
}

Result<ModelVersionRecord> referred_version(Hub& hub, const ModelReference& reference) {
  std::optional<std::int64_t> number = reference.version;
  if (!number) number = TRY(resolve_alias(hub, reference.model, reference.alias));
  if (!number) {
    const std::vector<std::string> models = TRY(hub.models());
    const std::optional<std::string> near = nearest(reference.model, models);
    if (std::find(models.begin(), models.end(), reference.model) != models.end()) {
      return make_error(
          Code::kNotFound,
          fmt::format("model '{}' has no alias '{}'", reference.model, reference.alias),
          fmt::format("lockstep alias list {}", reference.model));
    }
    return make_error(Code::kNotFound,
                      fmt::format("model '{}' has no version yet", reference.model),
                      near ? fmt::format("did you mean {}?", *near) : "lockstep status");
  }
  auto record = TRY(hub.version(reference.model, *number));
  if (record) return *record;
  return make_error(Code::kNotFound,
                    fmt::format("model '{}' has no version {}", reference.model, *number),
                    fmt::format("lockstep models {}", reference.model));
}

Result<Json> report_models(Hub& hub, const std::string& model, std::int64_t newest_count) {
  auto aliases = TRY(aliases_by_version(hub));
  std::vector<std::string> names = TRY(hub.models());
  if (!model.empty()) {
    if (std::find(names.begin(), names.end(), model) == names.end()) {
      const std::optional<std::string> near = nearest(model, names);
      return make_error(Code::kNotFound,
                        fmt::format("model '{}' has no version yet", model),
                        near ? fmt::format("did you mean {}?", *near) : "lockstep status");
    }
    names = {model};
  }
  Json out = Json::array();
  for (const std::string& name : names) {
    for (const ModelVersionRecord& version : TRY(hub.versions(name, newest_count))) {
      Json line = model_json(version);
      line["verifiable"] = TRY(hub.is_retained(version.snapshot));
      line["aliases"] = aliases[name][version.version];
      out.push_back(std::move(line));
    }
  }
  return out;
}

Result<Json> report_aliases(Hub& hub, const std::string& model, bool history) {
  Json out = Json::array();
  std::map<std::pair<std::string, std::string>, AliasEvent> in_force;
  for (const AliasEvent& event : TRY(hub.alias_history(model))) {
    if (history) out.push_back(alias_json(event));
    in_force[{event.model, event.alias}] = event;
  }
  if (history) return out;
  for (const auto& [key, event] : in_force) {
    Json line = alias_json(event);
    const auto version = TRY(resolve_alias(hub, event.model, event.alias));
    line["version"] = version ? Json(*version) : Json(nullptr);
    out.push_back(std::move(line));
  }
  return out;
}

Result<Json> report_rejected(Hub& hub, const std::string& dataset, std::int64_t rows_max) {
  Json out = Json::array();
  bool found = dataset.empty();
  for (const TableDefinition& table : TRY(hub.tables(hub.latest_snapshot()))) {
    if (table.name.layer != Layer::kRejected || (!dataset.empty() && table.name.dataset != dataset))
      continue;
    found = true;
    const Batch rows = TRY(hub.read(table.name, hub.latest_snapshot()));
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (static_cast<std::int64_t>(out.size()) >= rows_max) return out;
      Json line;
      line["dataset"] = table.name.dataset;
      const char* names[] = {"source", "record", "stage", "reason", "row"};
      for (int column = 0; column < 5; ++column)
        line[names[column]] = json_of_value(rows.value(column, row));
      out.push_back(std::move(line));
    }
  }
  if (!found)
    return make_error(
        Code::kNotFound, fmt::format("there is no dataset '{}'", dataset), "lockstep status");
  return out;
}

}  // namespace lockstep
