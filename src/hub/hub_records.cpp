#include "hub/hub_records.h"

namespace lockstep {

Result<std::vector<TagRecord>> HubRecords::tags() {
  return records_->tags();
}

Result<std::string> HubRecords::configuration() {
  return records_->configuration();
}

Result<std::string> HubRecords::hub_id() {
  return records_->hub_id();
}

Result<std::string> HubRecords::fingerprint_key() {
  return records_->fingerprint_key();
}

Result<std::map<std::string, PositionParts>> HubRecords::positions() {
  TRY(late_.tell(*records_));
  return records_->positions();
}

Result<std::vector<CommitRecord>> HubRecords::commits(const CommitRange& range) {
  return records_->commits(range);
}

Result<std::optional<CommitRecord>> HubRecords::commit_of_snapshot(SnapshotId snapshot) {
  return records_->commit_of_snapshot(snapshot);
}

Result<std::optional<DefinitionRecord>> HubRecords::definition(const std::string& sha256) {
  return records_->definition(sha256);
}

Result<std::vector<ModelVersionRecord>> HubRecords::versions(const std::string& model,
                                                             std::int64_t newest_count) {
  return records_->versions(model, newest_count);
}

Result<std::vector<ModelVersionRecord>> HubRecords::versions_of_snapshot(SnapshotId snapshot) {
  return records_->versions_of_snapshot(snapshot);
}

Result<std::optional<ModelVersionRecord>> HubRecords::version(const std::string& model,
                                                              std::int64_t version) {
  return records_->version(model, version);
}

Result<std::optional<ModelVersionRecord>> HubRecords::newest_version(
    const std::string& model, std::optional<VersionStatus> status) {
  return records_->newest_version(model, status);
}

Result<std::vector<std::string>> HubRecords::models() {
  return records_->models();
}

Result<std::vector<AliasEvent>> HubRecords::alias_history(const std::string& model) {
  return records_->alias_history(model);
}

Result<std::optional<AliasEvent>> HubRecords::alias(const std::string& model,
                                                    const std::string& alias) {
  return records_->alias(model, alias);
}

Result<std::optional<std::string>> HubRecords::model_state(const std::string& model) {
  TRY(late_.tell(*records_));
  return records_->model_state(model);
}

Result<std::map<std::string, std::string>> HubRecords::overrides(const std::string& dataset) {
  if (mode_ == HubMode::kRead) return records_->overrides(dataset);
  const auto known = overrides_.find(dataset);
  if (known != overrides_.end()) return known->second;
  return overrides_.emplace(dataset, TRY(records_->overrides(dataset))).first->second;
}

Result<void> HubRecords::keep_requests(const std::vector<RequestRecord>& requests) {
  if (requests.empty()) return {};
  for (const RequestRecord& request : requests)
    TRY(records_->add_request(request));
  return records_->forget_requests(Timestamp{requests.back().time.us - kRequestKeptUs},
                                   kRequestsKept);
}

Result<std::optional<RequestRecord>> HubRecords::request_of_key(const std::string& dataset,
                                                                const std::string& key) {
  return records_->request_of_key(dataset, key);
}

Result<std::optional<RequestRecord>> HubRecords::request_of_token(const std::string& token) {
  return records_->request_of_token(token);
}

}  // namespace lockstep
