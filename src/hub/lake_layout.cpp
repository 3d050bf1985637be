#include "hub/lake_layout.h"

#include "table/scalar_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
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

// Column ids, parted by commas. In DuckLake's own form (ducklake_sort_info) DuckDB 1.5.5 would
// sort, too, when it flushes inlined rows, and then ends the wrong one of two rows that are alike
// for the order; so it is kept in a tag of the table, which other programs leave alone.
constexpr const char* kSortTag = "lockstep_sort";

Result<void> load_sort(Catalog& catalog, std::int64_t at, LakeTable& table) {
  const Cell found =
      TRY(catalog.single("SELECT \"value\" FROM ducklake_tag WHERE object_id = ?1 AND \"key\" = ?3 "
                         "AND begin_snapshot <= "
                         "?2 AND (end_snapshot IS NULL OR end_snapshot > ?2)",
                         {table.id, at, std::string(kSortTag)}));
  const auto* text = std::get_if<std::string>(&found);
  std::string_view rest = text != nullptr ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto id = int_of_text(one);
    const auto column = id ? index_of_id(table, *id) : std::nullopt;
    if (!column) {
      return make_error(Code::kCorrupt,
                        fmt::format("the sort order of {} is by a column {} that is not there",
                                    table_text(table.definition.name),
                                    one));
    }
    table.sort.push_back(*column);
    table.definition.sort.push_back(table.definition.schema.field(*column).name);
  }
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
  std::vector<int> ids;
  for (const int column : table.sort)
    ids.push_back(table.columns[static_cast<std::size_t>(column)].field_id);
  Statement* tag = TRY(catalog.cached(
      "INSERT INTO ducklake_tag(object_id, begin_snapshot, \"key\", \"value\") VALUES "
      "(?, ?, ?, ?)"));
  return tag->run(
      {table.id, snapshot, std::string(kSortTag), fmt::format("{}", fmt::join(ids, ","))});
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
  return {};
}

Result<void> insert_layout(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  TRY(insert_partition(catalog, table, snapshot));
  return insert_sort(catalog, table, snapshot);
}

Result<void> end_layout(Catalog& catalog, std::int64_t table_id, std::int64_t snapshot) {
  Statement* partition = TRY(
      catalog.cached("UPDATE ducklake_partition_info SET end_snapshot = ? WHERE table_id = ? AND "
                     "end_snapshot IS NULL"));
  TRY(partition->run({snapshot, table_id}));
  Statement* sort = TRY(
      catalog.cached("UPDATE ducklake_tag SET end_snapshot = ? WHERE object_id = ? AND \"key\" = ? "
                     "AND end_snapshot IS NULL"));
  return sort->run({snapshot, table_id, std::string(kSortTag)});
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
