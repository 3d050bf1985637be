#include "hub/table_statistics.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace lockstep {

bool is_nan(const Value& value) {
  const double* number = std::get_if<double>(&value);
  return number != nullptr && std::isnan(*number);
}

namespace {

Cell text_or_null(const Value& value) {
  return is_null(value) ? Cell{} : Cell{value_text(value)};
}

// DuckDB orders NaN above all, but leaves it out of a maximum and then prunes `x = nan` by it.
Cell max_cell(const ColumnBounds& bounds) {
  return bounds.has_nan || bounds.max_unknown ? Cell{} : text_or_null(bounds.max);
}

Cell min_cell(const ColumnBounds& bounds) {
  return bounds.min_unknown ? Cell{} : text_or_null(bounds.min);
}

// nullopt: not known, or beyond what a column of ours holds (DuckDB's dates have infinities).
std::optional<Value> read_bound(const Statement& row, int index, Type type) {
  if (row.is_null(index)) return std::nullopt;
  Result<Value> value = parse_value(row.text(index), type);
  if (!value.ok()) return std::nullopt;
  return std::move(value).value();
}

Cell nan_cell(const LakeTable& table, std::size_t column, bool has_nan) {
  if (table.columns[column].field.type != Type::kFloat) return {};
  return std::int64_t{has_nan ? 1 : 0};
}

ColumnBounds read_bounds(const Statement& row, const ParquetColumn& column) {
  ColumnBounds bounds;
  bounds.has_null = row.is_null(0) || row.integer(0) != 0;
  // Unknown counts as there: too wide is right, too narrow is not.
  bounds.has_nan = column.field.type == Type::kFloat && (row.is_null(1) || row.integer(1) != 0);
  const std::optional<Value> min = read_bound(row, 2, column.field.type);
  const std::optional<Value> max = read_bound(row, 3, column.field.type);
  bounds.min = min.value_or(Value{});
  bounds.max = max.value_or(Value{});
  bounds.min_unknown = !min;
  bounds.max_unknown = !max;
  return bounds;
}

Result<ColumnBounds> load_bounds(Catalog& catalog,
                                 const LakeTable& table,
                                 const ParquetColumn& column) {
  Statement* row = TRY(catalog.cached(
      "SELECT contains_null, contains_nan, min_value, max_value FROM ducklake_table_column_stats "
      "WHERE table_id = ? AND column_id = ?"));
  row->bind_integer(0, table.id);
  row->bind_integer(1, column.field_id);
  if (!TRY(row->step())) {
    row->reset();
    ColumnBounds unknown;
    unknown.known = false;
    return unknown;
  }
  ColumnBounds bounds = read_bounds(*row, column);
  row->reset();
  return bounds;
}

Result<void> store_counts(Catalog& catalog,
                          const LakeTable& table,
                          const TableStatistics& after,
                          bool stored) {
  Statement* row = TRY(catalog.cached(stored ? "UPDATE ducklake_table_stats SET record_count = ?2, "
                                               "next_row_id = ?3, file_size_bytes = ?4 "
                                               "WHERE table_id = ?1"
                                             : "INSERT INTO ducklake_table_stats(table_id, "
                                               "record_count, next_row_id, file_size_bytes) "
                                               "VALUES (?1, ?2, ?3, ?4)"));
  return row->run({table.id, after.record_count, after.next_row_id, after.file_bytes});
}

}  // namespace

void ColumnBounds::widen(const Value& value) {
  if (is_null(value)) {
    has_null = true;
  } else if (is_nan(value)) {
    has_nan = true;
  } else {
    if (is_null(min) || value < min) min = value;
    if (is_null(max) || max < value) max = value;
  }
}

void ColumnBounds::widen(const ColumnBounds& other) {
  has_null = has_null || other.has_null;
  has_nan = has_nan || other.has_nan;
  if (!is_null(other.min)) widen(other.min);
  if (!is_null(other.max)) widen(other.max);
}

ColumnBounds widest_bounds(Type type) {
  ColumnBounds bounds;
  bounds.has_null = true;
  bounds.has_nan = type == Type::kFloat;
  switch (type) {
    case Type::kBool:
      bounds.min = false, bounds.max = true;
      break;
    case Type::kInt:
      bounds.min = std::numeric_limits<std::int64_t>::min();
      bounds.max = std::numeric_limits<std::int64_t>::max();
      break;
    case Type::kFloat:
      bounds.min = -std::numeric_limits<double>::infinity();
      bounds.max = std::numeric_limits<double>::infinity();
      break;
    case Type::kText:
      // DuckDB looks at eight bytes of a bound; these are the greatest characters.
      bounds.min = std::string();
      bounds.max = std::string("\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF");
      break;
    case Type::kDate:
      bounds.min = Date{-2'147'483'646}, bounds.max = Date{2'147'483'646};
      break;
    case Type::kTimestamp:
      bounds.min = Timestamp{-9'223'372'022'400'000'000};
      bounds.max = Timestamp{9'223'372'036'854'775'806};
      break;
  }
  return bounds;
}

ColumnBounds bounds_of(const ParquetColumnStatistics& statistics) {
  return {.known = true,
          .has_null = statistics.null_count > 0,
          .has_nan = statistics.has_nan,
          .min = statistics.min,
          .max = statistics.max};
}

void widen(ColumnBounds& bounds, const Batch& rows, int column, std::int64_t row) {
  if (rows.is_null(column, row)) {
    bounds.has_null = true;
    return;
  }
  if (rows.schema().field(column).type == Type::kFloat) {
    const double* min = std::get_if<double>(&bounds.min);
    const double* max = std::get_if<double>(&bounds.max);
    const double value = rows.float_at(column, row);
    if (min != nullptr && max != nullptr && value >= *min && value <= *max) return;
  }
  bounds.widen(rows.value(column, row));
}

Result<TableStatistics> load_statistics(Catalog& catalog, const LakeTable& table) {
  TableStatistics statistics;
  statistics.columns.resize(table.columns.size());
  Statement* row =
      TRY(catalog.cached("SELECT record_count, next_row_id, file_size_bytes FROM "
                         "ducklake_table_stats WHERE table_id = ?"));
  row->bind_integer(0, table.id);
  if (TRY(row->step())) {
    statistics.stored = true;
    statistics.record_count = row->integer(0);
    statistics.next_row_id = row->integer(1);
    statistics.file_bytes = row->integer(2);
  }
  row->reset();
  if (!statistics.stored) return statistics;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    statistics.columns[column] = TRY(load_bounds(catalog, table, table.columns[column]));
  }
  return statistics;
}

Result<void> store_statistics(Catalog& catalog,
                              const LakeTable& table,
                              const TableStatistics& before,
                              const TableStatistics& after) {
  LOCKSTEP_ASSERT(after.record_count >= before.record_count, "hub: the gross row count fell");
  LOCKSTEP_ASSERT(after.next_row_id >= before.next_row_id, "hub: the next row id fell");
  TRY(store_counts(catalog, table, after, before.stored));
  Statement* row =
      TRY(catalog.cached(before.stored ? "UPDATE ducklake_table_column_stats SET contains_null = "
                                         "?3, contains_nan = ?4, min_value = ?5, "
                                         "max_value = ?6 WHERE table_id = ?1 AND column_id = ?2"
                                       : "INSERT INTO ducklake_table_column_stats(table_id, "
                                         "column_id, contains_null, contains_nan, min_value, "
                                         "max_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const ColumnBounds& bounds = after.columns[column];
    if (!bounds.known || (before.stored && bounds == before.columns[column])) continue;
    TRY(row->run({table.id,
                  std::int64_t{table.columns[column].field_id},
                  std::int64_t{bounds.has_null ? 1 : 0},
                  nan_cell(table, column, bounds.has_nan),
                  min_cell(bounds),
                  max_cell(bounds)}));
  }
  return {};
}

Result<void> store_altered_statistics(Catalog& catalog,
                                      const LakeTable& table,
                                      const std::vector<int>& source,
                                      const TableStatistics& after) {
  if (!after.stored) return {};
  Statement* added = TRY(catalog.cached(
      "INSERT INTO ducklake_table_column_stats(table_id, column_id, contains_null, contains_nan, "
      "min_value, max_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  Statement* widened = TRY(catalog.cached(
      "UPDATE ducklake_table_column_stats SET contains_nan = ?3, min_value = NULL, max_value = "
      "NULL WHERE table_id = ?1 AND column_id = ?2"));
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const ColumnBounds& bounds = after.columns[column];
    const std::int64_t id = table.columns[column].field_id;
    if (!bounds.known) continue;
    if (source[column] < 0) {
      TRY(added->run({table.id,
                      id,
                      std::int64_t{bounds.has_null ? 1 : 0},
                      nan_cell(table, column, bounds.has_nan),
                      min_cell(bounds),
                      max_cell(bounds)}));
    } else if (table.columns[column].field.type == Type::kFloat && bounds.min_unknown) {
      TRY(widened->run({table.id, id, nan_cell(table, column, bounds.has_nan)}));
    }
  }
  return {};
}

Result<void> insert_file_statistics(Catalog& catalog,
                                    const LakeTable& table,
                                    std::int64_t file_id,
                                    const ParquetFileInfo& info) {
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_file_column_stats(data_file_id, table_id, column_id, "
      "column_size_bytes, value_count, "
      "null_count, min_value, max_value, contains_nan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const ParquetColumnStatistics& statistics = info.columns[column];
    TRY(row->run({file_id,
                  table.id,
                  std::int64_t{table.columns[column].field_id},
                  statistics.size_bytes,
                  info.row_count - statistics.null_count,
                  statistics.null_count,
                  text_or_null(statistics.min),
                  max_cell(bounds_of(statistics)),
                  nan_cell(table, column, statistics.has_nan)}));
  }
  return {};
}

}  // namespace lockstep
