// What a user tells the writer to do, from this process or over the daemon's socket.
#include "sync/engine.h"
#include "sync/report_values.h"
#include "sync/revert.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

Result<std::string> text_at(const Json& command, const char* name) {
  const auto found = command.find(name);
  if (found == command.end() || !found->is_string()) {
    return make_error(Code::kUsage, fmt::format("the command lacks '{}'", name));
  }
  return found->get<std::string>();
}

std::string text_or(const Json& command, const char* name, const std::string& fallback) {
  const auto found = command.find(name);
  return found != command.end() && found->is_string() ? found->get<std::string>() : fallback;
}

// A version's number; nullopt: absent, null or "latest".
Result<std::optional<std::int64_t>> version_at(const Json& command) {
  const auto found = command.find("version");
  if (found == command.end() || found->is_null() || *found == "latest") {
    return std::optional<std::int64_t>();
  }
  if (found->is_number_integer()) return std::optional<std::int64_t>(found->get<std::int64_t>());
  return make_error(Code::kUsage,
                    fmt::format("the version {} is no whole number", found->dump()),
                    "give a number, or latest");
}

Result<RevertConflicts> conflicts_of(const std::string& text) {
  if (text == "refuse") return RevertConflicts::kRefuse;
  if (text == "keep-later") return RevertConflicts::kKeepLater;
  if (text == "overwrite") return RevertConflicts::kOverwrite;
  return make_error(Code::kUsage, fmt::format("'{}' is no way to handle conflicts", text));
}

Error conflict_error(SnapshotId snapshot, const std::vector<std::string>& keys) {
  constexpr std::size_t kShown = 10;
  std::vector<std::string> shown(
      keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(std::min(keys.size(), kShown)));
  return make_error(Code::kRefused,
                    fmt::format("{} rows of snapshot {} changed again later: {}{}",
                                keys.size(),
                                number(snapshot),
                                fmt::join(shown, "; "),
                                keys.size() > kShown ? "; ..." : ""),
                    "add --keep-later (they stay) or --overwrite (they go back too)");
}

}  // namespace

Result<Json> HubEngine::execute(const Json& command) {
  if (!command.is_object()) return make_error(Code::kUsage, "a command is a JSON object");
  TRY(require_sound());
  return run(command);
}

Result<Json> HubEngine::run(const Json& command) {
  const std::string name = TRY(text_at(command, "command"));
  if (name == "sync") {
    for (Feed& feed : feeds_) {
      feed.retry_at_us = 0;  // somebody asks for it
      if (feed.source) feed.source->look_now();
    }
    return sync();
  }
  if (name == "revert") return revert(command);
  if (name == "recalibrate") return recalibrate(command);
  if (name == "alias-set") return set_alias(command);
  if (name == "rollback") return rollback(command);
  if (name == "accept") return accept(command);
  if (name == "surface")
    return Json{{"listen", options_.surface != nullptr ? options_.surface->address() : ""}};
  if (name == "push-state") return push_state(TRY(text_at(command, "token")));
  if (name == "compact") return compact();
  if (name == "gc") return gc();
  if (name == "tag-set") {
    return set_tag(TRY(text_at(command, "tag")), text_or(command, "snapshot", "latest"));
  }
  if (name == "pause" || name == "resume")
    return set_paused(TRY(text_at(command, "source")), name == "pause");
  if (name == "resync") return resync(TRY(text_at(command, "source")));
  if (name == "sources") return source_states();
  if (name == "tag-delete") return delete_tag(TRY(text_at(command, "tag")));
  return make_error(Code::kUsage, fmt::format("there is no command '{}'", name));
}

Result<Json> HubEngine::revert(const Json& command) {
  const std::int64_t wanted = TRY(resolve_snapshot(*hub_, TRY(text_at(command, "snapshot"))));
  const SnapshotId snapshot{wanted};
  const RevertConflicts policy = TRY(conflicts_of(text_or(command, "conflicts", "refuse")));
  const auto reverted = TRY(hub_->commit_of_snapshot(snapshot));
  if (!reverted ||
      (reverted->kind != CommitKind::kChanges && reverted->kind != CommitKind::kRevert)) {
    return make_error(Code::kRefused,
                      fmt::format("snapshot {} holds no changes of a source", wanted),
                      "lockstep log shows those that do");
  }
  CommitRequest request;
  request.kind = CommitKind::kRevert;
  request.message = fmt::format("revert {}", wanted);
  ChangeCounts counts;
  std::size_t kept = 0;
  // Everything that can be refused or fail is done before the first model folds anything.
  std::map<std::string, RevertDelta> deltas;
  std::map<std::string, DatasetChange> changes;
  for (const auto& [name, flow] : flows_) {
    RevertDelta delta = TRY(revert_delta(*hub_, *flow, snapshot, policy));
    if (!delta.conflicts.empty() && policy == RevertConflicts::kRefuse)
      return conflict_error(snapshot, delta.conflicts);
    kept += policy == RevertConflicts::kKeepLater ? delta.conflicts.size() : 0;
    if (delta.raw.row_count() == 0) continue;
    changes.emplace(name, TRY(flow->change(*hub_, delta.raw)));
    deltas.emplace(name, std::move(delta));
  }
  for (const auto& [name, delta] : deltas) {
    DatasetChange& change = changes.at(name);
    counts.inserted += change.counts.inserted;
    counts.updated += change.counts.updated;
    counts.deleted += change.counts.deleted;
    // To revert a revert lets the source speak again.
    auto& overrides =
        reverted->kind == CommitKind::kRevert ? request.remove_overrides : request.add_overrides;
    overrides.insert(overrides.end(), delta.overrides.begin(), delta.overrides.end());
    ModelChange for_models;
    for_models.train = change.train;
    for_models.snapshot = hub_->next_snapshot();
    for_models.kind = VersionKind::kRevert;
    for_models.force = true;
    for_models.release = true;
    for (TableChange& table : change.tables)
      request.changes.push_back(std::move(table));
    TRY(add_models(name, for_models, request));
  }
  if (request.changes.empty()) {
    return make_error(Code::kRefused,
                      fmt::format("there is nothing of snapshot {} left to revert", wanted),
                      fmt::format("lockstep diff {} latest", wanted));
  }
  const Committed done = TRY(commit(request));
  Json out;
  out["reverted"] = wanted;
  out["snapshot"] = number(*done.snapshot);
  out["changes"] = {
      {"inserted", counts.inserted}, {"updated", counts.updated}, {"deleted", counts.deleted}};
  out["kept_later"] = kept;
  out["versions"] = versions_json(request.versions);
  return out;
}

Result<ModelTrack*> HubEngine::track(const std::string& model) {
  std::vector<std::string> names;
  for (const std::unique_ptr<ModelTrack>& candidate : tracks_) {
    if (candidate->model().name == model) return candidate.get();
    names.push_back(candidate->model().name);
  }
  const std::optional<std::string> near = nearest(model, names);
  return make_error(Code::kNotFound,
                    fmt::format("there is no model '{}' in this hub", model),
                    near ? fmt::format("did you mean {}?", *near) : "lockstep models");
}

Result<Json> HubEngine::recalibrate(const Json& command) {
  ModelTrack* model = TRY(track(TRY(text_at(command, "model"))));
  ModelChange change;
  const TableName train{Layer::kTrain, model->model().dataset};
  change.train = Batch::empty(TRY(hub_->table(train, hub_->latest_snapshot()))->schema);
  change.snapshot = hub_->latest_snapshot();
  change.kind = VersionKind::kRecalibration;
  change.release = true;
  const auto before = TRY(hub_->newest_version(model->model().name, std::nullopt));
  Result<ModelCommit> recalibrated = model->recalibrate(change);
  if (!recalibrated.ok()) {
    // Rows that cannot be calibrated on leave the track as it was; anything else may have stopped
    // half-way.
    failed_ = recalibrated.error().code != Code::kInvalid;
    return std::move(recalibrated).error();
  }
  ModelCommit made = std::move(recalibrated).value();
  Json out;
  out["model"] = model->model().name;
  const bool same = before && made.definition && before->definition == made.definition->sha256 &&
                    before->snapshot == change.snapshot;
  CommitRequest request;
  request.kind = CommitKind::kRecalibration;
  request.message = fmt::format("recalibrate {}", model->model().name);
  if (same) {
    // The same rows fit the same definition, and the version of it at this snapshot is there
    // already. The track is opened again: it counted a version that is not made.
    TRY(open_tracks());
    model = TRY(track(before->model));
    out["unchanged"] = true;
    out["versions"] = Json::array();
    out["version"] = before->version;
    // A champion that a hand pinned stays where it is, and one without weights serves nobody.
    const auto alias = TRY(hub_->alias(before->model, "champion"));
    const bool held_by_gate = alias && !alias->follow && alias->who == "gate";
    const bool usable = before->status != VersionStatus::kUnsolved;
    if (!model->memory().latched || !held_by_gate || !usable) return out;
    made = model->accept("recalibration", before->version);
  } else {
    request.versions.push_back(*made.version);
    request.definitions.push_back(*made.definition);
    out["unchanged"] = false;
  }
  request.aliases = made.aliases;
  request.model_states.push_back(made.memory);
  TRY(commit(request));
  out["versions"] = versions_json(request.versions);
  out["version"] = same ? before->version : made.version->version;
  return out;
}

Result<ModelVersionRecord> HubEngine::usable_version(const std::string& model,
                                                     std::int64_t version) {
  const auto record = TRY(hub_->version(model, version));
  if (!record) {
    return make_error(Code::kNotFound,
                      fmt::format("model '{}' has no version {}", model, version),
                      fmt::format("lockstep models {}", model));
  }
  if (record->status == VersionStatus::kUnsolved) {
    return make_error(Code::kRefused,
                      fmt::format("{}@{} has no weights: {}", model, version, record->reason));
  }
  return *record;
}

Result<Json> HubEngine::pin_alias(const std::string& model,
                                  const std::string& alias,
                                  std::int64_t version,
                                  std::string why) {
  const ModelVersionRecord record = TRY(usable_version(model, version));
  const std::optional<std::int64_t> old = TRY(resolve_alias(*hub_, model, alias));
  CommitRequest request;
  request.kind = CommitKind::kAlias;
  request.message = fmt::format("{}@{} -> {}", model, alias, version);
  AliasEvent event;
  event.model = model;
  event.alias = alias;
  event.version = version;
  event.who = options_.who;
  event.why = std::move(why);
  request.aliases.push_back(event);
  TRY(commit(request));
  Json out;
  out["model"] = model;
  out["alias"] = alias;
  out["from"] = old ? Json(*old) : Json(nullptr);
  out["version"] = version;
  out["follow"] = false;
  out["status"] = version_status_name(record.status);
  return out;
}

Result<Json> HubEngine::set_alias(const Json& command) {
  const std::string model = TRY(text_at(command, "model"));
  const std::string alias = TRY(text_at(command, "alias"));
  TRY(track(model));
  if (const std::optional<std::int64_t> version = TRY(version_at(command))) {
    return pin_alias(model, alias, *version, text_or(command, "why", "set by hand"));
  }
  const auto newest = TRY(hub_->newest_version(model, VersionStatus::kReady));
  if (!newest)
    return make_error(
        Code::kNotFound, fmt::format("model '{}' has no ready version", model), "lockstep models");
  CommitRequest request;
  request.kind = CommitKind::kAlias;
  request.message = fmt::format("{}@{} follows the newest ready version", model, alias);
  AliasEvent event;
  event.model = model;
  event.alias = alias;
  event.follow = true;
  event.version = newest->version;
  event.who = options_.who;
  event.why = text_or(command, "why", "set by hand");
  request.aliases.push_back(event);
  TRY(commit(request));
  Json out;
  out["model"] = model;
  out["alias"] = alias;
  out["version"] = newest->version;
  out["follow"] = true;
  return out;
}

Result<Json> HubEngine::rollback(const Json& command) {
  const std::string model = TRY(text_at(command, "model"));
  TRY(track(model));
  if (const std::optional<std::int64_t> version = TRY(version_at(command))) {
    return pin_alias(model, "champion", *version, "rolled back");
  }
  const std::optional<std::int64_t> champion = TRY(resolve_alias(*hub_, model, "champion"));
  for (const ModelVersionRecord& older : TRY(hub_->versions(model, 1'000'000))) {
    if (!champion || older.version >= *champion || older.status != VersionStatus::kReady) continue;
    return pin_alias(model, "champion", older.version, "rolled back");
  }
  return make_error(Code::kNotFound,
                    fmt::format("model '{}' has no ready version before its champion", model),
                    fmt::format("lockstep models {}", model));
}

Result<Json> HubEngine::accept(const Json& command) {
  ModelTrack* model = TRY(track(TRY(text_at(command, "model"))));
  const std::string name = model->model().name;
  if (!model->memory().latched) {
    return make_error(Code::kRefused,
                      fmt::format("model '{}' is not blocked: there is nothing to accept", name),
                      "lockstep status");
  }
  const auto newest = TRY(hub_->newest_version(name, VersionStatus::kBlocked));
  if (!newest)
    return make_error(Code::kCorrupt,
                      fmt::format("model '{}' is blocked without a blocked version", name));
  ModelCommit made = model->accept(options_.who, newest->version);
  CommitRequest request;
  request.kind = CommitKind::kAlias;
  request.message = fmt::format("accept {}@{}", name, newest->version);
  request.aliases = made.aliases;
  request.model_states.push_back(made.memory);
  TRY(commit(request));
  Json out;
  out["model"] = name;
  out["version"] = newest->version;
  out["why_blocked"] = newest->reason;
  return out;
}

}  // namespace lockstep
