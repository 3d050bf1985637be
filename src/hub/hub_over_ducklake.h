// The hub behind hub.h: one connection to the catalog, the data files, and the writer's memory.
#pragma once

#include "hub/collection.h"
#include "hub/compaction.h"
#include "hub/data_files.h"
#include "hub/hub_options.h"
#include "hub/hub_records.h"
#include "hub/load.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

class HubOverDuckLake final : public HubRecords {
 public:
  HubOverDuckLake(Io& io, HubPaths paths, HubMode mode, const HubOptions& options);

  ~HubOverDuckLake() override;

  HubOverDuckLake(const HubOverDuckLake&) = delete;
  HubOverDuckLake& operator=(const HubOverDuckLake&) = delete;

  // Connects, checks versions, and as a writer takes the lock and the next epoch.
  Result<void> start();

  Result<Committed> commit(const CommitRequest& request) override;
  Result<void> begin_group() override;
  Result<void> add_models(const Committed& committed, const CommitRequest& models) override;
  Result<void> flush() override;
  Result<void> tend_log() override;

  Result<CompactionStep> compact(const CompactionLimits& limits) override;
  Result<std::vector<InlinedUse>> inlined_use() override;
  Result<CollectionStep> collect(const CollectionLimits& limits) override;
  Result<CollectionPlan> collection_plan(const CollectionLimits& limits) override;
  Result<void> set_tag(const std::string& name, SnapshotId at, const std::string& who) override;
  Result<void> delete_tag(const std::string& name) override;
  Result<bool> is_retained(SnapshotId at) override;

  std::uint64_t log_bytes() const override { return catalog_->log_bytes(); }

  Result<void> move_log() override;

  SnapshotId latest_snapshot() const override { return SnapshotId{latest_.id}; }

  SnapshotId next_snapshot() const override { return SnapshotId{latest_.id + 1}; }

  CommitId next_commit() const override { return next_commit_; }

  Result<void> refresh() override;
  Result<std::vector<TableDefinition>> tables(SnapshotId at) override;
  Result<std::optional<TableDefinition>> table(const TableName& name, SnapshotId at) override;
  Result<std::unique_ptr<Scan>> scan(const TableName& table,
                                     SnapshotId at,
                                     const ScanOptions& options) override;
  Result<void> stage(const std::string& load,
                     const std::vector<TableChange>& changes,
                     const std::string& note) override;
  Result<std::optional<StagedLoad>> left_load(const std::string& load) override;
  Result<void> resume_load() override;
  Result<Batch> staged(const TableName& table, std::int64_t stage) override;
  std::int64_t staged_count() const override;
  Result<Batch> changes(const TableName& table, SnapshotId from, SnapshotId to) override;
  Result<Batch> changes_in_newest_columns(const TableName& table,
                                          SnapshotId from,
                                          SnapshotId to) override;
  Result<std::unique_ptr<BatchStream>> scan_changes(const TableName& table,
                                                    SnapshotId from,
                                                    SnapshotId to) override;
  Result<Lookup> lookup(const TableName& table, const Batch& keys) override;
  Result<GroupedRows> lookup_groups(const TableName& table,
                                    const GroupOrder& order,
                                    const GroupQuestion& question) override;
  Result<std::int64_t> row_count(const TableName& table, SnapshotId at) override;
  Result<bool> has_rows(const TableName& table) override;
  Result<DiskUse> disk_use() override;

  Result<bool> has_foreign_commits() override;
  Result<std::vector<CommitRecord>> foreign_commits() override;

  Result<void> write_checkpoint(const CheckpointRecord& record, std::string_view bytes) override;
  Result<std::optional<std::pair<CheckpointRecord, std::string>>> read_checkpoint(
      const std::string& model, const std::string& definition, SnapshotId at) override;

 private:
  // hub_open.cpp
  Result<void> take_lock();
  Result<void> take_epoch();
  Result<void> adopt_data_path();
  Result<void> load_states();

  // hub_over_ducklake.cpp
  Result<void> check_snapshot(SnapshotId at);
  Result<std::vector<LakeTable>> lake_tables(SnapshotId at);
  Result<std::optional<LakeTable>> find_table(const TableName& name, SnapshotId at);
  Result<LakeTable> require_table(const TableName& name, SnapshotId at);

  // hub_commit.cpp
  Result<void> check_writable() const;
  Result<void> check_sound() const;
  Result<CommitPlan> plan(const CommitRequest& request);
  Result<void> plan_definitions(const CommitRequest& request, CommitPlan& plan);
  Result<void> plan_rows(const CommitRequest& request, CommitPlan& plan);
  Result<std::vector<WrittenFiles>> write_files(const CommitPlan& plan);
  void remove_files(const std::vector<WrittenFiles>& files);
  Result<void> apply(const CommitRequest& request,
                     const CommitPlan& plan,
                     const std::vector<WrittenFiles>& files,
                     const std::vector<TableStatistics>& after);
  Result<void> apply_definitions(const CommitPlan& plan);
  void publish_commit(CommitPlan plan,
                      const std::vector<WrittenFiles>& files,
                      std::vector<TableStatistics> after);
  // hub_group.cpp
  Result<bool> is_fence_whole();
  Result<void> check_fence();
  Result<void> open_transaction();
  Result<void> make_durable();
  void roll_back();
  Result<void> note_statistics(const CommitPlan& plan,
                               const TablePlan& table,
                               const TableStatistics& after);
  Result<void> tell_statistics();
  // hub_load.cpp
  Result<Committed> commit_load(const CommitRequest& request);
  Result<void> stage_changes(const std::vector<TableChange>& changes, const std::string& note);
  LoadGround load_ground();
  Result<void> discard_stale_load();
  bool has_all_pieces(const LoadJournalContent& load);
  // hub_index.cpp
  Result<void> open_indexes();
  void attach_index(TableState& state);
  Result<TableState*> indexed_table(const TableName& name);
  Result<void> load_index(TableState& state);
  Result<bool> is_of_this_history(const IndexStamp& stamp);
  Result<void> replay_index(TableState& state, const IndexStamp& stamp);
  IndexStamp index_stamp(const TableState& state) const;
  void drop_state(const TableName& name);
  void settle_indexes();
  void close_indexes();

  // hub_compact.cpp
  BackgroundPlace background_place();
  Result<void> begin_compaction();
  void drop_compaction();
  Result<std::function<void(Catalog&)>> next_compaction(const CompactionLimits& limits);
  Result<std::function<void(Catalog&)>> rest_of_compaction(const CompactionLimits& limits);
  Result<std::optional<LakeTable>> table_to_flush(const CompactionLimits& limits);
  Result<std::optional<LakeTable>> form_to_flush();
  Result<std::vector<TableForm>*> forms_of(const TableState& state);
  Result<CompactionStep> finish_flush(FlushedRows flushed);
  Result<void> apply_flush(FlushedRows& flushed);
  LakeSnapshot next_maintenance();
  Result<void> commit_maintenance(const LakeSnapshot& next,
                                  const std::string& changes,
                                  const std::string& message,
                                  Transaction& transaction);
  static void publish_moved(TableState& state, const MovedFile& moved);
  // hub_merge.cpp
  Result<bool> plan_merge(const CompactionLimits& limits);
  Result<bool> plan_merge_of(TableState& state, const CompactionLimits& limits);
  void plan_merge_as(TableState& state, const LakeTable& form, std::vector<DataFile> sources);
  Result<CompactionStep> finish_merge();
  Result<bool> apply_merge(MergedFiles& merged);
  void publish_merge(TableState& state, const MergedFiles& merged);
  Result<bool> remove_left_deletes();
  // hub_survey.cpp
  bool wants_survey(const CompactionLimits& limits) const;
  SurveyLimits begin_survey();
  Result<bool> plan_from_survey(const CompactionLimits& limits);
  Result<bool> plan_shrinking(TableState& state, std::int64_t file_id);
  bool plan_deletes(const TableState& state, std::int64_t file_id, std::int64_t count_max);
  Result<CompactionStep> finish_deletes();
  Result<bool> apply_deletes(const DeletesWork& work, const MovedDeletes& moved);
  // hub_changes.cpp
  std::unique_ptr<BatchStream> scan_changes_of(const LakeTable& table,
                                               std::int64_t from,
                                               std::int64_t to);
  Result<Batch> changes_of(const LakeTable& table, std::int64_t from, std::int64_t to);
  // hub_foreign.cpp
  Error foreign_commit_error(std::int64_t newest, std::int64_t own) const;
  Error refused_foreign(std::int64_t own, const std::string& why) const;
  Result<std::int64_t> newest_own_snapshot();
  Result<std::vector<CommitRecord>> read_foreign(std::int64_t own);
  Result<void> describe_foreign(const std::string& changes, CommitRecord& record);
  Result<void> check_foreign(std::int64_t own);
  Result<void> check_foreign_keys(std::int64_t own, const LakeTable& table, const Batch& change);
  // hub_gc.cpp
  Result<void> commit_upkeep(const std::function<Result<void>()>& work);
  Result<void> collect_snapshots(const CollectionLimits& limits, CollectionStep& step);
  Result<void> collect_rows(CollectionStep& step);
  Result<void> collect_files(CollectionStep& step);
  Result<std::vector<ScheduledFile>> due_files(const CollectionLimits& limits);
  Result<void> collect_deletions(const CollectionLimits& limits, CollectionStep& step);
  Result<void> collect_orphans(const CollectionLimits& limits, CollectionStep& step);
  // hub_alter.cpp
  Result<void> plan_alterations(const CommitRequest& request, CommitPlan& plan);
  Result<void> plan_rewrite(AlteredTables::Entry& entry, CommitPlan& plan);
  Result<void> apply_alterations(const CommitPlan& plan);
  // hub_lookup.cpp
  Result<Lookup> rows_of_keys(TableState& state, std::span<const std::string> keys);
  Result<Lookup> fetch_places(TableState& state, const FoundPlaces& places);
  // hub_ordered.cpp
  Result<void> open_ordered(TableState& state, const OrderIds& ids, OrderedIndex& index);
  Result<void> fill_ordered(TableState& state, const OrderIds& ids, OrderedIndex& index);
  Result<void> finish_ordered(TableState& state, const OrderIds& ids, OrderedIndex& index);

  // Fixed from the start.
  Io& io_;
  const HubPaths paths_;
  const HubOptions options_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Lease> lease_;  // a reader's
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Transaction> view_;  // a reader's: what it sees, from one refresh() to the next
  std::unique_ptr<DataFiles> files_;
  std::int64_t epoch_ = 0;

  // As of the newest snapshot that this hub knows.
  LakeSnapshot latest_;
  std::int64_t next_free_file_id_ = 0;  // what is below may be taken by a merge that is underway
  Timestamp last_time_;                 // of the newest commit, with or without a snapshot
  std::unique_ptr<KeyIndexFolder> index_folder_;  // a writer's; the states' indexes use it
  std::unique_ptr<OrderedIndexFolder> ordered_folder_;
  // Foreign commits that the next one of ours must adopt.
  static constexpr std::int64_t kNotAdopted = -1;  // some, which nobody has looked at
  std::int64_t foreign_count_ = 0;
  CommitId next_commit_{};
  TableStates states_;
  TableName settled_last_;  // whose index a commit took its share of time for
  // What was applied and is not durable yet: one commit, or those of a group.
  std::unique_ptr<Transaction> transaction_;
  std::int64_t applied_ = 0;                // commits in it
  std::vector<std::string> unnamed_files_;  // those that only it names
  bool in_group_ = false;
  std::unique_ptr<Load> load_;                   // begun, and not committed
  std::optional<LoadJournalContent> left_load_;  // by an earlier writer
  bool broken_ = false;  // a commit ended amid its last step: what is stored is not known here
  Collection collection_;
  std::unique_ptr<Compaction> compaction_;  // the last to be made, the first to go
};

}  // namespace lockstep
