// The hub's side of retention: rounds of small steps, each a transaction of a few milliseconds.
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"
#include "hub/orphans.h"
#include "hub/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace lockstep {

namespace {

// So that a step stays within milliseconds.
constexpr std::int64_t kSnapshotsAStep = 400;
constexpr std::int64_t kRowsAStep = 300;
constexpr std::int64_t kFilesAStep = 4;
constexpr std::int64_t kDeletionsAStep = 30;
// A reader's lease begins before its look at the catalog, but a file is scheduled a moment before
// its commit is there to be seen.
constexpr std::int64_t kLeaseMarginUs = 60'000'000;

}  // namespace

Result<CollectionStep> HubOverDuckLake::collect(const CollectionLimits& limits) {
  TRY(check_writable());
  LOCKSTEP_ASSERT(transaction_ == nullptr, "hub-12: snapshots are removed amid a group");
  if (compaction_ && compaction_->thread.is_underway()) return CollectionStep{.more = true};
  TRY(begin_compaction());
  if (TRY(remove_left_deletes())) return CollectionStep{.more = true};
  CollectionStep step{.more = true};
  switch (collection_.stage) {
    case Collection::Stage::kSnapshots:
      TRY(collect_snapshots(limits, step));
      return step;
    case Collection::Stage::kRows:
      TRY(collect_rows(step));
      return step;
    case Collection::Stage::kFiles:
      TRY(collect_files(step));
      return step;
    case Collection::Stage::kDeletions:
      TRY(collect_deletions(limits, step));
      return step;
    case Collection::Stage::kOrphans:
      TRY(collect_orphans(limits, step));
      return step;
  }
  return step;
}

Result<void> HubOverDuckLake::commit_upkeep(const std::function<Result<void>()>& work) {
  const auto transaction = TRY(catalog_->begin());
  TRY(check_fence());
  TRY(work());
  // From here on a failure may have stored everything or nothing.
  broken_ = true;
  TRY(transaction->commit());
  broken_ = false;
  return {};
}

Result<void> HubOverDuckLake::collect_snapshots(const CollectionLimits& limits,
                                                CollectionStep& step) {
  if (collection_.snapshot == 0) collection_.pinned = TRY(pinned_snapshots(*catalog_));
  collection_.pinned.insert(latest_.id);
  const ExpiredSnapshots expired = TRY(find_expired(
      *catalog_,
      limits.policy,
      collection_.pinned,
      {.from = collection_.snapshot, .snapshots_max = kSnapshotsAStep, .now = {io_.now_us()}}));
  if (!expired.ids.empty()) {
    // What was pinned since the round began stays.
    const std::set<std::int64_t> pinned = TRY(pinned_snapshots(*catalog_));
    std::vector<std::int64_t> ids;
    std::ranges::copy_if(expired.ids, std::back_inserter(ids), [&](std::int64_t id) {
      return !pinned.contains(id);
    });
    TRY(commit_upkeep([&] { return remove_snapshots(*catalog_, ids); }));
    step.snapshots = static_cast<std::int64_t>(ids.size());
    // Rows that nothing has any more make a merge worth it.
    compaction_->passed_over.clear();
  }
  collection_.snapshot = expired.next;
  if (!expired.reached_kept) return {};
  collection_.stage = Collection::Stage::kRows;
  for (const auto& [name, state] : states_)
    compaction_->dead_before[state->lake.id] = collection_.snapshot;
  return {};
}

Result<void> HubOverDuckLake::collect_rows(CollectionStep& step) {
  TRY(commit_upkeep([&]() -> Result<void> {
    for (const auto& [name, state] : states_) {
      for (const InlinedTable& inlined : TRY(inlined_tables(*catalog_, state->lake.id))) {
        if (step.rows >= kRowsAStep) return {};
        const std::int64_t gone = TRY(remove_dead_inlined(
            *catalog_, inlined.name, collection_.snapshot, kRowsAStep - step.rows));
        // Their places are given anew, so that compaction looks at all rows again.
        if (gone > 0) compaction_->looked_at.erase(inlined.name);
        step.rows += gone;
      }
    }
    return {};
  }));
  if (step.rows < kRowsAStep) collection_.stage = Collection::Stage::kFiles;
  return {};
}

Result<void> HubOverDuckLake::collect_files(CollectionStep& step) {
  TRY(commit_upkeep([&]() -> Result<void> {
    step.files = TRY(retire_files(*catalog_, collection_.snapshot, {io_.now_us()}, kFilesAStep));
    if (step.files == 0) step.rows = TRY(retire_dropped_table(*catalog_, kRowsAStep));
    return {};
  }));
  if (step.files == 0 && step.rows == 0) collection_.stage = Collection::Stage::kDeletions;
  return {};
}

// Files whose grace is over, and which no lease may need.
Result<std::vector<ScheduledFile>> HubOverDuckLake::due_files(const CollectionLimits& limits) {
  std::vector<ScheduledFile> due = TRY(scheduled_files(*catalog_, kDeletionsAStep));
  const std::int64_t grace_before = io_.now_us() - limits.grace_us;
  std::erase_if(due, [&](const ScheduledFile& file) { return file.since.us > grace_before; });
  if (due.empty()) return due;
  const std::optional<std::int64_t> lease = TRY(oldest_lease(io_, paths_.catalog));
  std::erase_if(due, [&](const ScheduledFile& file) {
    return lease && file.since.us + kLeaseMarginUs >= *lease;
  });
  return due;
}

Result<void> HubOverDuckLake::collect_deletions(const CollectionLimits& limits,
                                                CollectionStep& step) {
  const std::vector<ScheduledFile> due = TRY(due_files(limits));
  for (const ScheduledFile& file : due) {
    // Gone already: the process died before it could forget the file.
    const auto removed = io_.remove(file.is_relative ? paths_.data + file.path : file.path);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    ++step.deleted;
  }
  if (due.empty()) {
    collection_.stage = Collection::Stage::kOrphans;
    return {};
  }
  return commit_upkeep([&] { return forget_scheduled(*catalog_, due); });
}

// A folder after the other, and of what was found there a few files a step.
Result<void> HubOverDuckLake::collect_orphans(const CollectionLimits& limits,
                                              CollectionStep& step) {
  if (collection_.orphans.empty()) return look_for_orphans(limits, step);
  while (!collection_.orphans.empty() && step.deleted < kDeletionsAStep) {
    const auto removed = io_.remove(collection_.orphans.back());
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    collection_.orphans.pop_back();
    ++step.deleted;
  }
  return {};
}

Result<void> HubOverDuckLake::look_for_orphans(const CollectionLimits& limits,
                                               CollectionStep& step) {
  if (orphan_look_ && orphan_look_->thread.is_underway()) {
    OrphanLook& look = *orphan_look_;
    if (limits.background && !look.thread.is_done()) return {};
    look.thread.finish();
    LOCKSTEP_ASSERT(look.found.has_value(), "hub: a look for orphans ended without a result");
    collection_.orphans = TRY(*std::exchange(look.found, std::nullopt));
    return {};
  }
  const std::vector<std::string> folders = TRY(data_folders(*catalog_));
  if (collection_.folder >= folders.size()) {
    collection_ = Collection{};
    step.more = false;
    return {};
  }
  const OrphanSearch search{.data_path = paths_.data,
                            .folder = folders[collection_.folder++],
                            .grace_us = limits.grace_us};
  if (!limits.background) {
    collection_.orphans = TRY(find_orphans(*catalog_, io_, search));
    return {};
  }
  if (!orphan_look_) orphan_look_ = std::make_unique<OrphanLook>(background_place());
  OrphanLook& look = *orphan_look_;
  return look.thread.start(
      [this, &look, search](Catalog& catalog) { look.found = find_orphans(catalog, io_, search); });
}

Result<CollectionPlan> HubOverDuckLake::collection_plan(const CollectionLimits& limits) {
  CollectionPlan plan;
  const std::set<std::int64_t> pinned = TRY(pinned_snapshots(*catalog_));
  ExpiryScan scan{.from = 0, .snapshots_max = 10'000, .now = {io_.now_us()}};
  while (true) {
    const ExpiredSnapshots expired = TRY(find_expired(*catalog_, limits.policy, pinned, scan));
    plan.snapshots.insert(plan.snapshots.end(), expired.ids.begin(), expired.ids.end());
    if (expired.reached_kept || expired.next == scan.from) break;
    scan.from = expired.next;
  }
  plan.snapshots.erase(std::unique(plan.snapshots.begin(), plan.snapshots.end()),
                       plan.snapshots.end());
  plan.files = TRY(files_of_snapshots_only(*catalog_, plan.snapshots));
  for (const std::string& folder : TRY(data_folders(*catalog_))) {
    for (std::string& path : TRY(find_orphans(
             *catalog_,
             io_,
             {.data_path = paths_.data, .folder = folder, .grace_us = limits.grace_us}))) {
      plan.orphans.push_back(std::move(path));
    }
  }
  return plan;
}

Result<void> HubOverDuckLake::set_tag(const std::string& name,
                                      SnapshotId at,
                                      const std::string& who) {
  TRY(check_writable());
  TRY(check_snapshot(at));
  const TagRecord tag{.name = name, .snapshot = at, .time = {io_.now_us()}, .who = who};
  return commit_upkeep([&] { return records_->set_tag(tag); });
}

Result<void> HubOverDuckLake::delete_tag(const std::string& name) {
  TRY(check_writable());
  return commit_upkeep([&] { return records_->delete_tag(name); });
}

Result<void> HubOverDuckLake::move_log() {
  TRY(check_writable());
  return catalog_->checkpoint();
}

Result<bool> HubOverDuckLake::is_retained(SnapshotId at) {
  const Cell found =
      TRY(catalog_->single("SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", {number(at)}));
  return !std::holds_alternative<std::monostate>(found);
}

}  // namespace lockstep
