// The hub's side of what compaction finds by a look over all files: files worth to be written anew,
// and deletes in the catalog that are worth a file.
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

namespace {

constexpr std::int64_t kSnapshotsApart = 1'000;

std::optional<std::int64_t> take_last(std::vector<std::int64_t>& ids) {
  if (ids.empty()) return std::nullopt;
  const std::int64_t id = ids.back();
  ids.pop_back();
  return id;
}

}  // namespace

bool HubOverDuckLake::wants_survey(const CompactionLimits& limits) const {
  if (limits.files_min <= 0) return false;
  const std::int64_t apart = limits.background ? kSnapshotsApart : 1;
  return !compaction_->dead_before.empty() || latest_.id - compaction_->surveyed_at >= apart;
}

SurveyLimits HubOverDuckLake::begin_survey() {
  SurveyLimits limits;
  limits.kept_from = std::exchange(compaction_->dead_before, {});
  for (const auto& [name, state] : states_)
    limits.tables.push_back(state->lake.id);
  limits.deletes_min = options_.inlined_deletes_max;
  compaction_->surveyed_at = latest_.id;
  return limits;
}

// false: what the newest survey found is done.
Result<bool> HubOverDuckLake::plan_from_survey(const CompactionLimits& limits) {
  FileSurvey& survey = compaction_->survey;
  for (const auto& [name, state] : states_) {
    // The index must follow the rows. Beside commits, tables that nobody has touched can wait.
    if (!state->indexed && limits.background) continue;
    while (const auto file = take_last(survey.of_dead_rows[state->lake.id])) {
      TRY(indexed_table(name));
      if (TRY(plan_shrinking(*state, *file))) return true;
    }
    while (const auto file = take_last(survey.of_many_deletes[state->lake.id])) {
      TRY(indexed_table(name));
      if (plan_deletes(*state, *file, limits.rows_max)) return true;
    }
  }
  return false;
}

Result<bool> HubOverDuckLake::plan_shrinking(TableState& state, std::int64_t file_id) {
  const auto file = state.files.find(file_id);
  if (file == state.files.end() || compaction_->passed_over.contains(file_id)) return false;
  const std::int64_t begin = file->second.begin;
  if (begin >= state.lake.begin) {
    if (!is_laid_out(file->second, state.lake)) return false;
    plan_merge_as(state, state.lake, {file->second});
    return true;
  }
  for (const TableForm& form : *TRY(forms_of(state))) {
    if (begin < form.table.begin || begin >= form.before) continue;
    if (!is_laid_out(file->second, form.table)) return false;
    plan_merge_as(state, form.table, {file->second});
    return true;
  }
  return false;
}

bool HubOverDuckLake::plan_deletes(const TableState& state,
                                   std::int64_t file_id,
                                   std::int64_t count_max) {
  const auto file = state.files.find(file_id);
  if (file == state.files.end()) return false;
  const std::int64_t id = std::max(latest_.next_file_id, next_free_file_id_);
  next_free_file_id_ = id + 1;
  compaction_->deletes.emplace(DeletesWork{.io = io_,
                                           .data_path = paths_.data,
                                           .table = state.lake,
                                           .file = file->second,
                                           .delete_file_id = id,
                                           .count_max = count_max});
  compaction_->table = state.lake.definition.name;
  return true;
}

Result<CompactionStep> HubOverDuckLake::finish_deletes() {
  LOCKSTEP_ASSERT(compaction_->moved_deletes.has_value(), "hub: moving deletes ended unheard");
  const DeletesWork work = *std::exchange(compaction_->deletes, std::nullopt);
  const MovedDeletes moved = TRY(*std::exchange(compaction_->moved_deletes, std::nullopt));
  const TableName name = work.table.definition.name;
  CompactionStep step{.state = CompactionState::kDone, .table = name};
  if (!moved.written) return step;
  const auto found = states_.find(name);
  Result<bool> applied = false;
  if (found != states_.end() && found->second->lake.id == work.table.id)
    applied = apply_deletes(work, moved);
  if (applied.ok() && applied.value()) {
    step.rows = std::ssize(moved.places);
    step.files = 1;
    // There may be more of the same file.
    if (step.rows == work.count_max)
      compaction_->survey.of_many_deletes[work.table.id].push_back(work.file.id);
    return step;
  }
  // After a commit that ended half-way its rows may name the file, which else costs space alone.
  if (!broken_) static_cast<void>(io_.remove(moved.written->path));
  if (!applied.ok()) return std::move(applied).error();
  return step;
}

Result<bool> HubOverDuckLake::apply_deletes(const DeletesWork& work, const MovedDeletes& moved) {
  const auto transaction = TRY(catalog_->begin());
  TRY(check_fence());
  const LakeSnapshot next = next_maintenance();
  if (!TRY(apply_moved_deletes(*catalog_, work, moved, next.time))) return false;
  TRY(commit_maintenance(next,
                         fmt::format("inline_flush:{}", work.table.id),
                         fmt::format("moved deletes of {}", table_text(work.table.definition.name)),
                         *transaction));
  return true;
}

}  // namespace lockstep
