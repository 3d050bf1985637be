// The part of a commit that changes the columns of tables.
#include "hub/hub_over_ducklake.h"
#include "hub/table_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lockstep {

namespace {

// Whether the rows that are there are written anew. DuckDB 1.5.5 looks for a value only in files
// that name its bucket, and so passes over files from before there were any.
bool rewrites(const Alteration& alteration) {
  const Partitioning& partition = alteration.after.partition;
  const bool is_other = partition.id != alteration.before.partition.id;
  return alteration.widens || (is_other && partition.has_buckets());
}

}  // namespace

Result<void> HubOverDuckLake::plan_alterations(const CommitRequest& request, CommitPlan& plan) {
  for (const TableAlteration& wanted : request.alter) {
    const TableName& name = wanted.after.name;
    const auto of_name = [&](const auto& entry) { return entry.after.definition.name == name; };
    const bool dropped =
        std::find(request.drop.begin(), request.drop.end(), name) != request.drop.end();
    if (dropped) return invalid(fmt::format("{} is dropped and altered", table_text(name)));
    const auto& entries = plan.altered->entries();
    if (std::any_of(entries.begin(), entries.end(), [&](const AlteredTables::Entry& entry) {
          return of_name(entry.alteration);
        })) {
      return invalid(fmt::format("{} is altered twice in one commit", table_text(name)));
    }
    TableState* state = TRY(indexed_table(name));
    const int free_id = TRY(free_column_id(*catalog_, state->lake.id));
    Alteration alteration = TRY(plan_alteration(state->lake, wanted, plan.next, free_id));
    if (!alteration.changes_table()) continue;
    plan.note.changes_made += fmt::format(
        "{}altered_table:{}", plan.note.changes_made.empty() ? "" : ",", state->lake.id);
    plan.altered->add(*state, std::move(alteration));
  }
  plan.changes = request.changes;
  for (AlteredTables::Entry& entry : plan.altered->entries()) {
    if (rewrites(entry.alteration)) TRY(plan_rewrite(entry, plan));
  }
  return {};
}

// Every row is an update to its own content, in the new types. Rows that the commit changes anyway
// are its business.
Result<void> HubOverDuckLake::plan_rewrite(AlteredTables::Entry& entry, CommitPlan& plan) {
  const LakeTable& table = entry.table->lake;
  TableChange* change = nullptr;
  for (TableChange& candidate : plan.changes) {
    if (candidate.table == table.definition.name) change = &candidate;
  }
  if (change == nullptr) {
    plan.changes.push_back({table.definition.name, Batch::empty(table.definition.schema)});
    change = &plan.changes.back();
  }
  std::set<std::string> changed;
  for (std::int64_t row = 0; row < change->rows.row_count(); ++row)
    changed.insert(encode_key(change->rows, table.key, row));
  std::vector<Batch> parts = {change->rows};
  const auto scan = TRY(open_scan(*catalog_, *files_, table, latest_.id, {}));
  while (const auto batch = TRY(scan->next())) {
    std::vector<std::int64_t> kept;
    for (std::int64_t row = 0; row < batch->row_count(); ++row) {
      if (!changed.contains(encode_key(*batch, table.key, row))) kept.push_back(row);
    }
    const Batch rows = batch->select_rows(kept);
    entry.rewritten += rows.row_count();
    parts.push_back(rows.with_all_signs(-1));
    parts.push_back(rows);
  }
  change->rows =
      TRY_IN(concatenate(table.definition.schema, parts), table_text(table.definition.name) + ": ");
  return {};
}

Result<void> HubOverDuckLake::apply_alterations(const CommitPlan& plan) {
  for (const AlteredTables::Entry& entry : plan.altered->entries()) {
    const Alteration& alteration = entry.alteration;
    TRY(apply_alteration(*catalog_, alteration, entry.table->statistics, plan.next));
    if (!alteration.renames_key) continue;
    TRY(records_->put_table_key(alteration.after.id, alteration.after.definition.key));
  }
  return {};
}

}  // namespace lockstep
