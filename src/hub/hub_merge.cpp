// The hub's side of merging files: which are worth it, and the small transaction that puts the new
// file in their place.
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

namespace {

// So that a step stays within milliseconds.
constexpr std::int64_t kLeftDeletesAStep = 500;

Result<std::int64_t> current_files(Catalog& catalog, const LakeTable& table) {
  const Cell count = TRY(catalog.single(
      "SELECT count(*) FROM ducklake_data_file WHERE table_id = ? AND end_snapshot IS NULL",
      {table.id}));
  const auto* number = std::get_if<std::int64_t>(&count);
  return number == nullptr ? std::int64_t{0} : *number;
}

}  // namespace

// One of which many rows are in no snapshot any more; empty: there is none.
Result<std::vector<DataFile>> HubOverDuckLake::file_to_shrink(const TableState& state) {
  const auto looked = compaction_->dead_before.find(state.lake.id);
  if (looked == compaction_->dead_before.end()) return std::vector<DataFile>();
  for (const std::int64_t id : TRY(files_of_dead_rows(*catalog_, state.lake, looked->second))) {
    const auto file = state.files.find(id);
    if (file == state.files.end() || compaction_->passed_over.contains(id)) continue;
    // A file from before the table was altered has other columns.
    if (file->second.begin < state.lake.begin || !is_laid_out(file->second, state.lake)) continue;
    return std::vector<DataFile>{file->second};
  }
  compaction_->dead_before.erase(looked);  // until more snapshots expire
  return std::vector<DataFile>();
}

// Says what to merge, and holds what the merge will need. false: nothing is worth it.
Result<bool> HubOverDuckLake::plan_merge(const CompactionLimits& limits) {
  if (limits.files_min <= 0) return false;
  for (const auto& [name, state] : states_) {
    // The index must follow the rows. Beside commits, tables that nobody has touched can wait.
    if (!state->indexed) {
      if (limits.background || TRY(current_files(*catalog_, state->lake)) < limits.files_min)
        continue;
      TRY(indexed_table(name));
    }
    std::vector<DataFile> sources =
        files_to_merge(state->files, state->lake, compaction_->passed_over, limits.files_min);
    if (sources.empty()) sources = TRY(file_to_shrink(*state));
    if (sources.empty()) continue;
    const std::int64_t first_id = std::max(latest_.next_file_id, next_free_file_id_);
    compaction_->merge.emplace(MergeWork{.io = io_,
                                         .data_path = paths_.data,
                                         .table = state->lake,
                                         .sources = std::move(sources),
                                         .first_file_id = first_id,
                                         .index = *index_folder_});
    next_free_file_id_ = first_id + compaction_->merge->ids();
    compaction_->table = name;
    state->index.begin_move();
    return true;
  }
  return false;
}

Result<CompactionStep> HubOverDuckLake::finish_merge() {
  LOCKSTEP_ASSERT(compaction_->merged.has_value(), "hub: a merge ended without a result");
  const MergeWork work = *std::exchange(compaction_->merge, std::nullopt);
  auto result = *std::exchange(compaction_->merged, std::nullopt);
  const TableName name = work.table.definition.name;
  CompactionStep step{.state = CompactionState::kDone, .table = name};
  const auto found = states_.find(name);
  TableState* state = found == states_.end() ? nullptr : found->second.get();
  const bool follows = state != nullptr && state->lake.id == work.table.id &&
                       state->lake.begin == work.table.begin && state->index.can_finish_move();
  Result<bool> applied = false;
  if (result.ok() && !result.value().is_worth) {
    for (const DataFile& source : work.sources)
      compaction_->passed_over.insert(source.id);
  } else if (result.ok() && follows) {
    applied = apply_merge(result.value());
  }
  if (applied.ok() && applied.value()) {
    publish_merge(*state, result.value());
    settle_indexes();
    for (const MergedFiles::File& file : result.value().files) {
      step.rows += file.moved.file.row_count;
      ++step.files;
    }
    return step;
  }
  if (state != nullptr) state->index.abandon_move();
  // After a commit that ended half-way its rows may name these files.
  if (result.ok() && !broken_) remove_merged(work, result.value());
  if (!result.ok()) return std::move(result).error();
  if (!applied.ok()) return std::move(applied).error();
  return step;
}

Result<bool> HubOverDuckLake::apply_merge(MergedFiles& merged) {
  const auto transaction = TRY(catalog_->begin());
  TRY(check_fence());
  const LakeSnapshot next = next_maintenance();
  if (!TRY(lockstep::apply_merge(*catalog_, merged, next.time))) return false;
  TRY(commit_maintenance(
      next,
      fmt::format("merge_adjacent:{}", merged.table.id),
      fmt::format("merged files of {}", table_text(merged.table.definition.name)),
      *transaction));
  return true;
}

void HubOverDuckLake::publish_merge(TableState& state, const MergedFiles& merged) {
  for (const DataFile& source : merged.sources) {
    state.files.erase(source.id);
    compaction_->left.push_back({.id = source.id, .table_id = merged.table.id});
  }
  for (const MergedFiles::File& file : merged.files)
    state.files[file.moved.file.id] = file.moved.file;
  state.statistics.file_bytes += merged.grown_bytes;
  if (merged.places) {
    state.index.finish_move(*merged.places);
  } else {
    state.index.abandon_move();
  }
}

// Deletes, in the catalog, of rows of files that a merge replaced: they mean nothing any more.
// true: some went.
Result<bool> HubOverDuckLake::remove_left_deletes() {
  std::deque<LeavingFile>& left = compaction_->left;
  while (!left.empty()) {
    const LeavingFile file = left.front();
    const std::string deletes = inlined_deletes_name(file.table_id);
    const Cell any =
        catalog_->table_exists(deletes)
            ? TRY(catalog_->single(
                  fmt::format("SELECT 1 FROM {} WHERE file_id = ? LIMIT 1", deletes), {file.id}))
            : Cell{};
    if (!std::holds_alternative<std::monostate>(any)) break;
    left.pop_front();
  }
  if (left.empty()) return false;
  TRY(commit_upkeep([&]() -> Result<void> {
    TRY(remove_deletes(*catalog_, left.front(), kLeftDeletesAStep));
    return {};
  }));
  return true;
}

}  // namespace lockstep
