// Loads through the hub: stages, and the commit that ends them.
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

// A load that was left belongs to the snapshot it began at.
Result<void> HubOverDuckLake::discard_stale_load() {
  const auto left = TRY(read_load_journal(io_, load_journal_path(paths_.data)));
  if (left && left->snapshot == latest_.id) return {};
  return discard_load(io_, *catalog_, paths_.data);
}

// Its files take ids that no merge which is underway has.
LoadGround HubOverDuckLake::load_ground() {
  LoadGround ground{io_, *files_, latest_};
  ground.base.next_file_id = std::max(latest_.next_file_id, next_free_file_id_);
  return ground;
}

Result<void> HubOverDuckLake::stage(const std::string& load,
                                    const std::vector<TableChange>& changes,
                                    const std::string& note) {
  TRY(check_writable());
  LOCKSTEP_ASSERT(!note.empty(), "hub: a stage has no note");
  if (!load_) {
    TRY(discard_load(io_, *catalog_, paths_.data));
    load_ = TRY(Load::begin(load_ground(), load));
  }
  return stage_changes(changes, note);
}

Result<void> HubOverDuckLake::stage_changes(const std::vector<TableChange>& changes,
                                            const std::string& note) {
  std::vector<std::pair<TableState*, Batch>> tables;
  for (const TableChange& change : changes)
    tables.emplace_back(TRY(indexed_table(change.table)), change.rows);
  // Half of a stage in the indexes is neither the state before it nor the one after.
  broken_ = true;
  TRY(load_->stage(tables, note));
  broken_ = false;
  return {};
}

// Whether every file of it is there as it was written: `repair` takes away what no snapshot names.
bool HubOverDuckLake::has_all_pieces(const LoadJournalContent& load) {
  for (const LoadStage& stage : load.stages) {
    for (const LoadPart& part : stage.parts) {
      const auto table = std::ranges::find_if(
          states_, [&](const auto& state) { return state.second->lake.id == part.table_id; });
      if (table == states_.end()) return false;
      for (const WrittenFile& file : part.files) {
        const auto found = io_.info(paths_.data + table->second->lake.folder + file.name);
        if (!found.ok() || found.value().size_bytes != file.info.size_bytes) return false;
      }
    }
  }
  return true;
}

Result<std::optional<StagedLoad>> HubOverDuckLake::left_load(const std::string& load) {
  TRY(check_writable());
  LOCKSTEP_ASSERT(!load_, "hub: a load is looked for while one is under way");
  left_load_.reset();
  auto left = TRY(read_load_journal(io_, load_journal_path(paths_.data)));
  if (!left) return std::optional<StagedLoad>();
  // A merge that is underway may have taken the ids of its files.
  const bool has_ids = next_free_file_id_ <= latest_.next_file_id;
  const bool fits =
      has_ids && left->snapshot == latest_.id && left->name == load && !left->stages.empty();
  if (!fits) return std::optional<StagedLoad>();
  if (!has_all_pieces(*left)) {
    TRY(discard_load(io_, *catalog_, paths_.data));
    return std::optional<StagedLoad>();
  }
  left_load_ = std::move(left);
  return std::optional<StagedLoad>(StagedLoad{static_cast<std::int64_t>(left_load_->stages.size()),
                                              left_load_->stages.back().note});
}

Result<void> HubOverDuckLake::resume_load() {
  TRY(check_writable());
  LOCKSTEP_ASSERT(left_load_ && left_load_->snapshot == latest_.id, "hub: no load to go on with");
  TRY(remove_pieces(io_, *catalog_, paths_.data, *left_load_, true));
  const auto find = [this](std::int64_t table_id) -> Result<TableState*> {
    for (const auto& [name, state] : states_) {
      if (state->lake.id == table_id) return indexed_table(name);
    }
    return make_error(Code::kCorrupt,
                      fmt::format("the journal of a load names no table {}", table_id));
  };
  for (const auto& [name, state] : states_)
    state->ordered.close();  // the next question finds the rows of the load too
  broken_ = true;
  load_ = TRY(Load::resume(load_ground(), std::move(*left_load_), find));
  left_load_.reset();
  broken_ = false;
  return {};
}

Result<bool> HubOverDuckLake::has_rows(const TableName& table) {
  TRY(check_writable());
  return TRY(indexed_table(table))->row_count > 0;
}

std::int64_t HubOverDuckLake::staged_count() const {
  return load_ ? static_cast<std::int64_t>(load_->stages().size()) : 0;
}

Result<Batch> HubOverDuckLake::staged(const TableName& table, std::int64_t stage) {
  LOCKSTEP_ASSERT(stage < staged_count(), "hub: no such stage");
  TRY(load_->settle());
  return load_->staged(TRY(require_table(table, latest_snapshot())),
                       static_cast<std::size_t>(stage));
}

Result<Committed> HubOverDuckLake::commit_load(const CommitRequest& request) {
  LOCKSTEP_ASSERT(!in_group_, "hub-11: a load ends within a group");
  if (!request.create.empty() || !request.drop.empty() || !request.alter.empty())
    return invalid("a commit that ends a load can neither create nor drop a table");
  if (!request.changes.empty()) TRY(stage_changes(request.changes, {}));
  // From here on the indexes are those of after the commit, whatever becomes of it.
  broken_ = true;
  CommitRequest rest = request;
  rest.changes.clear();
  CommitPlan plan = TRY(this->plan(rest));
  TRY(load_->finish());
  for (const LoadedTable& loaded : load_->tables()) {
    const TableName& name = loaded.plan.table->lake.definition.name;
    append_changes_made(loaded.plan, plan.note.changes_made);
    if (name.layer == Layer::kRaw) {
      plan.record.inserted += loaded.plan.inserted;
      plan.record.updated += loaded.plan.updated;
      plan.record.deleted += loaded.plan.removed;
    }
    if (name.layer == Layer::kRejected)
      plan.record.rejected += loaded.plan.inserted - loaded.plan.removed;
  }
  // A load of rows that were all there already is a commit without a snapshot. One whose rows all
  // left again has one, since its models have versions of it.
  plan.makes_snapshot = !load_->tables().empty();
  if (plan.makes_snapshot) plan.record.snapshot = SnapshotId{plan.next.id};
  plan.next.next_file_id = load_->next_file_id();
  Result<void> applied = open_transaction();
  if (applied.ok()) applied = apply(rest, plan, {}, {});
  if (!applied.ok()) {
    roll_back();
    return std::move(applied).error();
  }
  ++applied_;
  TRY(make_durable());
  load_->publish();
  // What is left behind is taken away by the next writer.
  static_cast<void>(load_->end());
  load_.reset();
  const Committed committed{plan.record.id, plan.record.snapshot, plan.record.time};
  publish_commit(std::move(plan), {}, {});
  settle_indexes();
  return committed;
}

}  // namespace lockstep
