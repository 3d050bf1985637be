// The hub layer: the versioned store of data and model versions, in the public DuckLake 1.0 form.
//
// A hub is one SQL catalog and a folder of Parquet files. Each dataset has up to four tables, one a
// layer, as the DuckLake tables raw.<dataset>, clean.<dataset>, train.<dataset>,
// rejected.<dataset>; any DuckDB reads them at any snapshot while Lockstep writes. Beside them
// stand the lockstep_* tables (hub/records.h).
//
// What it promises:
//   hub-1  commit() writes rows, positions, model versions, alias events and definitions in one
//          catalog transaction: all of it is there after any crash, or none. Parquet files are
//          durable before the transaction begins.
//   hub-2  A snapshot never changes. Its rows are those that were committed up to it, each key at
//          most once.
//   hub-3  A key of a table names at most one current row. A commit whose -1 has no such row, or
//          whose +1 meets one, fails whole and changes nothing.
//   hub-4  Statistics are exact or absent (NULL), never too narrow: DuckDB prunes by them.
//   hub-5  One writer: the lock file, and the epoch that every commit checks. A writer that lost
//          its epoch commits nothing more (kLocked). A snapshot made by somebody else stops the
//          writer with kRefused (foreign commit), unless it adopts them (hub-9).
//   hub-6  snapshot_time and commit times rise strictly, whatever the clock does.
//   hub-7  Indexes and decoded files are caches: lost, damaged, or of another history, they are
//          made again from the rows, and never change an answer.
//   hub-8  compact() moves rows and changes no snapshot: every one has the rows that it had, every
//          change feed tells what it told. One call makes at most one small transaction, a few
//          milliseconds long; what is slow happens in a thread of its own, and commits go on.
//   hub-9  Foreign commits are adopted whole or not at all: tables stand as they stood, each key
//          names one row, clean, train and rejected are untouched, and the commit that says what
//          follows from the rows of raw records them.
//   hub-10 A column is what its id says, not its name: a renamed column keeps its values, a new one
//          of an old name has none of them. The only type that becomes another is int, to float.
//   hub-11 Between begin_group() and flush() commits gather. Each is a whole commit with its own
//          snapshot, which this hub reads at once, and which nobody else sees before flush() makes
//          them durable together, in one catalog transaction. After a crash all of a group is
//          there, or none. A group of which anything failed is lost, and the hub takes no more
//          work; but a commit that is refused before it writes (hub-3) leaves its group as it was.
//   hub-12 collect() removes only what no retained snapshot has. A file leaves the disk when its
//          grace time is over and no reader of ours that may need it holds a lease.
//   hub-13 What was staged is in no snapshot until one commit() holds all of it. A writer that dies
//          before leaves files that nobody sees, which the next one goes on from, or removes.
//
// What it does not do: know what a row means, where it came from, or how a model is made.
//
//   auto hub = TRY(Hub::open(io, {"sqlite:hub/catalog.sqlite", "hub/data"}, HubMode::kWrite));
//   CommitRequest request;
//   request.changes.push_back({{Layer::kRaw, "vitals"}, rows});
//   Committed done = TRY(hub->commit(request));
//   Batch all = TRY(hub->read({Layer::kRaw, "vitals"}, *done.snapshot));
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "hub/answers.h"
#include "hub/records.h"
#include "hub/table_definition.h"
#include "hub/upkeep.h"
#include "table/batch.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// What a writer does about snapshots that another program made.
enum class ForeignCommits { kRefuse, kAdopt };

struct HubPlace {
  std::string catalog;  // "sqlite:PATH"
  std::string data;     // a folder
  ForeignCommits foreign = ForeignCommits::kRefuse;
};

enum class HubMode { kRead, kWrite };

// Signed rows of one table. Of a -1 row only the key is used. Per key at most one -1 and one +1.
struct TableChange {
  TableName table;
  Batch rows;
};

struct CommitRequest {
  CommitKind kind = CommitKind::kChanges;
  std::string message;
  std::optional<Timestamp> source_time;
  std::vector<CommitRecord> adopt;      // all of foreign_commits(): recorded before this one
  std::vector<TableName> drop;          // before create
  std::vector<TableDefinition> create;  // before changes
  std::vector<TableAlteration> alter;   // before changes, whose rows have the new columns
  std::vector<TableChange>
      changes;  // none, and nothing created, altered or dropped: a commit without a snapshot
  std::map<std::string, PositionParts> positions;  // by source; parts that are not here stay
  std::vector<std::string> forget_positions;       // sources, before `positions`
  std::vector<DefinitionRecord> definitions;       // known ones are ignored
  std::vector<ModelVersionRecord> versions;
  std::vector<AliasEvent> aliases;             // id and time are filled in
  std::vector<ModelStateRecord> model_states;  // replace the older
  std::vector<OverrideRecord> add_overrides;
  std::vector<OverrideRecord> remove_overrides;  // by dataset and key
  std::optional<std::string> configuration;      // becomes the one in force
};

struct Committed {
  CommitId commit{};
  std::optional<SnapshotId> snapshot;
  Timestamp time;
};

// Resource. One thread at a time. Several processes may read; one writes.
class Hub {
 public:
  // Makes an empty hub (snapshot 0), or makes one of a lake that is there. kRefused when there is a
  // hub, or the lake is one that cannot be joined.
  static Result<void> create(Io& io, const HubPlace& place, const std::string& configuration);
  // kNoHub, kLocked (another writer: says who), kTooNew.
  static Result<std::unique_ptr<Hub>> open(Io& io, const HubPlace& place, HubMode mode);
  virtual ~Hub() = default;

  // ---- data
  // Durable when it returns; within a group, when flush() returns.
  virtual Result<Committed> commit(const CommitRequest& request) = 0;
  // No group is open. What is not flushed when the hub goes is not there.
  virtual Result<void> begin_group() = 0;
  // What models made of a commit of the open group, when its rows were committed without it.
  virtual Result<void> add_models(const Committed& committed, const CommitRequest& models) = 0;
  // Answers of commits of the open group. Each stays for kRequestKeptUs, the newest
  // kRequestsKept of them.
  virtual Result<void> keep_requests(const std::vector<RequestRecord>& requests) = 0;
  virtual Result<void> flush() = 0;  // ends the group; without one it does nothing
  // Moves the catalog's log into the database once it is long. It takes a while, so it belongs
  // behind the acknowledgement of a commit; not within a group.
  virtual Result<void> tend_log() = 0;
  // ---- loads: many batches that become one snapshot
  // Makes rows durable under no snapshot yet. lookup() and has_rows() know them at once, nothing
  // else does. The next commit() makes all that was staged part of its snapshot. `note` has a text.
  virtual Result<void> stage(const std::string& load,
                             const std::vector<TableChange>& changes,
                             const std::string& note) = 0;
  // The load of this name that the writer before left, if nobody made a snapshot since. Nothing
  // knows its rows before resume_load(); without that, the next stage() takes them away.
  virtual Result<std::optional<StagedLoad>> left_load(const std::string& load) = 0;
  virtual Result<void> resume_load() = 0;         // the one that left_load() told of
  virtual std::int64_t staged_count() const = 0;  // stages of the load that is under way
  // What one of them, counted from 0, changed in a table.
  virtual Result<Batch> staged(const TableName& table, std::int64_t stage) = 0;

  virtual SnapshotId latest_snapshot() const = 0;  // of this hub's last refresh() or commit()
  virtual SnapshotId next_snapshot() const = 0;    // the one that a commit with rows makes
  virtual CommitId next_commit() const = 0;        // of the next commit(); writers only
  // Readers see one state of rows and records, as of open() or the last refresh(). They hold the
  // catalog's log from being moved meanwhile.
  virtual Result<void> refresh() = 0;
  virtual Result<std::vector<TableDefinition>> tables(SnapshotId at) = 0;
  virtual Result<std::optional<TableDefinition>> table(const TableName& name, SnapshotId at) = 0;
  virtual Result<std::unique_ptr<Scan>> scan(const TableName& table,
                                             SnapshotId at,
                                             const ScanOptions& options) = 0;
  // Signed rows: +1 for those of `to` that are not in `from`, -1 the other way; an update is one of
  // each. Rows that came and went in between do not show. In key order. Where the table was altered
  // in between, both ends are told in the columns of the later one.
  virtual Result<Batch> changes(const TableName& table, SnapshotId from, SnapshotId to) = 0;
  // The same in the columns that the table has now, when it was that table at both ends.
  virtual Result<Batch> changes_in_newest_columns(const TableName& table,
                                                  SnapshotId from,
                                                  SnapshotId to) = 0;
  // The same, a batch at a time in bounded memory; both rows of a key are in one batch.
  virtual Result<std::unique_ptr<BatchStream>> scan_changes(const TableName& table,
                                                            SnapshotId from,
                                                            SnapshotId to) = 0;
  // Current rows by key (columns by name), or of groups. Writers only (readers have no index).
  virtual Result<Lookup> lookup(const TableName& table, const Batch& keys) = 0;
  virtual Result<GroupedRows> lookup_groups(const TableName& table,
                                            const GroupOrder& order,
                                            const GroupQuestion& question) = 0;
  virtual Result<std::int64_t> row_count(const TableName& table, SnapshotId at) = 0;
  // Now, with what is staged. Writers only.
  virtual Result<bool> has_rows(const TableName& table) = 0;
  virtual Result<DiskUse> disk_use() = 0;

  // ---- upkeep
  // One bounded step (hub-8). Between commits. Makes a snapshot of kind maintenance when rows
  // moved.
  virtual Result<CompactionStep> compact(const CompactionLimits& limits) = 0;
  virtual Result<std::vector<InlinedUse>> inlined_use() = 0;  // what compact() looks at

  // One bounded step of a round that removes what no retained snapshot has (hub-12). Between
  // commits; does nothing while compaction is underway.
  virtual Result<CollectionStep> collect(const CollectionLimits& limits) = 0;
  virtual Result<CollectionPlan> collection_plan(const CollectionLimits& limits) = 0;
  // A tag keeps its snapshot. kNotFound when the snapshot is gone already.
  virtual Result<void> set_tag(const std::string& name, SnapshotId at, const std::string& who) = 0;
  virtual Result<void> delete_tag(const std::string& name) = 0;  // kNotFound
  virtual Result<std::vector<TagRecord>> tags() = 0;             // by name
  virtual Result<bool> is_retained(SnapshotId at) = 0;
  // What of the log waits to be moved into the database, as of the last commit; writers only.
  virtual std::uint64_t log_bytes() const = 0;
  // Moves what readers allow, without waiting for them.
  virtual Result<void> move_log() = 0;

  // ---- records
  virtual Result<std::string> configuration() = 0;
  virtual Result<std::string> hub_id() = 0;           // a UUID; never changes
  virtual Result<std::string> fingerprint_key() = 0;  // 32 random bytes of this hub's lineage
  virtual Result<std::map<std::string, PositionParts>> positions() = 0;             // by source
  virtual Result<std::vector<CommitRecord>> commits(const CommitRange& range) = 0;  // newest first
  virtual Result<std::optional<CommitRecord>> commit_of_snapshot(SnapshotId snapshot) = 0;
  virtual Result<std::optional<DefinitionRecord>> definition(const std::string& sha256) = 0;
  // Newest first; both without weights, which version() has.
  virtual Result<std::vector<ModelVersionRecord>> versions(const std::string& model,
                                                           std::int64_t newest_count) = 0;
  virtual Result<std::vector<ModelVersionRecord>> versions_of_snapshot(SnapshotId snapshot) = 0;
  virtual Result<std::optional<ModelVersionRecord>> version(const std::string& model,
                                                            std::int64_t version) = 0;
  virtual Result<std::optional<ModelVersionRecord>> newest_version(
      const std::string& model, std::optional<VersionStatus> status) = 0;
  virtual Result<std::vector<std::string>> models() = 0;  // those with versions, by name
  virtual Result<std::vector<AliasEvent>> alias_history(
      const std::string& model) = 0;  // oldest first; "" = all
  virtual Result<std::optional<AliasEvent>> alias(const std::string& model,
                                                  const std::string& alias) = 0;  // in force
  virtual Result<std::optional<std::string>> model_state(const std::string& model) = 0;
  virtual Result<std::map<std::string, std::string>> overrides(
      const std::string& dataset) = 0;  // key -> row hash

  virtual Result<std::optional<RequestRecord>> request_of_key(const std::string& dataset,
                                                              const std::string& key) = 0;
  virtual Result<std::optional<RequestRecord>> request_of_token(const std::string& token) = 0;

  // ---- checkpoints of learner states: files beside the data, pointers in the catalog; the last
  // two a model are kept
  virtual Result<void> write_checkpoint(const CheckpointRecord& record, std::string_view bytes) = 0;
  // The newest at or before `at` whose file is there and has its hash; a broken one is passed over.
  virtual Result<std::optional<std::pair<CheckpointRecord, std::string>>> read_checkpoint(
      const std::string& model, const std::string& definition, SnapshotId at) = 0;

  // ---- foreign commits, for writers: whether another program made a snapshot after ours
  virtual Result<bool> has_foreign_commits() = 0;
  // As commits without ids, oldest first; the newest is latest_snapshot() from then on, and the
  // next commit must adopt them. kRefused, with the reason: they break hub-9.
  virtual Result<std::vector<CommitRecord>> foreign_commits() = 0;

  // Everything of a table at a snapshot, in scan order. For tables that are known to fit in memory.
  Result<Batch> read(const TableName& table, SnapshotId at, std::vector<std::string> columns = {});
};

}  // namespace lockstep
