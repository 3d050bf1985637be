// Lockstep's own tables in the catalog, read and written. Internal to the hub, which alone knows
// when.
//
// What it promises:
//   records-1  Nothing here begins or ends a transaction: the writers run inside the hub's, so that
//   what they write
//              stands or falls with the rows of the same commit.
//   records-2  What was written is read back bit for bit. Text is kept as text, opaque bytes as
//   blobs, times as
//              microseconds since 1970 (UTC).
//   records-3  Statements are left reset, so that no read holds the catalog's write-ahead log.
//   records-4  The declared types are BIGINT, DOUBLE, VARCHAR and BLOB only: DuckDB attaches the
//   same file.
//
// What it does not do: make tables of data (lockstep_table says only which DuckLake table is
// whose), count snapshots, or touch files. A row that says what this program never writes is
// kCorrupt.
#pragma once

#include "base/result.h"
#include "catalog/catalog.h"
#include "hub/records.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Which DuckLake table holds which layer of which dataset, and by what key. Rows stay when a table
// is dropped, since older snapshots still have it; DuckLake's begin and end snapshots say when it
// lived.
struct TableRecord {
  std::int64_t table_id = 0;
  std::string layer;  // "raw", "clean", "train", "rejected"
  std::string dataset;
  std::vector<std::string> key;  // names of the key columns, in order; the newest ones
  bool operator==(const TableRecord&) const = default;
};

// What a hub is born with.
struct HubIdentity {
  std::string hub_id;           // a UUID
  std::string fingerprint_key;  // 32 bytes
  std::string configuration;
};

// Resource. Borrows the catalog; one thread at a time. "Write" below means: inside a transaction of
// the caller.
class RecordStore final {
 public:
  explicit RecordStore(Catalog& catalog) : catalog_(catalog) {}

  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  // ---- the tables and the hub itself
  Result<void> create_tables();                          // write; fails when they exist
  Result<void> initialize(const HubIdentity& identity);  // write; today's format, epoch 0
  Result<std::optional<std::string>> meta(std::string_view key);
  Result<void> put_meta(std::string_view key, std::string_view value);  // write
  Result<std::string> configuration();
  Result<void> put_configuration(std::string_view configuration);  // write
  Result<std::string> hub_id();
  Result<std::string> fingerprint_key();  // 32 bytes
  Result<std::int64_t> epoch();
  Result<void> put_epoch(std::int64_t epoch);  // write

  Result<void> insert_table(const TableRecord& table);  // write
  Result<void> put_table_key(std::int64_t table_id,
                             const std::vector<std::string>& key);  // write: renamed columns
  Result<std::vector<TableRecord>> tables();                        // by id
  Result<std::optional<TableRecord>> table(std::int64_t table_id);

  // ---- commits and positions
  Result<CommitId> next_commit_id();  // one above the newest; 0 in an empty hub
  Result<void> insert_commit(const CommitRecord& record);  // write
  Result<std::optional<CommitRecord>> newest_commit();
  Result<std::vector<CommitRecord>> commits(const CommitRange& range);  // newest first
  Result<std::optional<CommitRecord>> commit_of_snapshot(SnapshotId snapshot);
  Result<void> put_position(const PositionRecord& record);   // write; replaces, or takes away
  Result<void> forget_positions(const std::string& source);  // write
  Result<std::map<std::string, PositionParts>> positions();

  // ---- models
  Result<void> add_definition(
      const DefinitionRecord& record);  // write; a known one is left as it is
  Result<std::optional<DefinitionRecord>> definition(const std::string& sha256);
  // Write. kInvalid unless the version is one above the model's newest (1 for the first).
  Result<void> add_version(const ModelVersionRecord& record);

  // A transaction begins: what an earlier one added may be gone.
  void begin() { newest_versions_.clear(); }

  Result<std::vector<ModelVersionRecord>> versions(const std::string& model,
                                                   std::int64_t newest_count);
  Result<std::vector<ModelVersionRecord>> versions_of_snapshot(
      SnapshotId snapshot);  // by model, version
  Result<std::optional<ModelVersionRecord>> version(const std::string& model, std::int64_t version);
  Result<std::optional<ModelVersionRecord>> newest_version(const std::string& model,
                                                           std::optional<VersionStatus> status);
  Result<std::vector<std::string>> models();
  // Write. Takes everything but the id from `event` (the time too), and returns the id given.
  Result<std::int64_t> add_alias_event(const AliasEvent& event);
  Result<std::vector<AliasEvent>> alias_history(
      const std::string& model);  // oldest first; "" = all
  Result<std::optional<AliasEvent>> alias(const std::string& model, const std::string& alias);
  Result<void> put_model_state(const ModelStateRecord& record);  // write; replaces
  Result<std::optional<std::string>> model_state(const std::string& model);

  // ---- overrides
  Result<void> add_override(const OverrideRecord& record);  // write; replaces
  Result<void> remove_override(const std::string& dataset,
                               const std::string& key);  // write; none there is no error
  Result<std::map<std::string, std::string>> overrides(
      const std::string& dataset);  // key -> row hash

  // ---- tags
  Result<void> set_tag(const TagRecord& tag);        // write; replaces
  Result<void> delete_tag(const std::string& name);  // write; kNotFound
  Result<std::vector<TagRecord>> tags();             // by name

  // ---- answers to requests
  Result<void> add_request(const RequestRecord& record);  // write; kInvalid: a key that is there
  // Write. A bounded number of those that are older, or of which there are more than so many newer.
  Result<void> forget_requests(Timestamp before, std::int64_t newest_count);
  Result<std::optional<RequestRecord>> request_of_key(const std::string& dataset,
                                                      const std::string& key);
  Result<std::optional<RequestRecord>> request_of_token(const std::string& token);

  // ---- checkpoints
  // Write. Keeps the model's two newest, whatever their definition; returns the paths of those that
  // went, which the caller deletes after the commit. A path that a kept record still names is not
  // among them.
  Result<std::vector<std::string>> add_checkpoint(const CheckpointRecord& record);
  // At or before `at`, newest first.
  Result<std::vector<CheckpointRecord>> checkpoints(const std::string& model,
                                                    const std::string& definition,
                                                    SnapshotId at);

 private:
  Result<std::string> required_meta(std::string_view key);
  Result<std::int64_t> last_commit_until(const std::optional<Timestamp>& until);

  Catalog& catalog_;
  std::map<std::string, std::int64_t> newest_versions_;  // that this transaction has asked for
};

}  // namespace lockstep
