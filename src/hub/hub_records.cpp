// What the hub reads of its records, it reads from the record store.
#include "hub/hub_over_ducklake.h"

namespace lockstep {

Result<std::vector<TagRecord>> HubOverDuckLake::tags() {
  return records_->tags();
}

Result<std::string> HubOverDuckLake::configuration() {
  return records_->configuration();
}

Result<std::string> HubOverDuckLake::hub_id() {
  return records_->hub_id();
}

Result<std::string> HubOverDuckLake::fingerprint_key() {
  return records_->fingerprint_key();
}

Result<std::map<std::string, PositionParts>> HubOverDuckLake::positions() {
  return records_->positions();
}

Result<std::vector<CommitRecord>> HubOverDuckLake::commits(std::int64_t newest_count) {
  return records_->commits(newest_count);
}

Result<std::optional<CommitRecord>> HubOverDuckLake::commit_of_snapshot(SnapshotId snapshot) {
  return records_->commit_of_snapshot(snapshot);
}

Result<std::optional<DefinitionRecord>> HubOverDuckLake::definition(const std::string& sha256) {
  return records_->definition(sha256);
}

Result<std::vector<ModelVersionRecord>> HubOverDuckLake::versions(const std::string& model,
                                                                  std::int64_t newest_count) {
  return records_->versions(model, newest_count);
}

Result<std::vector<ModelVersionRecord>> HubOverDuckLake::versions_of_snapshot(SnapshotId snapshot) {
  return records_->versions_of_snapshot(snapshot);
}

Result<std::optional<ModelVersionRecord>> HubOverDuckLake::version(const std::string& model,
                                                                   std::int64_t version) {
  return records_->version(model, version);
}

Result<std::optional<ModelVersionRecord>> HubOverDuckLake::newest_version(
    const std::string& model, std::optional<VersionStatus> status) {
  return records_->newest_version(model, status);
}

Result<std::vector<std::string>> HubOverDuckLake::models() {
  return records_->models();
}

Result<std::vector<AliasEvent>> HubOverDuckLake::alias_history(const std::string& model) {
  return records_->alias_history(model);
}

Result<std::optional<AliasEvent>> HubOverDuckLake::alias(const std::string& model,
                                                         const std::string& alias) {
  return records_->alias(model, alias);
}

Result<std::optional<std::string>> HubOverDuckLake::model_state(const std::string& model) {
  return records_->model_state(model);
}

Result<std::map<std::string, std::string>> HubOverDuckLake::overrides(const std::string& dataset) {
  return records_->overrides(dataset);
}

}  // namespace lockstep
