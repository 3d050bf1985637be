// Foreign commits: the snapshots that another program made after the newest of ours, and what has
// to hold before Lockstep takes them for its own (hub-9).
#include "hub/compaction.h"
#include "hub/hub_over_ducklake.h"
#include "hub/table_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <unordered_map>
#include <vector>

namespace lockstep {

namespace {

// `inserted_into_table:7`, as a snapshot says of itself what it changed.
struct ChangeMade {
  std::string verb;
  std::int64_t table_id = -1;  // -1: it names no table by its id
};

std::vector<ChangeMade> changes_made(std::string_view text) {
  std::vector<ChangeMade> out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view change = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::size_t colon = change.find(':');
    if (colon == std::string_view::npos) continue;  // a piece of a quoted name
    ChangeMade made{std::string(change.substr(0, colon)), -1};
    const std::string_view object = change.substr(colon + 1);
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(object.data(), object.data() + object.size(), id);
    if (error == std::errc() && end == object.data() + object.size()) made.table_id = id;
    out.push_back(std::move(made));
  }
  return out;
}

bool changes_rows(const ChangeMade& change) {
  constexpr std::array<std::string_view, 4> kVerbs = {
      "inserted_into_table", "deleted_from_table", "inlined_insert", "inlined_delete"};
  return std::find(kVerbs.begin(), kVerbs.end(), change.verb) != kVerbs.end();
}

Result<std::vector<ChangeMade>> changes_since(Catalog& catalog, std::int64_t own) {
  Statement* rows = TRY(
      catalog.cached("SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id > ?"));
  rows->bind_integer(0, own);
  std::vector<ChangeMade> made;
  while (TRY(rows->step())) {
    for (ChangeMade& change : changes_made(rows->text(0)))
      made.push_back(std::move(change));
  }
  rows->reset();
  return made;
}

// Rows may lie elsewhere now, and files that held them are gone from the catalog.
bool moves_rows(const ChangeMade& change) {
  constexpr std::array<std::string_view, 5> kVerbs = {
      "inline_flush", "flushed_inlined", "merge_adjacent", "rewrite_delete", "compacted_table"};
  return std::find(kVerbs.begin(), kVerbs.end(), change.verb) != kVerbs.end();
}

// ducklake_rewrite_data_files narrows a table's statistics to the newest rows, while older
// snapshots are pruned by the same statistics (hub-4). NULL would not do: DuckDB's next commit
// takes it for a table without values, and writes the bounds of its own rows.
Result<void> widen_rewritten(Catalog& catalog,
                             const std::vector<ChangeMade>& made,
                             const TableStates& states) {
  const auto transaction = TRY(catalog.begin());
  for (const auto& [name, state] : states) {
    const std::int64_t id = state->lake.id;
    const bool rewritten = std::any_of(made.begin(), made.end(), [id](const ChangeMade& change) {
      return change.table_id == id && change.verb == "rewrite_delete";
    });
    if (!rewritten) continue;
    const TableStatistics before = TRY(load_statistics(catalog, state->lake));
    TableStatistics widest = before;
    for (std::size_t column = 0; column < widest.columns.size(); ++column) {
      if (widest.columns[column].known)
        widest.columns[column] = widest_bounds(state->lake.columns[column].field.type);
    }
    TRY(store_statistics(catalog, state->lake, before, widest));
  }
  return transaction->commit();
}

void count_changes(const Batch& change, std::span<const int> key, CommitRecord& record) {
  std::unordered_map<std::string, int> seen;  // bit 0: left, bit 1: entered
  for (std::int64_t row = 0; row < change.row_count(); ++row)
    seen[encode_key(change, key, row)] |= change.sign(row) < 0 ? 1 : 2;
  for (const auto& [bytes, bits] : seen) {
    record.deleted += bits == 1 ? 1 : 0;
    record.inserted += bits == 2 ? 1 : 0;
    record.updated += bits == 3 ? 1 : 0;
  }
}

std::string span_text(std::int64_t own, std::int64_t newest) {
  if (newest == own + 1) return fmt::format("the foreign snapshot {}", newest);
  return fmt::format("the foreign snapshots {} to {}", own + 1, newest);
}

}  // namespace

Error HubOverDuckLake::foreign_commit_error(std::int64_t newest, std::int64_t own) const {
  return make_error(Code::kRefused,
                    fmt::format("snapshot {} of {} is a foreign commit: the last of ours is {}",
                                newest,
                                paths_.catalog,
                                own),
                    paths_.foreign == ForeignCommits::kAdopt
                        ? "run the command again: it adopts what came meanwhile"
                        : "set foreign: adopt under hub, or restore the catalog from before it");
}

Error HubOverDuckLake::refused_foreign(std::int64_t own, const std::string& why) const {
  return make_error(
      Code::kRefused,
      fmt::format("{} of {}: {}", span_text(own, latest_.id), paths_.catalog, why),
      fmt::format("undo it with the program that did it (snapshot {} has what was there before), "
                  "or restore the catalog from before it",
                  own));
}

Result<std::int64_t> HubOverDuckLake::newest_own_snapshot() {
  const Cell newest = TRY(catalog_->single("SELECT max(snapshot_id) FROM lockstep_commit"));
  const auto* id = std::get_if<std::int64_t>(&newest);
  if (id == nullptr) return make_error(Code::kCorrupt, "the catalog has no commit with a snapshot");
  return *id;
}

Result<bool> HubOverDuckLake::has_foreign_commits() {
  const std::int64_t newest = (TRY(newest_snapshot(*catalog_))).id;
  return newest != TRY(newest_own_snapshot());
}

Result<std::vector<CommitRecord>> HubOverDuckLake::foreign_commits() {
  TRY(check_writable());
  foreign_count_ = 0;
  const std::int64_t own = TRY(newest_own_snapshot());
  if ((TRY(newest_snapshot(*catalog_))).id == own) return std::vector<CommitRecord>();
  TRY(check_lake_version(*catalog_));
  const std::vector<ChangeMade> made = TRY(changes_since(*catalog_, own));
  drop_compaction();  // what it has read may have changed
  TRY(load_states());
  TRY(widen_rewritten(*catalog_, made, states_));
  if (std::any_of(made.begin(), made.end(), moves_rows)) index_folder_->keep_tables({});
  const Cell kept =
      TRY(catalog_->single("SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", {own}));
  if (std::holds_alternative<std::monostate>(kept)) {
    return refused_foreign(
        own, fmt::format("snapshot {} has expired, so what they changed is not known", own));
  }
  TRY(check_foreign(own));
  std::vector<CommitRecord> commits = TRY(read_foreign(own));
  foreign_count_ = static_cast<std::int64_t>(commits.size());
  return commits;
}

Result<std::vector<CommitRecord>> HubOverDuckLake::read_foreign(std::int64_t own) {
  Statement* rows = TRY(catalog_->cached(
      "SELECT s.snapshot_id, s.snapshot_time, c.changes_made, c.commit_message FROM "
      "ducklake_snapshot s LEFT JOIN ducklake_snapshot_changes c ON c.snapshot_id = s.snapshot_id "
      "WHERE s.snapshot_id > ? ORDER BY s.snapshot_id"));
  rows->bind_integer(0, own);
  std::vector<CommitRecord> commits;
  std::vector<std::string> changes;
  const auto newest = TRY(records_->newest_commit());
  Timestamp last = newest ? newest->time : Timestamp{};
  while (TRY(rows->step())) {
    CommitRecord record;
    record.snapshot = SnapshotId{rows->integer(0)};
    const auto time = parse_value(rows->text(1), Type::kTimestamp);
    if (!time.ok()) {
      rows->reset();
      return time.error();
    }
    record.time = std::max(std::get<Timestamp>(time.value()), Timestamp{last.us + 1});
    last = record.time;
    changes.emplace_back(rows->text(2));
    record.message = rows->is_null(3) ? changes.back() : std::string(rows->text(3));
    commits.push_back(std::move(record));
  }
  rows->reset();
  for (std::size_t index = 0; index < commits.size(); ++index)
    TRY(describe_foreign(changes[index], commits[index]));
  return commits;
}

// Which kind a foreign commit is, and how many rows of raw it changed.
Result<void> HubOverDuckLake::describe_foreign(const std::string& changes, CommitRecord& record) {
  record.kind = CommitKind::kMaintenance;
  const std::int64_t at = number(*record.snapshot);
  for (const auto& [name, state] : states_) {
    const LakeTable& table = state->lake;
    if (name.layer != Layer::kRaw || table.begin >= at) continue;
    const std::vector<ChangeMade> made = changes_made(changes);
    const bool touched = std::any_of(made.begin(), made.end(), [&](const ChangeMade& change) {
      return change.table_id == table.id && changes_rows(change);
    });
    if (!touched) continue;
    record.kind = CommitKind::kForeign;
    // What came and went again may be what no column of ours holds: then nobody counts it.
    const auto change = changes_of(table, at - 1, at);
    if (change.ok()) count_changes(change.value(), table.key, record);
  }
  return {};
}

// Tables stand as they stood, clean, train and rejected hold what they held, and raw has each key
// once: else what follows from raw could not be said.
Result<void> HubOverDuckLake::check_foreign(std::int64_t own) {
  const std::vector<TableRecord> records = TRY(records_->tables());
  for (const LakeTable& before : TRY(load_tables(*catalog_, records, own))) {
    const TableName& name = before.definition.name;
    const auto after = states_.find(name);
    if (after == states_.end() || after->second->lake.id != before.id)
      return refused_foreign(own, fmt::format("{} was dropped or renamed", table_text(name)));
    const LakeTable& table = after->second->lake;
    if (table.definition != before.definition)
      return refused_foreign(own, fmt::format("{} got other columns", table_text(name)));
    auto change = changes_of(table, own, latest_.id);
    if (!change.ok()) return refused_foreign(own, change.error().message);
    if (change.value().row_count() == 0) continue;
    if (name.layer != Layer::kRaw) {
      return refused_foreign(
          own,
          fmt::format("{} changed, which follows from raw: only rows of raw can be adopted",
                      table_text(name)));
    }
    TRY(check_foreign_keys(own, table, change.value()));
  }
  return {};
}

Result<void> HubOverDuckLake::check_foreign_keys(std::int64_t own,
                                                 const LakeTable& table,
                                                 const Batch& change) {
  std::unordered_map<std::string, int> rows_of_key;  // of the keys that entered
  for (std::int64_t row = 0; row < change.row_count(); ++row) {
    if (change.sign(row) > 0) rows_of_key[encode_key(change, table.key, row)] = 0;
  }
  if (rows_of_key.empty()) return {};
  const auto scan =
      TRY(open_scan(*catalog_, *files_, table, latest_.id, {.columns = table.definition.key}));
  std::vector<int> key(table.key.size());
  for (std::size_t part = 0; part < key.size(); ++part)
    key[part] = static_cast<int>(part);
  while (const auto batch = TRY(scan->next())) {
    for (std::int64_t row = 0; row < batch->row_count(); ++row) {
      const auto found = rows_of_key.find(encode_key(*batch, key, row));
      if (found == rows_of_key.end() || ++found->second == 1) continue;
      return refused_foreign(own,
                             fmt::format("{} has more than one row with {}",
                                         table_text(table.definition.name),
                                         key_text(*batch, key, row)));
    }
  }
  return {};
}

}  // namespace lockstep
