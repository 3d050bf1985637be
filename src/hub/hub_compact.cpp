// The hub's side of compaction: what is worth moving, and the small transaction that moves it.
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

namespace {

// So that the transaction takes a few milliseconds.
constexpr std::int64_t kCellsAStep = 20'000;

std::int64_t rows_a_step(const LakeTable& table) {
  return std::max<std::int64_t>(kCellsAStep / std::ssize(table.columns), 100);
}

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
Result<std::optional<LakeTable>> HubOverDuckLake::table_to_flush(const CompactionLimits& limits) {
  const TableState* chosen = nullptr;
  std::int64_t most = std::max<std::int64_t>(limits.rows_min, 1) - 1;
  for (const auto& [name, state] : states_) {
    if (state->lake.inlined.empty()) continue;  // another program's table, which has none
    const std::int64_t looked_at = compaction_->looked_at[state->lake.inlined];
    // Asked after each commit: what cannot be enough yet costs no query.
    const std::int64_t record_count = state->statistics.record_count;
    const auto seen = compaction_->seen.find(state->lake.inlined);
    if (state->indexed && seen != compaction_->seen.end()) {
      const std::int64_t came = record_count - seen->second.record_count;
      if (came >= 0 && seen->second.newest + came - looked_at <= most) continue;
    }
    const std::int64_t newest = TRY(newest_place(*catalog_, state->lake));
    if (state->indexed)
      compaction_->seen[state->lake.inlined] = {.newest = newest, .record_count = record_count};
    const std::int64_t waiting = newest - looked_at;
    if (waiting <= most) continue;
    most = waiting;
    chosen = state.get();
  }
  if (chosen != nullptr) return std::optional<LakeTable>(chosen->lake);
  return form_to_flush();
}

// The forms that a table had before it was altered, as far as rows of theirs are left.
Result<std::vector<TableForm>*> HubOverDuckLake::forms_of(const TableState& state) {
  Compaction::Forms& forms = compaction_->forms[state.lake.id];
  if (forms.altered_at != state.lake.begin) {
    forms.older = TRY(older_forms(*catalog_, TRY(records_->tables()), state.lake));
    forms.altered_at = state.lake.begin;
  }
  return &forms.older;
}

// No rows come to an older form, so that even few are worth a file.
Result<std::optional<LakeTable>> HubOverDuckLake::form_to_flush() {
  for (const auto& [name, state] : states_) {
    for (TableForm& form : *TRY(forms_of(*state))) {
      std::string& inlined = form.table.inlined;
      if (inlined.empty()) continue;
      const std::int64_t newest = TRY(newest_place(*catalog_, form.table));
      if (newest > compaction_->looked_at[inlined]) return std::optional<LakeTable>(form.table);
      if (newest == 0) inlined.clear();
    }
  }
  return std::optional<LakeTable>();
}

Result<void> HubOverDuckLake::begin_compaction() {
  if (compaction_) return {};
  compaction_ = std::make_unique<Compaction>(background_place());
  for (const auto& [name, state] : states_) {
    for (const LeavingFile& file : TRY(files_with_left_deletes(*catalog_, state->lake.id)))
      compaction_->left.push_back(file);
  }
  return {};
}

BackgroundPlace HubOverDuckLake::background_place() {
  Catalog* const only = paths_.files == SqliteFiles::kIo ? catalog_.get() : nullptr;
  return {.io = io_, .catalog = paths_.catalog, .only_connection = only};
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
  const std::optional<LakeTable> table = TRY(table_to_flush(limits));
  if (!table) return rest_of_compaction(limits);
  work.table = table->definition.name;
  const std::int64_t after = work.looked_at[table->inlined];
  FlushLimits flush{.row_count_max = limits.rows_max, .older_rows_min = limits.older_rows_min};
  if (limits.background) flush.row_count_max = std::min(limits.rows_max, rows_a_step(*table));
  return std::function<void(Catalog&)>(
      [&work, this, lake = *table, after, flush](Catalog& catalog) {
        work.flushed = write_flush(catalog, {io_, paths_.data}, lake, after, flush);
      });
}

// Of files there are many, and to find where it is worth to do something takes a look over all.
Result<std::function<void(Catalog&)>> HubOverDuckLake::rest_of_compaction(
    const CompactionLimits& limits) {
  Compaction& work = *compaction_;
  bool planned = TRY(plan_merge(limits)) || TRY(plan_from_survey(limits));
  if (!planned && wants_survey(limits)) {
    const SurveyLimits survey = begin_survey();
    if (limits.background) {
      return std::function<void(Catalog&)>(
          [&work, survey](Catalog& catalog) { work.surveyed = survey_files(catalog, survey); });
    }
    work.survey = TRY(survey_files(*catalog_, survey));
    planned = TRY(plan_from_survey(limits));
  }
  if (!planned) return std::function<void(Catalog&)>();
  return std::function<void(Catalog&)>([&work](Catalog& catalog) {
    if (work.merge) {
      work.merged = write_merge(catalog, *work.merge);
    } else {
      work.moved_deletes = write_moved_deletes(catalog, *work.deletes);
    }
  });
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
  if (work.deletes) return finish_deletes();
  if (work.surveyed) {
    work.survey = TRY(*std::exchange(work.surveyed, std::nullopt));
    return CompactionStep{.state = CompactionState::kDone, .table = {}};
  }
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
  // SQLite gives places anew once the rows behind them are gone.
  compaction_->looked_at[flushed.table.inlined] =
      std::min(flushed.last_place, TRY(newest_place(*catalog_, flushed.table)));
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
