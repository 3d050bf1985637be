#include "hub/commit_plan.h"

#include "table/columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

// The rows of a batch by key: at most one of each sign.
struct KeyRows {
  std::int64_t leaving = -1;
  std::int64_t entering = -1;
};

Error violation(const TableState& table,
                const Batch& rows,
                std::int64_t row,
                std::string_view what) {
  return invalid(fmt::format("{}: {} {}",
                             table_text(table.lake.definition.name),
                             key_text(rows, table.lake.key, row),
                             what));
}

using RowsOfKeys = std::unordered_map<std::string_view, KeyRows>;

Result<RowsOfKeys> rows_of_keys(const TableState& table,
                                const Batch& rows,
                                const std::vector<std::string>& keys) {
  RowsOfKeys found;
  found.reserve(keys.size());
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    KeyRows& of_key = found[keys[static_cast<std::size_t>(row)]];
    std::int64_t& slot = rows.sign(row) < 0 ? of_key.leaving : of_key.entering;
    if (slot >= 0) {
      return violation(
          table,
          rows,
          row,
          rows.sign(row) < 0 ? "leaves twice in one commit" : "enters twice in one commit");
    }
    slot = row;
  }
  return found;
}

void plan_leaving(const RowPlace& place, TablePlan& plan) {
  if (place.is_inlined()) {
    plan.ended_inlined.push_back(place.row_id);
  } else {
    plan.deleted.emplace_back(place.file_id, place.position);
  }
}

// A file that loses all its rows at once ends as a whole, as DuckDB does it. One that lost some
// before does not: DuckDB's change feed would tell of those deletes a second time.
void plan_ended_files(TablePlan& plan) {
  std::map<std::int64_t, std::int64_t> leaving;
  for (const auto& [file, position] : plan.deleted)
    ++leaving[file];
  const auto ends = [&](std::int64_t file) {
    const std::int64_t row_count = plan.table->files.at(file).row_count;
    LOCKSTEP_ASSERT(leaving.at(file) <= row_count, "hub: more rows leave a file than it has");
    return leaving.at(file) == row_count;
  };
  for (const auto& [file, count] : leaving) {
    if (ends(file)) plan.ended_files.push_back(file);
  }
  std::erase_if(plan.deleted, [&](const auto& deleted) { return ends(deleted.first); });
}

// A load: rows that enter under keys that nobody had.
Result<bool> plan_new_rows(TablePlan& plan, std::vector<std::string>& keys) {
  TableState& table = *plan.table;
  const Batch& rows = *plan.rows;
  if (!std::ranges::all_of(rows.signs(), [](std::int8_t sign) { return sign > 0; })) return false;
  if (!surely_distinct(rows, table.lake.key)) return false;
  if (table.row_count > 0) {
    const FoundPlaces places = TRY(table.index.find_all(keys));
    if (std::ranges::any_of(places, [](const auto& place) { return place.has_value(); }))
      return false;
  }
  plan.entering.reserve(keys.size());
  for (std::int64_t row = 0; row < rows.row_count(); ++row)
    plan.entering.emplace_back(row, plan.next_row_id++);
  plan.inserted = rows.row_count();
  plan.entering_keys = std::move(keys);
  return true;
}

// Row ids: an updated row keeps its own, a new one takes the next.
Result<void> plan_rows(TablePlan& plan, std::vector<std::string>& keys) {
  const TableState& table = *plan.table;
  const Batch& rows = *plan.rows;
  if (TRY(plan_new_rows(plan, keys))) return {};
  const RowsOfKeys of_keys = TRY(rows_of_keys(table, rows, keys));
  const FoundPlaces places = TRY(plan.table->index.find_all(keys));
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    std::string& key = keys[static_cast<std::size_t>(row)];
    const KeyRows& pair = of_keys.at(key);
    const std::optional<RowPlace>& place = places[static_cast<std::size_t>(row)];
    if (rows.sign(row) < 0) {
      if (!place) return violation(table, rows, row, "is to leave, but is not there");
      plan_leaving(*place, plan);
      ++(pair.entering >= 0 ? plan.updated : plan.removed);
      if (pair.entering < 0) plan.leaving_keys.push_back(key);
    } else {
      if (place && pair.leaving < 0)
        return violation(table, rows, row, "is to enter, but is there already");
      plan.entering.emplace_back(row, place ? place->row_id : plan.next_row_id++);
      plan.inserted += place ? 0 : 1;
      plan.entering_keys.push_back(key);
    }
  }
  return {};
}

}  // namespace

Result<TablePlan> plan_table(TableState& table, const Batch& rows, const PlanLimits& limits) {
  LOCKSTEP_ASSERT(table.indexed, "hub: a table is planned before it is indexed");
  const TableDefinition& definition = table.lake.definition;
  if (rows.schema() != definition.schema) {
    return invalid(
        fmt::format("{}: the rows have other columns than the table", table_text(definition.name)));
  }
  TablePlan plan;
  plan.table = &table;
  plan.rows = &rows;
  plan.first_row_id = table.statistics.next_row_id;
  plan.next_row_id = plan.first_row_id;
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(rows.row_count()));
  for (std::int64_t row = 0; row < rows.row_count(); ++row)
    keys.push_back(encode_key(rows, table.lake.key, row));
  TRY(plan_rows(plan, keys));
  plan_ended_files(plan);
  if (static_cast<std::int64_t>(plan.entering.size()) > limits.inline_rows_max) {
    TRY(plan_files(plan));
  }
  return plan;
}

void append_changes_made(const TablePlan& plan, std::string& changes_made) {
  const auto add = [&](const char* verb) {
    changes_made +=
        fmt::format("{}{}:{}", changes_made.empty() ? "" : ",", verb, plan.table->lake.id);
  };
  if (!plan.files.empty()) add("inserted_into_table");
  if (!plan.ended_files.empty()) add("deleted_from_table");
  if (plan.files.empty() && !plan.entering.empty()) add("inlined_insert");
  if (!plan.deleted.empty() || !plan.ended_inlined.empty()) add("inlined_delete");
}

void publish(const TablePlan& plan, TableStatistics after, std::span<const DataFile> files) {
  TableState& table = *plan.table;
  table.statistics = std::move(after);
  table.has_inlined_deletes = table.has_inlined_deletes || !plan.deleted.empty();
  table.ordered.follow(table.lake, *plan.rows);
  for (const std::string& key : plan.leaving_keys)
    table.index.erase(key);
  for (const std::int64_t file_id : plan.ended_files)
    table.files.erase(file_id);
  for (const DataFile& file : files)
    table.files[file.id] = file;
  table.row_count += plan.inserted - plan.removed;
  if (!plan.files.empty()) {
    std::vector<std::int64_t> row_ids;
    row_ids.reserve(plan.entering.size());
    for (const auto& [row, row_id] : plan.entering)
      row_ids.push_back(row_id);
    const std::span<const std::string> keys = plan.entering_keys;
    for (const PlannedFile& file : plan.files) {
      table.index.add_file(
          {.file_id = file.id,
           .keys = keys.subspan(file.first, file.count),
           .row_ids = std::span<const std::int64_t>(row_ids).subspan(file.first, file.count)});
    }
    return;
  }
  for (std::size_t index = 0; index < plan.entering.size(); ++index) {
    table.index.set(plan.entering_keys[index], {.row_id = plan.entering[index].second});
  }
}

}  // namespace lockstep
