// How commits become durable: one by one, or a group of them in one catalog transaction (hub-11).
#include "hub/hub_over_ducklake.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

// An ordered index writes a page or two a commit, the catalog ten times as many.
constexpr std::uint64_t kIndexShareOfLog = 8;

}  // namespace

Result<void> HubOverDuckLake::begin_group() {
  TRY(check_writable());
  LOCKSTEP_ASSERT(!in_group_, "hub-11: a group within a group");
  LOCKSTEP_ASSERT(transaction_ == nullptr, "hub-11: a group begins amid a commit");
  in_group_ = true;
  return {};
}

Result<void> HubOverDuckLake::add_models(const Committed& committed, const CommitRequest& models) {
  TRY(check_writable());
  LOCKSTEP_ASSERT(in_group_ && transaction_ != nullptr, "hub-11: models of a commit of no group");
  LOCKSTEP_ASSERT(models.changes.empty() && models.positions.empty(), "hub: models that have rows");
  Result<void> added = apply_models(*records_, late_, models, committed.time);
  if (added.ok() && committed.snapshot && !models.versions.empty()) {
    added = add_extra_info(*catalog_, number(*committed.snapshot), models_json(models.versions));
  }
  if (!added.ok()) roll_back();
  return added;
}

Result<void> HubOverDuckLake::flush() {
  TRY(check_writable());
  in_group_ = false;
  if (transaction_ == nullptr) return {};
  Result<void> told = tell_statistics();
  if (told.ok()) told = late_.tell(*records_);
  if (!told.ok()) {
    roll_back();
    return told;
  }
  TRY(make_durable());
  settle_indexes();
  return {};
}

Result<void> HubOverDuckLake::tend_log() {
  TRY(check_writable());
  LOCKSTEP_ASSERT(transaction_ == nullptr, "hub-11: the log is moved amid a group");
  for (const auto& [name, state] : states_)
    state->ordered.tend_logs(options_.log_bytes_max / kIndexShareOfLog);
  if (catalog_->log_bytes() <= options_.log_bytes_max) return {};
  Result<void> moved = catalog_->checkpoint_beside();
  if (!moved.ok() && moved.error().code == Code::kCorrupt) broken_ = true;
  return moved;
}

// The fence is checked once a transaction: while it is open nobody else writes.
Result<void> HubOverDuckLake::open_transaction() {
  if (transaction_ != nullptr) return {};
  transaction_ = TRY(catalog_->begin());
  records_->begin();
  return check_fence();
}

Result<void> HubOverDuckLake::make_durable() {
  // From here on a failure may have stored everything or nothing, so that its files stay.
  broken_ = true;
  TRY(transaction_->commit());
  broken_ = false;
  transaction_.reset();
  applied_ = 0;
  unnamed_files_.clear();
  return {};
}

// Commits that were applied before are in this hub's memory: it cannot go on without them.
void HubOverDuckLake::roll_back() {
  broken_ = broken_ || applied_ > 0;
  transaction_.reset();
  applied_ = 0;
  late_.clear();
  for (const auto& [name, state] : states_)
    state->ordered.close();
  for (const std::string& path : unnamed_files_) {
    // The failure that led here is the one to tell; a file that stays behind costs space and is
    // named by no row.
    static_cast<void>(io_.remove(path));
  }
  unnamed_files_.clear();
}

// The statistics of a table that a commit of an open group changed are told at its end: they are of
// no snapshot.
Result<void> HubOverDuckLake::note_statistics(const CommitPlan& plan,
                                              const TablePlan& table,
                                              const TableStatistics& after) {
  if (table.entering.empty()) return {};
  TableState& state = *table.table;
  const bool waits = in_group_ && plan.altered->entries().empty();
  if (!waits) return store_statistics(*catalog_, state.lake, state.statistics, after);
  if (!state.told) state.told = state.statistics;
  return {};
}

Result<void> HubOverDuckLake::tell_statistics() {
  for (const auto& [name, state] : states_) {
    if (!state->told) continue;
    TRY(store_statistics(*catalog_, state->lake, *state->told, state->statistics));
    state->told.reset();
  }
  return {};
}

// Everything in one statement, since every commit asks; what is wrong is told by the ones behind
// it.
Result<bool> HubOverDuckLake::is_fence_whole() {
  Statement* row =
      TRY(catalog_->cached("SELECT (SELECT value FROM lockstep_meta WHERE key = 'epoch'), "
                           "(SELECT \"value\" FROM ducklake_metadata WHERE \"key\" = 'version'), "
                           "(SELECT max(snapshot_id) FROM ducklake_snapshot), "
                           "(SELECT max(commit_id) FROM lockstep_commit)"));
  const ResetAtEnd at_end(*row);
  if (!TRY(row->step())) return false;
  return row->text(0) == std::to_string(epoch_) && row->text(1) == "1.0" &&
         row->integer(2) == latest_.id && row->integer(3) + 1 == number(next_commit_);
}

Result<void> HubOverDuckLake::check_fence() {
  if (TRY(is_fence_whole())) return {};
  const std::int64_t epoch = TRY(records_->epoch());
  if (epoch != epoch_) {
    return make_error(
        Code::kLocked,
        fmt::format(
            "the hub {} has a newer writer: epoch {}, ours was {}", paths_.catalog, epoch, epoch_),
        "end this process");
  }
  TRY(check_lake_version(*catalog_));
  const std::int64_t newest = TRY(newest_snapshot(*catalog_)).id;
  LOCKSTEP_ASSERT(newest != latest_.id,
                  "hub-5: the newest commit is not the one that was made last");
  return foreign_commit_error(newest, latest_.id);
}

}  // namespace lockstep
