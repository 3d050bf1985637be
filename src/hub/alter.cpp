#include "hub/alter.h"

#include "hub/lake_layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

constexpr const char* kWayOut =
    "give the column another name, or make the table anew: drop and create it in one commit";

Error cannot_take(const LakeTable& table, const std::string& what) {
  return make_error(
      Code::kUnsupported, fmt::format("{}: {}", table_text(table.definition.name), what), kWayOut);
}

// The names of `after` by what they are called now; empty for new columns.
Result<std::vector<std::string>> old_names(const LakeTable& before, const TableAlteration& wanted) {
  std::vector<std::string> claimed;
  for (const auto& [name, old_name] : wanted.renamed) {
    TRY_IN(before.definition.schema.require(old_name),
           fmt::format("{}, to rename: ", table_text(before.definition.name)));
    TRY_IN(wanted.after.schema.require(name),
           fmt::format("{}, renamed: ", table_text(before.definition.name)));
    if (std::find(claimed.begin(), claimed.end(), old_name) != claimed.end()) {
      return invalid(
          fmt::format("{}: {} is renamed twice", table_text(before.definition.name), old_name));
    }
    claimed.push_back(old_name);
  }
  std::vector<std::string> names;
  for (const Field& field : wanted.after.schema.fields()) {
    const auto renamed = wanted.renamed.find(field.name);
    if (renamed != wanted.renamed.end()) {
      names.push_back(renamed->second);
    } else {
      const bool taken = std::find(claimed.begin(), claimed.end(), field.name) != claimed.end();
      names.push_back(taken || !before.definition.schema.index_of(field.name) ? std::string()
                                                                              : field.name);
    }
  }
  return names;
}

bool is_key(const LakeTable& table, int index) {
  return std::find(table.key.begin(), table.key.end(), index) != table.key.end();
}

Result<void> check_type(const LakeTable& before, int index, Type wanted) {
  const Field& field = before.columns[static_cast<std::size_t>(index)].field;
  if (field.type == wanted) return {};
  const std::string what = fmt::format(
      "column {} is {} and cannot become {}", field.name, type_name(field.type), type_name(wanted));
  if (is_key(before, index)) return cannot_take(before, what + ", since it is part of the key");
  if (field.type == Type::kInt && wanted == Type::kFloat) return {};
  return cannot_take(before, what);
}

// The same columns make the key, in the same order; their names may be others.
Result<void> check_key(const Alteration& alteration) {
  const LakeTable& before = alteration.before;
  const LakeTable& after = alteration.after;
  for (const int index : before.key) {
    const bool stays = std::find(alteration.source.begin(), alteration.source.end(), index) !=
                       alteration.source.end();
    if (!stays) {
      return cannot_take(before,
                         fmt::format("column {} is part of the key and cannot be dropped",
                                     before.columns[static_cast<std::size_t>(index)].field.name));
    }
  }
  bool same = before.key.size() == after.key.size();
  for (std::size_t part = 0; same && part < before.key.size(); ++part)
    same = alteration.source[static_cast<std::size_t>(after.key[part])] == before.key[part];
  return same ? Result<void>() : cannot_take(before, "its key cannot become another");
}

// Fills alteration.after.columns, and which rows of the catalog change for it.
void plan_columns(const LakeTable& before, const Schema& schema, int free_id, Alteration& out) {
  for (std::size_t index = 0; index < out.source.size(); ++index) {
    const Field& field = schema.field(static_cast<int>(index));
    if (out.source[index] < 0) {
      out.after.columns.push_back({field, free_id++, {}});
      continue;
    }
    const auto from = static_cast<std::size_t>(out.source[index]);
    ParquetColumn column = before.columns[from];
    const bool widens = column.field.type != field.type;
    const bool moves = from != index;
    if (widens || moves || column.field.name != field.name) out.ended.push_back(column.field_id);
    out.widens = out.widens || widens;
    if (const auto* whole = std::get_if<std::int64_t>(&column.missing); widens && whole != nullptr)
      column.missing = static_cast<double>(*whole);
    column.field = field;
    out.after.columns.push_back(std::move(column));
  }
  for (std::size_t from = 0; from < before.columns.size(); ++from) {
    const bool stays =
        std::find(out.source.begin(), out.source.end(), static_cast<int>(from)) != out.source.end();
    if (!stays) out.ended.push_back(before.columns[from].field_id);
  }
}

// Ids of columns by which a table is sorted. The catalog names them, so that a new name counts.
std::vector<std::pair<int, std::string>> sort_of(const LakeTable& table) {
  std::vector<std::pair<int, std::string>> columns;
  for (const int index : table.sort) {
    const ParquetColumn& column = table.columns[static_cast<std::size_t>(index)];
    columns.emplace_back(column.field_id, column.field.name);
  }
  return columns;
}

Result<void> plan_new_layout(LakeSnapshot& next, Alteration& out) {
  std::int64_t next_id = next.next_catalog_id;
  TRY(plan_layout(out.after, next_id));
  // The bucket of a whole number is not that of the same number as float.
  const bool other_values = out.widens && !out.after.partition.empty();
  const bool partitions = other_values || !out.after.partition.same_as(out.before.partition);
  out.lays_out = partitions || sort_of(out.after) != sort_of(out.before);
  if (!partitions) out.after.partition.id = out.before.partition.id;
  if (out.lays_out) next.next_catalog_id = next_id;
  return {};
}

// A column that became float has no bounds from then on. DuckDB 1.5.5 takes the table's bounds for
// older snapshots too, where the column is whole: -inf, or 1e300, ends such a query by an error.
ColumnBounds widened(const ColumnBounds& bounds) {
  ColumnBounds none;
  none.known = bounds.known;
  none.has_null = bounds.has_null;
  none.has_nan = none.min_unknown = none.max_unknown = true;
  return none;
}

Result<void> apply_columns(Catalog& catalog, const Alteration& alteration, std::int64_t snapshot) {
  const LakeTable& after = alteration.after;
  Statement* end = TRY(catalog.cached(
      "UPDATE ducklake_column SET end_snapshot = ? WHERE table_id = ? AND column_id = ? AND "
      "end_snapshot IS NULL"));
  for (const int id : alteration.ended)
    TRY(end->run({snapshot, after.id, std::int64_t{id}}));
  Statement* changed = TRY(catalog.cached(
      "INSERT INTO ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, "
      "column_type, initial_default, default_value, nulls_allowed, parent_column, "
      "default_value_type, default_value_dialect) SELECT column_id, ?1, table_id, ?4, ?5, ?6, "
      "initial_default, default_value, nulls_allowed, parent_column, default_value_type, "
      "default_value_dialect FROM ducklake_column WHERE end_snapshot = ?1 AND table_id = ?2 AND "
      "column_id = ?3"));
  Statement* added = TRY(catalog.cached(
      "INSERT INTO ducklake_column(column_id, begin_snapshot, table_id, column_order, column_name, "
      "column_type, default_value, nulls_allowed, default_value_type, default_value_dialect) "
      "VALUES (?3, ?1, ?2, ?4, ?5, ?6, 'NULL', 1, 'literal', 'duckdb')"));
  for (std::size_t index = 0; index < after.columns.size(); ++index) {
    const ParquetColumn& column = after.columns[index];
    const bool is_new = alteration.source[index] < 0;
    const bool is_changed =
        std::find(alteration.ended.begin(), alteration.ended.end(), column.field_id) !=
        alteration.ended.end();
    if (!is_new && !is_changed) continue;
    Statement* begin = is_new ? added : changed;
    TRY(begin->run({snapshot,
                    after.id,
                    std::int64_t{column.field_id},
                    static_cast<std::int64_t>(index) + 1,
                    column.field.name,
                    std::string(lake_type(column.field.type))}));
  }
  return {};
}

}  // namespace

Result<Alteration> plan_alteration(const LakeTable& before,
                                   const TableAlteration& wanted,
                                   LakeSnapshot& next,
                                   int free_id) {
  const TableDefinition& definition = wanted.after;
  TRY_IN(check_column_names(definition.schema), table_text(definition.name) + ": ");
  Alteration out;
  out.before = before;
  out.after = before;
  out.after.begin = next.id;
  out.after.definition = definition;
  out.after.inlined = fmt::format("ducklake_inlined_data_{}_{}", before.id, next.schema_version);
  out.after.columns.clear();
  const std::vector<std::string> names = TRY(old_names(before, wanted));
  for (std::size_t index = 0; index < names.size(); ++index) {
    const auto found =
        names[index].empty() ? std::nullopt : before.definition.schema.index_of(names[index]);
    out.source.push_back(found.value_or(-1));
    if (found)
      TRY(check_type(before, *found, definition.schema.field(static_cast<int>(index)).type));
  }
  out.after.key = TRY_IN(definition.schema.require_all(definition.key),
                         fmt::format("the key of {}: ", table_text(definition.name)));
  TRY(check_key(out));
  out.renames_key = definition.key != before.definition.key;
  plan_columns(before, definition.schema, free_id, out);
  TRY(plan_new_layout(next, out));
  return out;
}

Result<void> check_alteration(const TableDefinition& before, const TableAlteration& alteration) {
  LakeSnapshot next;
  const LakeTable table = TRY(plan_lake_table(before, next));
  TRY(plan_alteration(table, alteration, next, table.columns.back().field_id + 1));
  return {};
}

Result<int> free_column_id(Catalog& catalog, std::int64_t table_id) {
  const Cell cell = TRY(
      catalog.single("SELECT max(column_id) FROM ducklake_column WHERE table_id = ?", {table_id}));
  const std::int64_t* highest = std::get_if<std::int64_t>(&cell);
  return highest == nullptr ? 1 : static_cast<int>(*highest) + 1;
}

TableStatistics altered_statistics(const Alteration& alteration, const TableStatistics& before) {
  TableStatistics after = before;
  after.columns.clear();
  for (std::size_t index = 0; index < alteration.source.size(); ++index) {
    if (alteration.source[index] < 0) {
      ColumnBounds bounds;
      bounds.has_null = before.stored;
      after.columns.push_back(bounds);
      continue;
    }
    const auto from = static_cast<std::size_t>(alteration.source[index]);
    const bool widens =
        alteration.before.columns[from].field.type != alteration.after.columns[index].field.type;
    after.columns.push_back(widens ? widened(before.columns[from]) : before.columns[from]);
  }
  return after;
}

Result<void> apply_alteration(Catalog& catalog,
                              const Alteration& alteration,
                              const TableStatistics& statistics,
                              const LakeSnapshot& next) {
  TRY(apply_columns(catalog, alteration, next.id));
  if (alteration.lays_out) {
    TRY(end_layout(catalog, alteration.after.id, next.id));
    TRY(insert_layout(catalog, alteration.after, next.id));
  }
  TRY(create_inlined_table(catalog, alteration.after, next));
  return store_altered_statistics(catalog, alteration.after, alteration.source, statistics);
}

AlteredTables::~AlteredTables() {
  if (kept_) return;
  for (Entry& entry : entries_) {
    entry.table->lake = std::move(entry.alteration.before);
    entry.table->statistics = std::move(entry.before);
  }
}

std::int64_t AlteredTables::rewritten(const TableState* table) const {
  for (const Entry& entry : entries_) {
    if (entry.table == table) return entry.rewritten;
  }
  return 0;
}

void AlteredTables::add(TableState& table, Alteration alteration) {
  TableStatistics after = altered_statistics(alteration, table.statistics);
  entries_.push_back({&table, std::move(alteration), std::move(table.statistics), 0});
  table.lake = entries_.back().alteration.after;
  table.statistics = std::move(after);
}

}  // namespace lockstep
