// The records of a hub (records.h), as the interface shows them: read from the record store.
#pragma once

#include "hub/hub.h"
#include "hub/late_records.h"
#include "hub/record_store.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

class HubRecords : public Hub {
 public:
  explicit HubRecords(HubMode mode) : mode_(mode) {}

  Result<std::vector<TagRecord>> tags() override;
  Result<std::string> configuration() override;
  Result<std::string> hub_id() override;
  Result<std::string> fingerprint_key() override;
  Result<std::map<std::string, PositionParts>> positions() override;
  Result<std::vector<CommitRecord>> commits(const CommitRange& range) override;
  Result<std::optional<CommitRecord>> commit_of_snapshot(SnapshotId snapshot) override;
  Result<std::optional<DefinitionRecord>> definition(const std::string& sha256) override;
  Result<std::vector<ModelVersionRecord>> versions(const std::string& model,
                                                   std::int64_t newest_count) override;
  Result<std::vector<ModelVersionRecord>> versions_of_snapshot(SnapshotId snapshot) override;
  Result<std::optional<ModelVersionRecord>> version(const std::string& model,
                                                    std::int64_t version) override;
  Result<std::optional<ModelVersionRecord>> newest_version(
      const std::string& model, std::optional<VersionStatus> status) override;
  Result<std::vector<std::string>> models() override;
  Result<std::vector<AliasEvent>> alias_history(const std::string& model) override;
  Result<std::optional<AliasEvent>> alias(const std::string& model,
                                          const std::string& alias) override;
  Result<std::optional<std::string>> model_state(const std::string& model) override;
  Result<std::map<std::string, std::string>> overrides(const std::string& dataset) override;
  Result<void> keep_requests(const std::vector<RequestRecord>& requests) override;
  Result<std::optional<RequestRecord>> request_of_key(const std::string& dataset,
                                                      const std::string& key) override;
  Result<std::optional<RequestRecord>> request_of_token(const std::string& token) override;

 protected:
  const HubMode mode_;
  std::unique_ptr<RecordStore> records_;
  LateRecords late_;  // of the open group
  // By dataset, as a writer looked them up; those that changed since are not here.
  std::map<std::string, std::map<std::string, std::string>> overrides_;
};

}  // namespace lockstep
