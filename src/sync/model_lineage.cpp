// A definition's sums at a snapshot, and what else is read of a model without following it.
#include "sync/model_track.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lockstep {

Result<std::string> steps_of_definition(const std::string& definition_json) {
  const auto definition = nlohmann::ordered_json::parse(definition_json, nullptr, false);
  const auto spec = definition.is_object() ? definition.find("spec") : definition.end();
  if (!definition.is_object() || spec == definition.end() || !spec->contains("steps") ||
      !spec->at("steps").is_string()) {
    return make_error(Code::kCorrupt, "a definition holds no steps");
  }
  return spec->at("steps").get<std::string>();
}

Result<KeyedHash> fingerprint_hash(Hub& hub) {
  return KeyedHash(TRY(hub.fingerprint_key()));
}

Result<void> fold_table(
    Hub& hub, const TableName& table, SnapshotId at, const KeyedHash& hash, Lineage& lineage) {
  std::unique_ptr<Scan> scan = TRY(hub.scan(table, at, {}));
  for (;;) {
    const std::optional<Batch> batch = TRY(scan->next());
    if (!batch) return {};
    TRY(lineage.learner->fold(lineage.state, *batch, hash));
  }
}

Result<void> bring_to(
    Hub& hub, const std::string& model, const TableName& train, SnapshotId at, Lineage& lineage) {
  const KeyedHash hash = TRY(fingerprint_hash(hub));
  lineage.state = lineage.learner->make_state();
  const auto checkpoint = TRY(hub.read_checkpoint(model, lineage.definition.sha256, at));
  if (checkpoint) {
    Result<ModelState> state = parse_state(checkpoint->second);
    if (state.ok()) {
      lineage.state = std::move(state).value();
      const Batch since = TRY(hub.changes(train, checkpoint->first.snapshot, at));
      return lineage.learner->fold(lineage.state, since, hash);
    }
  }
  return fold_table(hub, train, at, hash, lineage);
}

Result<std::optional<std::int64_t>> resolve_alias(Hub& hub,
                                                  const std::string& model,
                                                  const std::string& alias) {
  const std::optional<AliasEvent> event = TRY(hub.alias(model, alias));
  if (!event) return std::optional<std::int64_t>();
  if (!event->follow) return event->version;
  const std::optional<ModelVersionRecord> newest =
      TRY(hub.newest_version(model, VersionStatus::kReady));
  if (!newest) return event->version;
  return std::optional<std::int64_t>(std::max(newest->version, event->version.value_or(0)));
}

}  // namespace lockstep
