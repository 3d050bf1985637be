#include "base/thread.h"
#include "hub/hub_over_ducklake.h"
#include "hub/lake_join.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

// Of all tables together: then their files are written, and synced, side by side.
constexpr std::int64_t kThreadRowsMin = 3'000;

}  // namespace

Result<void> HubOverDuckLake::check_writable() const {
  if (mode_ != HubMode::kWrite) return invalid("this hub was opened for reading");
  return check_sound();
}

Result<void> HubOverDuckLake::check_sound() const {
  if (!broken_) return {};
  return make_error(Code::kIo,
                    "an earlier commit failed in its last step",
                    "open the hub anew: what was committed shows then");
}

Result<void> HubOverDuckLake::plan_definitions(const CommitRequest& request, CommitPlan& plan) {
  for (const TableName& name : request.drop) {
    const auto found = states_.find(name);
    if (found == states_.end()) {
      return make_error(Code::kNotFound,
                        fmt::format("there is no table {} to drop", table_text(name)));
    }
    plan.drops.push_back(found->second->lake);
    plan.note.changes_made += fmt::format(
        "{}dropped_table:{}", plan.note.changes_made.empty() ? "" : ",", found->second->lake.id);
  }
  for (const TableDefinition& definition : request.create) {
    const bool dropped =
        std::find(request.drop.begin(), request.drop.end(), definition.name) != request.drop.end();
    const bool twice =
        std::any_of(plan.created.begin(), plan.created.end(), [&](const auto& other) {
          return other->lake.definition.name == definition.name;
        });
    if (twice || (states_.contains(definition.name) && !dropped)) {
      return invalid(fmt::format("there is a table {} already", table_text(definition.name)));
    }
    if (!states_.contains(definition.name)) TRY(refuse_name_of_others(*catalog_, definition.name));
    if (definition.key.empty())
      return invalid(fmt::format("{} has no key", table_text(definition.name)));
    TRY_IN(check_column_names(definition.schema), table_text(definition.name) + ": ");
    auto state = std::make_unique<TableState>();
    state->lake = TRY(plan_lake_table(definition, plan.next));
    attach_index(*state);
    state->indexed = true;
    state->statistics.columns.resize(state->lake.columns.size());
    plan.note.changes_made += fmt::format("{}created_table:{}",
                                          plan.note.changes_made.empty() ? "" : ",",
                                          quoted_table(definition.name));
    plan.created.push_back(std::move(state));
  }
  return {};
}

Result<void> HubOverDuckLake::plan_rows(const CommitRequest& request, CommitPlan& plan) {
  for (const TableChange& change : plan.changes) {
    TableState* state = nullptr;
    for (const auto& created : plan.created) {
      if (created->lake.definition.name == change.table) state = created.get();
    }
    if (state == nullptr) state = TRY(indexed_table(change.table));
    for (const TablePlan& other : plan.tables) {
      if (other.table == state)
        return invalid(fmt::format("{} is changed twice in one commit", table_text(change.table)));
    }
    for (const LakeTable& dropped : plan.drops) {
      if (dropped.id == state->lake.id)
        return invalid(fmt::format("{} is dropped and changed", table_text(change.table)));
    }
    if (change.rows.row_count() == 0) continue;
    TablePlan table =
        TRY(plan_table(*state, change.rows, {.inline_rows_max = options_.inline_rows_max}));
    // Every insert takes a file id, inlined or not: DuckDB's statistics cache goes by next_file_id.
    for (PlannedFile& file : table.files) {
      file.id = plan.next.next_file_id++;
      file.name = fmt::format("lockstep-{}.parquet", random_uuid(io_));
    }
    if (table.files.empty() && !table.entering.empty()) ++plan.next.next_file_id;
    append_changes_made(table, plan.note.changes_made);
    // The rows of raw that a foreign commit changed are counted there.
    if (change.table.layer == Layer::kRaw && request.kind != CommitKind::kForeign) {
      plan.record.inserted += table.inserted;
      plan.record.updated += table.updated - plan.altered->rewritten(state);
      plan.record.deleted += table.removed;
    }
    if (change.table.layer == Layer::kRejected)
      plan.record.rejected += table.inserted - table.removed;
    plan.tables.push_back(std::move(table));
  }
  return {};
}

Result<CommitPlan> HubOverDuckLake::plan(const CommitRequest& request) {
  CommitPlan plan;
  plan.next = latest_;
  ++plan.next.id;
  plan.next.time = std::max(Timestamp{io_.now_us()}, Timestamp{last_time_.us + 1});
  plan.next.next_file_id = std::max(plan.next.next_file_id, next_free_file_id_);
  if (!request.drop.empty() || !request.create.empty() || !request.alter.empty())
    ++plan.next.schema_version;
  if (static_cast<std::int64_t>(request.adopt.size()) != foreign_count_)
    return foreign_commit_error(latest_.id, TRY(newest_own_snapshot()));
  plan.record.id = CommitId{number(next_commit_) + foreign_count_};
  plan.record.kind = request.kind;
  plan.record.time = plan.next.time;
  plan.record.source_time = request.source_time;
  plan.record.message = request.message;
  plan.note.message = request.message;
  plan.note.extra_info = models_json(request.versions);
  TRY(plan_definitions(request, plan));
  TRY(plan_alterations(request, plan));
  TRY(plan_rows(request, plan));
  plan.makes_snapshot = !plan.drops.empty() || !plan.created.empty() || !plan.tables.empty() ||
                        !plan.altered->entries().empty();
  if (plan.makes_snapshot) plan.record.snapshot = SnapshotId{plan.next.id};
  return plan;
}

Result<std::vector<WrittenFiles>> HubOverDuckLake::write_files(const CommitPlan& plan) {
  std::vector<std::optional<Result<WrittenFiles>>> written(plan.tables.size());
  std::vector<std::unique_ptr<Thread>> threads;
  std::size_t left = 0;
  std::int64_t row_count = 0;
  for (const TablePlan& table : plan.tables) {
    left += table.files.empty() ? 0 : 1;
    row_count += table.files.empty() ? 0 : static_cast<std::int64_t>(table.entering.size());
  }
  const bool side_by_side = row_count >= kThreadRowsMin && hardware_threads() > 1;
  for (std::size_t index = 0; index < plan.tables.size(); ++index) {
    if (plan.tables[index].files.empty()) continue;
    const auto write = [&, index] {
      written[index] = write_data_files(io_, paths_.data, plan.tables[index], plan.next.id);
    };
    if (side_by_side && --left > 0) {
      threads.push_back(std::make_unique<Thread>(write));
    } else {
      write();
    }
  }
  threads.clear();  // when they have ended
  std::vector<WrittenFiles> files(plan.tables.size());
  std::optional<Error> failure;
  for (std::size_t index = 0; index < files.size(); ++index) {
    if (!written[index]) continue;
    if (written[index]->ok()) {
      files[index] = std::move(*written[index]).value();
    } else if (!failure) {
      failure = written[index]->error();
    }
  }
  if (!failure) return files;
  remove_files(files);
  return std::move(*failure);
}

void HubOverDuckLake::remove_files(const std::vector<WrittenFiles>& files) {
  for (const WrittenFiles& of_table : files) {
    // The failure that led here is the one to tell; a file that stays behind costs space and is
    // named by no row.
    for (const WrittenFile& file : of_table)
      static_cast<void>(io_.remove(file.file.path));
  }
}

Result<void> HubOverDuckLake::apply_definitions(const CommitPlan& plan) {
  for (const LakeTable& table : plan.drops)
    TRY(drop_lake_table(*catalog_, table, plan.next.id));
  for (const auto& created : plan.created) {
    const LakeTable& table = created->lake;
    TRY(insert_lake_table(*catalog_, io_, table, plan.next));
    TRY(records_->insert_table({.table_id = table.id,
                                .layer = layer_name(table.definition.name.layer),
                                .dataset = table.definition.name.dataset,
                                .key = table.definition.key}));
  }
  return {};
}

Result<void> HubOverDuckLake::apply(const CommitRequest& request,
                                    const CommitPlan& plan,
                                    const std::vector<WrittenFiles>& files,
                                    const std::vector<TableStatistics>& after) {
  TRY(apply_definitions(plan));
  TRY(apply_alterations(plan));
  for (std::size_t index = 0; index < plan.tables.size(); ++index) {
    TRY(apply_table(*catalog_, plan.tables[index], files[index], plan.next.id));
    TRY(note_statistics(plan, plan.tables[index], after[index]));
  }
  if (load_) {
    for (const LoadedTable& loaded : load_->tables())
      TRY(apply_loaded(*catalog_, loaded, plan.next.id));
  }
  if (plan.makes_snapshot) TRY(insert_snapshot(*catalog_, plan.next, plan.note));
  for (const auto* records : {&request.add_overrides, &request.remove_overrides}) {
    for (const OverrideRecord& record : *records)
      overrides_.erase(record.dataset);
  }
  TRY(apply_records(*records_, late_, request, plan.record));
  return in_group_ ? Result<void>() : late_.tell(*records_);
}

void HubOverDuckLake::publish_commit(CommitPlan plan,
                                     const std::vector<WrittenFiles>& files,
                                     std::vector<TableStatistics> after) {
  plan.altered->keep();
  for (const AlteredTables::Entry& entry : plan.altered->entries())
    entry.table->ordered.follow_alteration(*ordered_folder_, entry.table->lake);
  for (std::size_t index = 0; index < plan.tables.size(); ++index) {
    publish(plan.tables[index], std::move(after[index]), data_files_of(files[index]));
  }
  for (const LakeTable& dropped : plan.drops)
    drop_state(dropped.definition.name);
  for (auto& created : plan.created) {
    const TableName name = created->lake.definition.name;
    states_[name] = std::move(created);
  }
  if (plan.makes_snapshot) latest_ = plan.next;
  foreign_count_ = 0;
  last_time_ = plan.record.time;
  next_commit_ = CommitId{number(plan.record.id) + 1};
}

Result<Committed> HubOverDuckLake::commit(const CommitRequest& request) {
  TRY(check_writable());
  if (load_) return commit_load(request);
  // An altered table is planned from what the catalog has of it.
  if (!request.alter.empty() || !request.drop.empty()) {
    if (Result<void> told = tell_statistics(); !told.ok()) {
      roll_back();
      return std::move(told).error();
    }
  }
  CommitPlan plan = TRY(this->plan(request));
  auto written = write_files(plan);
  if (!written.ok()) {
    roll_back();
    return std::move(written).error();
  }
  const auto files = std::move(written).value();
  std::vector<TableStatistics> after;
  for (std::size_t index = 0; index < plan.tables.size(); ++index) {
    after.push_back(statistics_after(plan.tables[index], files[index]));
  }
  for (const WrittenFiles& of_table : files) {
    for (const WrittenFile& file : of_table)
      unnamed_files_.push_back(file.file.path);
  }
  Result<void> applied = open_transaction();
  if (applied.ok()) applied = apply(request, plan, files, after);
  if (!applied.ok()) {
    roll_back();
    return std::move(applied).error();
  }
  ++applied_;
  if (!in_group_) TRY(make_durable());
  const Committed committed{plan.record.id, plan.record.snapshot, plan.record.time};
  publish_commit(std::move(plan), files, std::move(after));
  if (!in_group_) settle_indexes();
  return committed;
}

}  // namespace lockstep
