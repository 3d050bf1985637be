#include "hub/lake_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace lockstep {

namespace {

std::optional<int> index_of_id(const LakeTable& table, std::int64_t field_id) {
  const auto found = std::ranges::find(table.columns, field_id, [](const ParquetColumn& column) {
    return std::int64_t{column.field_id};
  });
  if (found == table.columns.end()) return std::nullopt;
  return static_cast<int>(found - table.columns.begin());
}

Result<void> load_partition(Catalog& catalog, std::int64_t at, LakeTable& table) {
  Statement* rows = TRY(catalog.cached(
      "SELECT i.partition_id, c.column_id, c.\"transform\" FROM ducklake_partition_info i JOIN "
      "ducklake_partition_column c ON c.partition_id = i.partition_id AND c.table_id = i.table_id "
      "WHERE i.table_id = ?1 AND i.begin_snapshot <= ?2 AND (i.end_snapshot IS NULL OR "
      "i.end_snapshot > ?2) ORDER BY c.partition_key_index"));
  rows->bind_integer(0, table.id);
  rows->bind_integer(1, at);
  std::vector<std::pair<std::int64_t, std::string>> keys;
  while (TRY(rows->step())) {
    table.partition.id = rows->integer(0);
    keys.emplace_back(rows->integer(1), std::string(rows->text(2)));
  }
  rows->reset();
  for (const auto& [field_id, transform] : keys) {
    const auto column = index_of_id(table, field_id);
    if (!column) {
      return make_error(Code::kCorrupt,
                        fmt::format("the partition of {} is by a column {} that is not there",
                                    table_text(table.definition.name),
                                    field_id));
    }
    PartitionKey key = TRY_IN(partition_key(transform, table.definition.schema.field(*column).name),
                              table_text(table.definition.name) + ": ");
    table.definition.partition.push_back(key);
    table.partition.fields.push_back({std::move(key), *column, static_cast<int>(field_id)});
  }
  return {};
}

// By what another program made of it the hub does not sort: falling, or by an expression.
Result<void> load_sort(Catalog& catalog, std::int64_t at, LakeTable& table) {
  Statement* rows = TRY(catalog.cached(
      "SELECT e.expression, e.sort_direction FROM ducklake_sort_info i JOIN "
      "ducklake_sort_expression e ON e.sort_id = i.sort_id AND e.table_id = i.table_id WHERE "
      "i.table_id = ?1 AND i.begin_snapshot <= ?2 AND (i.end_snapshot IS NULL OR i.end_snapshot > "
      "?2) ORDER BY e.sort_key_index"));
  rows->bind_integer(0, table.id);
  rows->bind_integer(1, at);
  bool known = true;
  while (TRY(rows->step())) {
    const std::string_view expression = rows->text(0);
    const auto column = std::ranges::find_if(table.columns, [&](const ParquetColumn& one) {
      return expression == one.field.name || expression == quote_identifier(one.field.name);
    });
    known = known && column != table.columns.end() && rows->text(1) != "DESC";
    if (!known) continue;
    table.sort.push_back(static_cast<int>(column - table.columns.begin()));
    table.definition.sort.push_back(column->field.name);
  }
  rows->reset();
  if (known) return {};
  table.sort.clear();
  table.definition.sort.clear();
  return {};
}

Result<void> insert_partition(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  if (table.partition.empty()) return {};
  // Without it the end of every file would read the values of all.
  TRY(
      catalog.execute("CREATE INDEX IF NOT EXISTS lockstep_index_partition_value ON "
                      "ducklake_file_partition_value(data_file_id)"));
  Statement* info = TRY(catalog.cached(
      "INSERT INTO ducklake_partition_info(partition_id, table_id, begin_snapshot) VALUES (?, ?, "
      "?)"));
  TRY(info->run({table.partition.id, table.id, snapshot}));
  Statement* column = TRY(catalog.cached(
      "INSERT INTO ducklake_partition_column(partition_id, table_id, partition_key_index, "
      "column_id, \"transform\") VALUES (?, ?, ?, ?, ?)"));
  for (std::size_t index = 0; index < table.partition.fields.size(); ++index) {
    const PartitionField& field = table.partition.fields[index];
    TRY(column->run({table.partition.id,
                     table.id,
                     static_cast<std::int64_t>(index),
                     std::int64_t{field.field_id},
                     partition_transform(field.key)}));
  }
  return {};
}

Result<void> insert_sort(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  if (table.sort.empty()) return {};
  Statement* info = TRY(catalog.cached(
      "INSERT INTO ducklake_sort_info(sort_id, table_id, begin_snapshot) VALUES (?, ?, ?)"));
  TRY(info->run({table.sort_id, table.id, snapshot}));
  Statement* expression = TRY(catalog.cached(
      "INSERT INTO ducklake_sort_expression(sort_id, table_id, sort_key_index, expression, "
      "dialect, sort_direction, null_order) VALUES (?, ?, ?, ?, 'duckdb', 'ASC', 'NULLS_LAST')"));
  for (std::size_t index = 0; index < table.sort.size(); ++index) {
    TRY(expression->run({table.sort_id,
                         table.id,
                         static_cast<std::int64_t>(index),
                         quote_identifier(table.definition.sort[index])}));
  }
  return {};
}

}  // namespace

Result<void> load_layout(Catalog& catalog, std::int64_t at, LakeTable& table) {
  table.partition = {};
  table.sort.clear();
  TRY(load_partition(catalog, at, table));
  return load_sort(catalog, at, table);
}

Result<void> plan_layout(LakeTable& table, std::int64_t& next_id) {
  std::vector<int> ids;
  for (const ParquetColumn& column : table.columns)
    ids.push_back(column.field_id);
  const std::string what = table_text(table.definition.name) + ": ";
  table.partition =
      TRY_IN(bind_partition(table.definition.partition, table.definition.schema, ids), what);
  table.sort = TRY_IN(table.definition.schema.require_all(table.definition.sort), what + "sort: ");
  if (!table.partition.empty()) table.partition.id = next_id++;
  if (!table.sort.empty()) table.sort_id = next_id++;
  return {};
}

Result<void> insert_layout(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  TRY(insert_partition(catalog, table, snapshot));
  return insert_sort(catalog, table, snapshot);
}

Result<void> end_layout(Catalog& catalog, std::int64_t table_id, std::int64_t snapshot) {
  for (const char* info : {"ducklake_partition_info", "ducklake_sort_info"}) {
    Statement* row = TRY(catalog.cached(fmt::format(
        "UPDATE {} SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL", info)));
    TRY(row->run({snapshot, table_id}));
  }
  return {};
}

Result<void> insert_partition_value(Catalog& catalog, std::int64_t table_id, const DataFile& file) {
  if (!file.partition_id) return {};
  LOCKSTEP_ASSERT(!file.partition.empty(), "hub: a file of a partition without its value");
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_file_partition_value(data_file_id, table_id, partition_key_index, "
      "partition_value) VALUES (?, ?, ?, ?)"));
  for (std::size_t index = 0; index < file.partition.size(); ++index) {
    const auto& value = file.partition[index];
    TRY(row->run(
        {file.id, table_id, static_cast<std::int64_t>(index), value ? Cell{*value} : Cell{}}));
  }
  return {};
}

Result<void> read_partition_values(Catalog& catalog,
                                   std::int64_t table_id,
                                   std::span<DataFile> files) {
  const bool any = std::ranges::any_of(
      files, [](const DataFile& file) { return file.partition_id.has_value(); });
  if (!any) return {};
  Statement* rows = TRY(catalog.cached(
      "SELECT data_file_id, partition_value FROM ducklake_file_partition_value WHERE table_id = ? "
      "ORDER BY data_file_id, partition_key_index"));
  rows->bind_integer(0, table_id);
  while (TRY(rows->step())) {
    const auto file = std::ranges::lower_bound(files, rows->integer(0), {}, &DataFile::id);
    if (file == files.end() || file->id != rows->integer(0)) continue;
    if (rows->is_null(1)) {
      file->partition.emplace_back();
    } else {
      file->partition.emplace_back(std::string(rows->text(1)));
    }
  }
  rows->reset();
  return {};
}

}  // namespace lockstep
