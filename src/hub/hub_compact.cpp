// The hub's side of compaction: what is worth moving, and the small transaction that moves it.
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

namespace {

Result<std::int64_t> newest_place(Catalog& catalog, const LakeTable& table) {
  const Cell place = TRY(
      catalog.single(fmt::format("SELECT max(_rowid_) FROM {}", quote_identifier(table.inlined))));
  const std::int64_t* number = std::get_if<std::int64_t>(&place);
  return number == nullptr ? std::int64_t{0} : *number;
}

}  // namespace

Result<std::vector<InlinedUse>> HubOverDuckLake::inlined_use() {
  std::vector<InlinedUse> uses;
  for (const auto& [name, state] : states_) {
    InlinedUse use{.table = name};
    for (const InlinedTable& inlined : TRY(inlined_tables(*catalog_, state->lake.id))) {
      const Cell count = TRY(
          catalog_->single(fmt::format("SELECT count(*) FROM {}", quote_identifier(inlined.name))));
      if (const auto* number = std::get_if<std::int64_t>(&count)) use.rows += *number;
    }
    uses.push_back(std::move(use));
  }
  return uses;
}

// The table with the most inlined rows that were not looked at yet.
Result<TableState*> HubOverDuckLake::table_to_flush(const CompactionLimits& limits) {
  TableState* chosen = nullptr;
  std::int64_t most = std::max<std::int64_t>(limits.rows_min, 1) - 1;
  for (const auto& [name, state] : states_) {
    if (state->lake.inlined.empty()) continue;  // another program's table, which has none
    const std::int64_t newest = TRY(newest_place(*catalog_, state->lake));
    const std::int64_t waiting = newest - compaction_->looked_at[state->lake.id];
    if (waiting <= most) continue;
    most = waiting;
    chosen = state.get();
  }
  return chosen;
}

Result<void> HubOverDuckLake::begin_compaction() {
  if (compaction_) return {};
  compaction_ = std::make_unique<Compaction>(io_, paths_.catalog);
  for (const auto& [name, state] : states_) {
    for (const LeavingFile& file : TRY(files_with_left_deletes(*catalog_, state->lake.id)))
      compaction_->left.push_back(file);
  }
  return {};
}

void HubOverDuckLake::drop_compaction() {
  compaction_.reset();
  for (const auto& [name, state] : states_)
    state->index.abandon_move();
}

// What is to be done with a connection of its own; empty: nothing.
Result<std::function<void(Catalog&)>> HubOverDuckLake::next_compaction(
    const CompactionLimits& limits) {
  Compaction& work = *compaction_;
  if (const TableState* table = TRY(table_to_flush(limits))) {
    work.table = table->lake.definition.name;
    const std::int64_t after = work.looked_at[table->lake.id];
    return std::function<void(Catalog&)>(
        [&work, this, lake = table->lake, after, limits](Catalog& catalog) {
          work.flushed = write_flush(
              catalog,
              {io_, paths_.data},
              lake,
              after,
              {.row_count_max = limits.rows_max, .older_rows_min = limits.older_rows_min});
        });
  }
  if (!TRY(plan_merge(limits))) return std::function<void(Catalog&)>();
  return std::function<void(Catalog&)>(
      [&work](Catalog& catalog) { work.merged = write_merge(catalog, *work.merge); });
}

Result<CompactionStep> HubOverDuckLake::compact(const CompactionLimits& limits) {
  TRY(check_writable());
  LOCKSTEP_ASSERT(transaction_ == nullptr, "hub-11: rows are moved amid a group");
  if (load_) return CompactionStep{};  // its rows lie where it noted them
  TRY(begin_compaction());
  Compaction& work = *compaction_;
  if (!work.thread.is_underway()) {
    if (TRY(remove_left_deletes()))
      return CompactionStep{.state = CompactionState::kDone, .table = work.table};
    const std::function<void(Catalog&)> next = TRY(next_compaction(limits));
    if (!next) return CompactionStep{};
    if (limits.background) {
      const Result<void> started = work.thread.start(next);
      if (started.ok())
        return CompactionStep{.state = CompactionState::kUnderway, .table = work.table};
      drop_compaction();
      return started.error();
    }
    next(*catalog_);
  } else if (limits.background && !work.thread.is_done()) {
    return CompactionStep{.state = CompactionState::kUnderway, .table = {}};
  }
  work.thread.finish();
  if (work.merge) return finish_merge();
  LOCKSTEP_ASSERT(work.flushed.has_value(), "hub: compaction ended without a result");
  auto result = std::exchange(work.flushed, std::nullopt);
  return finish_flush(TRY(*std::move(result)));
}

// The snapshot of a maintenance commit: the same rows, and nothing of a model.
LakeSnapshot HubOverDuckLake::next_maintenance() {
  LakeSnapshot next = latest_;
  ++next.id;
  next.time = std::max(Timestamp{io_.now_us()}, Timestamp{last_time_.us + 1});
  next.next_file_id = std::max(next.next_file_id, next_free_file_id_);
  return next;
}

Result<void> HubOverDuckLake::commit_maintenance(const LakeSnapshot& next,
                                                 const std::string& changes,
                                                 const std::string& message,
                                                 Transaction& transaction) {
  TRY(insert_snapshot(*catalog_, next, {changes, message, ""}));
  CommitRecord commit;
  commit.id = next_commit_;
  commit.kind = CommitKind::kMaintenance;
  commit.snapshot = SnapshotId{next.id};
  commit.time = next.time;
  commit.message = message;
  TRY(records_->insert_commit(commit));
  // From here on a failure may have stored everything or nothing.
  broken_ = true;
  TRY(transaction.commit());
  broken_ = false;
  latest_ = next;
  last_time_ = next.time;
  next_commit_ = CommitId{number(commit.id) + 1};
  return {};
}

Result<CompactionStep> HubOverDuckLake::finish_flush(FlushedRows flushed) {
  const TableName name = flushed.table.definition.name;
  const auto state = states_.find(name);
  // A table that was dropped meanwhile keeps its rows where they are.
  if (state == states_.end() || state->second->lake.id != flushed.table.id) {
    remove_flushed(io_, flushed);
    return CompactionStep{.state = CompactionState::kDone, .table = name};
  }
  CompactionStep step{.state = CompactionState::kDone, .table = name};
  if (!flushed.moves_nothing()) {
    const Result<void> applied = apply_flush(flushed);
    if (!applied.ok()) {
      // After a commit that ended half-way its rows may name these files.
      if (!broken_) remove_flushed(io_, flushed);
      return applied.error();
    }
  }
  // SQLite gives places anew once the rows behind them are gone. A table that was altered meanwhile
  // takes its inlined rows elsewhere now.
  if (state->second->lake.inlined == flushed.table.inlined) {
    compaction_->looked_at[flushed.table.id] =
        std::min(flushed.last_place, TRY(newest_place(*catalog_, flushed.table)));
  }
  for (const MovedFile& moved : flushed.files) {
    publish_moved(*state->second, moved);
    step.rows += moved.file.row_count;
    ++step.files;
  }
  settle_indexes();
  return step;
}

Result<void> HubOverDuckLake::apply_flush(FlushedRows& flushed) {
  const auto transaction = TRY(catalog_->begin());
  TRY(check_fence());
  LakeSnapshot next = next_maintenance();
  TRY(lockstep::apply_flush(*catalog_, flushed, next));
  if (!flushed.files.empty()) {
    return commit_maintenance(
        next,
        fmt::format("inline_flush:{}", flushed.table.id),
        fmt::format("compacted {}", table_text(flushed.table.definition.name)),
        *transaction);
  }
  // Only rows that no snapshot has went.
  broken_ = true;
  TRY(transaction->commit());
  broken_ = false;
  return {};
}

// The writer's memory follows: where the live rows lie now, and the files there are.
void HubOverDuckLake::publish_moved(TableState& state, const MovedFile& moved) {
  if (!state.indexed) return;
  state.files[moved.file.id] = moved.file;
  state.statistics.file_bytes += static_cast<std::int64_t>(moved.info.size_bytes);
  for (std::size_t row = 0; row < moved.keys.size(); ++row) {
    if (moved.ends[row] != StoredRows::kAlive) {
      state.has_inlined_deletes = true;
      continue;
    }
    const auto position = static_cast<std::int64_t>(row);
    state.index.set(moved.keys[row], {moved.row_ids[row], moved.file.id, position});
  }
}

}  // namespace lockstep
