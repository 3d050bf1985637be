#include "hub/lake_tables.h"

#include "hub/lake_layout.h"
#include "hub/lake_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

constexpr std::array kLayers = {Layer::kRaw, Layer::kClean, Layer::kTrain, Layer::kRejected};

Result<Type> type_of_lake(std::string_view name, const std::string& what) {
  for (const Type type :
       {Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp}) {
    if (name == lake_type(type)) return type;
  }
  return make_error(Code::kUnsupported,
                    fmt::format("{} has the type {}, which the hub does not read", what, name));
}

// Booleans are 0 and 1; whatever has no exact native form is DuckDB's text.
const char* inlined_type(Type type) {
  return type == Type::kBool || type == Type::kInt ? "BIGINT" : "VARCHAR";
}

Result<void> insert_metadata(Catalog& catalog, const std::string& data_path) {
  auto insert =
      TRY(catalog.prepare("INSERT INTO ducklake_metadata(\"key\", \"value\") VALUES (?, ?)"));
  TRY(insert->run({std::string("version"), std::string("1.0")}));
  TRY(insert->run({std::string("created_by"), std::string("Lockstep")}));
  TRY(insert->run({std::string("data_path"), data_path}));
  TRY(insert->run({std::string("encrypted"), std::string("false")}));
  return {};
}

Result<void> insert_schema(Catalog& catalog,
                           Io& io,
                           const LakeSnapshot& snapshot,
                           const std::string& name) {
  auto insert = TRY(catalog.prepare(
      "INSERT INTO ducklake_schema(schema_id, schema_uuid, begin_snapshot, schema_name, path, "
      "path_is_relative) VALUES (?, ?, ?, ?, ?, 1)"));
  return insert->run({snapshot.next_catalog_id, random_uuid(io), snapshot.id, name, name + "/"});
}

struct TableRow {
  std::int64_t id = 0;
  std::int64_t begin = 0;
  Layer layer{};
  std::string name;
  std::string folder;
};

Result<std::vector<TableRow>> table_rows(Catalog& catalog, std::int64_t at) {
  Statement* rows = TRY(catalog.cached(
      "SELECT t.table_id, t.begin_snapshot, s.schema_name, t.table_name, s.path || t.path "
      "FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id "
      "WHERE t.begin_snapshot <= ?1 AND (t.end_snapshot IS NULL OR t.end_snapshot > ?1)"));
  rows->bind_integer(0, at);
  std::vector<TableRow> found;
  while (TRY(rows->step())) {
    const auto layer = layer_of_name(rows->text(2));
    if (!layer) continue;
    found.push_back({.id = rows->integer(0),
                     .begin = rows->integer(1),
                     .layer = *layer,
                     .name = std::string(rows->text(3)),
                     .folder = std::string(rows->text(4))});
  }
  rows->reset();
  return found;
}

Result<ParquetColumn> read_column(const Statement& row, const TableRow& table) {
  const std::string name(row.text(1));
  const std::string what =
      fmt::format("column {} of {}.{}", name, layer_name(table.layer), table.name);
  ParquetColumn column{
      {name, TRY(type_of_lake(row.text(2), what))}, static_cast<int>(row.integer(0)), {}};
  if (!row.is_null(3)) {
    column.missing = TRY_IN(parse_value(row.text(3), column.field.type), what + ", its default: ");
  }
  return column;
}

Result<std::vector<ParquetColumn>> table_columns(Catalog& catalog,
                                                 const TableRow& table,
                                                 std::int64_t at) {
  Statement* rows = TRY(catalog.cached(
      "SELECT column_id, column_name, column_type, initial_default FROM ducklake_column WHERE "
      "table_id = ?1 AND "
      "begin_snapshot <= ?2 AND (end_snapshot IS NULL OR end_snapshot > ?2) AND parent_column IS "
      "NULL "
      "ORDER BY column_order"));
  rows->bind_integer(0, table.id);
  rows->bind_integer(1, at);
  std::vector<ParquetColumn> columns;
  while (TRY(rows->step())) {
    auto column = read_column(*rows, table);
    if (!column.ok()) {
      rows->reset();
      return std::move(column).error();
    }
    columns.push_back(std::move(column).value());
  }
  rows->reset();
  return columns;
}

// The snapshot from which the table stands as it does at `at`.
Result<std::int64_t> schema_begin(Catalog& catalog, const TableRow& table, std::int64_t at) {
  const Cell begin = TRY(catalog.single(
      "SELECT max(begin_snapshot) FROM ducklake_schema_versions WHERE table_id = ? AND "
      "begin_snapshot <= ?",
      {table.id, at}));
  const std::int64_t* found = std::get_if<std::int64_t>(&begin);
  return found == nullptr ? table.begin : std::max(*found, table.begin);
}

// Where the key's columns lie. The record has their newest names; at an older snapshot they may
// have had others, so they are found by id.
Result<std::vector<int>> key_indexes(Catalog& catalog,
                                     const LakeTable& table,
                                     const TableRecord& record) {
  std::vector<int> key;
  for (const std::string& name : record.key) {
    const Cell cell = TRY(catalog.single(
        "SELECT column_id FROM ducklake_column WHERE table_id = ? AND column_name = ? AND "
        "parent_column IS NULL ORDER BY begin_snapshot DESC LIMIT 1",
        {table.id, name}));
    const std::int64_t* id = std::get_if<std::int64_t>(&cell);
    const auto found =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const ParquetColumn& column) {
          return id != nullptr && column.field_id == *id;
        });
    if (found == table.columns.end()) {
      return make_error(
          Code::kCorrupt,
          fmt::format(
              "the key of {}: there is no column {}", table_text(table.definition.name), name));
    }
    key.push_back(static_cast<int>(found - table.columns.begin()));
  }
  return key;
}

Result<LakeTable> load_table(Catalog& catalog,
                             const TableRow& row,
                             const TableRecord& record,
                             std::int64_t at) {
  LakeTable table;
  table.id = row.id;
  table.begin = TRY(schema_begin(catalog, row, at));
  table.folder = row.folder;
  table.columns = TRY(table_columns(catalog, row, at));
  std::vector<Field> fields;
  for (const ParquetColumn& column : table.columns)
    fields.push_back(column.field);
  table.definition.name = {row.layer, row.name};
  table.definition.schema = Schema(std::move(fields));
  table.key = TRY(key_indexes(catalog, table, record));
  for (const int index : table.key)
    table.definition.key.push_back(table.definition.schema.field(index).name);
  const auto inlined = TRY(inlined_tables(catalog, row.id));
  if (!inlined.empty()) table.inlined = inlined.back().name;
  TRY(load_layout(catalog, at, table));
  return table;
}

Result<void> insert_columns(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  Statement* insert =
      TRY(catalog.cached("INSERT INTO ducklake_column(column_id, begin_snapshot, table_id, "
                         "column_order, column_name, column_type, "
                         "default_value, nulls_allowed, default_value_type, default_value_dialect) "
                         "VALUES (?1, ?2, ?3, ?1, ?4, ?5, 'NULL', 1, 'literal', 'duckdb')"));
  for (const ParquetColumn& column : table.columns) {
    TRY(insert->run({std::int64_t{column.field_id},
                     snapshot,
                     table.id,
                     column.field.name,
                     std::string(lake_type(column.field.type))}));
  }
  return {};
}

}  // namespace

const char* lake_type(Type type) {
  switch (type) {
    case Type::kBool:
      return "boolean";
    case Type::kInt:
      return "int64";
    case Type::kFloat:
      return "float64";
    case Type::kText:
      return "varchar";
    case Type::kDate:
      return "date";
    case Type::kTimestamp:
      return "timestamptz";
  }
  return "varchar";
}

Result<void> create_inlined_table(Catalog& catalog,
                                  const LakeTable& table,
                                  const LakeSnapshot& next) {
  std::string sql =
      fmt::format("CREATE TABLE {}(row_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT",
                  quote_identifier(table.inlined));
  for (const ParquetColumn& column : table.columns) {
    sql += fmt::format(
        ", {} {}", quote_identifier(column.field.name), inlined_type(column.field.type));
  }
  sql += ");";
  // Without these every change of one row would read all inlined rows. A row that is current has no
  // end, and costs its index nothing.
  for (const char* column : {"row_id", "begin_snapshot", "end_snapshot"}) {
    const bool ends = std::string_view(column) == "end_snapshot";
    sql += fmt::format("CREATE INDEX {} ON {}({}){};",
                       quote_identifier(fmt::format("lockstep_index_{}_{}", table.inlined, column)),
                       quote_identifier(table.inlined),
                       column,
                       ends ? " WHERE end_snapshot IS NOT NULL" : "");
  }
  TRY(catalog.execute(sql));
  Statement* insert =
      TRY(catalog.cached("INSERT INTO ducklake_inlined_data_tables(table_id, table_name, "
                         "schema_version) VALUES (?, ?, ?)"));
  TRY(insert->run({table.id, table.inlined, next.schema_version}));
  Statement* version =
      TRY(catalog.cached("INSERT INTO ducklake_schema_versions(begin_snapshot, schema_version, "
                         "table_id) VALUES (?, ?, ?)"));
  return version->run({next.id, next.schema_version, table.id});
}

Result<LakeTable> plan_lake_table(const TableDefinition& definition, LakeSnapshot& next) {
  LakeTable table;
  table.id = next.next_catalog_id++;
  table.begin = next.id;
  table.definition = definition;
  table.folder = fmt::format("{}/{}/", layer_name(definition.name.layer), definition.name.dataset);
  table.inlined = fmt::format("ducklake_inlined_data_{}_{}", table.id, next.schema_version);
  for (const Field& field : definition.schema.fields()) {
    table.columns.push_back({field, static_cast<int>(table.columns.size()) + 1, {}});
  }
  table.key = TRY_IN(definition.schema.require_all(definition.key),
                     fmt::format("the key of {}: ", table_text(definition.name)));
  TRY(plan_layout(table, next.next_catalog_id));
  return table;
}

Result<std::string> insert_layer_schemas(Catalog& catalog, Io& io, LakeSnapshot& snapshot) {
  std::string changes;
  for (const Layer layer : kLayers) {
    const std::string name = layer_name(layer);
    const Cell there = TRY(catalog.single(
        "SELECT 1 FROM ducklake_schema WHERE schema_name = ? AND end_snapshot IS NULL", {name}));
    if (!std::holds_alternative<std::monostate>(there)) continue;
    TRY(insert_schema(catalog, io, snapshot, name));
    ++snapshot.next_catalog_id;
    changes += fmt::format("{}created_schema:\"{}\"", changes.empty() ? "" : ",", name);
  }
  return changes;
}

Result<void> add_lake_indexes(Catalog& catalog) {
  return catalog.execute(kLakeAdditions);
}

Result<LakeSnapshot> create_lake(Catalog& catalog,
                                 Io& io,
                                 const std::string& data_path,
                                 Timestamp now) {
  TRY(catalog.execute(kLakeTables));
  TRY(add_lake_indexes(catalog));
  TRY(insert_metadata(catalog, data_path));
  LakeSnapshot snapshot{
      .id = 0, .time = now, .schema_version = 0, .next_catalog_id = 0, .next_file_id = 0};
  TRY(insert_schema(catalog, io, snapshot, "main"));
  snapshot.next_catalog_id = 1;
  TRY(insert_snapshot(catalog, snapshot, {"created_schema:\"main\"", "", ""}));
  snapshot = {.id = 1,
              .time = {now.us + 1},
              .schema_version = 1,
              .next_catalog_id = snapshot.next_catalog_id,
              .next_file_id = 0};
  const std::string changes = TRY(insert_layer_schemas(catalog, io, snapshot));
  TRY(insert_snapshot(catalog, snapshot, {changes, "the layers", ""}));
  return snapshot;
}

Result<LakeSnapshot> newest_snapshot(Catalog& catalog) {
  Statement* row =
      TRY(catalog.cached("SELECT snapshot_id, snapshot_time, schema_version, next_catalog_id, "
                         "next_file_id FROM ducklake_snapshot "
                         "ORDER BY snapshot_id DESC LIMIT 1"));
  if (!TRY(row->step())) return make_error(Code::kCorrupt, "the catalog has no snapshot");
  LakeSnapshot snapshot{.id = row->integer(0),
                        .time = {},
                        .schema_version = row->integer(2),
                        .next_catalog_id = row->integer(3),
                        .next_file_id = row->integer(4)};
  const std::string time(row->text(1));
  row->reset();
  snapshot.time = std::get<Timestamp>(
      TRY_IN(parse_value(time, Type::kTimestamp), "the newest snapshot's time: "));
  return snapshot;
}

Result<void> insert_snapshot(Catalog& catalog,
                             const LakeSnapshot& snapshot,
                             const SnapshotNote& note) {
  Statement* row =
      TRY(catalog.cached("INSERT INTO ducklake_snapshot(snapshot_id, snapshot_time, "
                         "schema_version, next_catalog_id, next_file_id) "
                         "VALUES (?, ?, ?, ?, ?)"));
  TRY(row->run({snapshot.id,
                lake_time_text(snapshot.time),
                snapshot.schema_version,
                snapshot.next_catalog_id,
                snapshot.next_file_id}));
  Statement* changes = TRY(catalog.cached(
      "INSERT INTO ducklake_snapshot_changes(snapshot_id, changes_made, author, commit_message, "
      "commit_extra_info) VALUES (?, ?, 'lockstep', ?, ?)"));
  const auto or_null = [](const std::string& text) { return text.empty() ? Cell{} : Cell{text}; };
  return changes->run(
      {snapshot.id, note.changes_made, or_null(note.message), or_null(note.extra_info)});
}

Result<void> add_extra_info(Catalog& catalog, std::int64_t snapshot, const std::string& text) {
  Statement* row = TRY(catalog.cached(
      "UPDATE ducklake_snapshot_changes SET commit_extra_info = ? WHERE snapshot_id = ?"));
  return row->run({text, snapshot});
}

Result<void> check_lake_version(Catalog& catalog) {
  Statement* row =
      TRY(catalog.cached("SELECT \"value\" FROM ducklake_metadata WHERE \"key\" = 'version'"));
  if (!TRY(row->step()))
    return make_error(Code::kCorrupt, "the catalog does not name its DuckLake version");
  const std::string version(row->text(0));
  row->reset();
  if (version == "1.0") return {};
  return make_error(
      Code::kTooNew,
      fmt::format("the catalog is a DuckLake of version {}, this program knows 1.0", version),
      "use the Lockstep that wrote it, or restore the catalog from before it was migrated");
}

Result<std::vector<LakeTable>> load_tables(Catalog& catalog,
                                           const std::vector<TableRecord>& records,
                                           std::int64_t at) {
  std::vector<LakeTable> tables;
  for (const TableRow& row : TRY(table_rows(catalog, at))) {
    const auto record =
        std::find_if(records.begin(), records.end(), [&](const TableRecord& candidate) {
          return candidate.table_id == row.id;
        });
    if (record == records.end()) continue;
    tables.push_back(TRY(load_table(catalog, row, *record, at)));
  }
  std::sort(tables.begin(), tables.end(), [](const LakeTable& left, const LakeTable& right) {
    return left.definition.name < right.definition.name;
  });
  return tables;
}

Result<void> insert_lake_table(Catalog& catalog,
                               Io& io,
                               const LakeTable& table,
                               const LakeSnapshot& next) {
  const TableName& name = table.definition.name;
  Statement* row =
      TRY(catalog.cached("INSERT INTO ducklake_table(table_id, table_uuid, begin_snapshot, "
                         "schema_id, table_name, path, "
                         "path_is_relative) SELECT ?1, ?2, ?3, schema_id, ?4, ?5, 1 FROM "
                         "ducklake_schema WHERE schema_name = ?6 "
                         "AND end_snapshot IS NULL"));
  TRY(row->run({table.id,
                random_uuid(io),
                next.id,
                name.dataset,
                name.dataset + "/",
                std::string(layer_name(name.layer))}));
  TRY(insert_columns(catalog, table, next.id));
  TRY(insert_layout(catalog, table, next.id));
  // At once, since a client that stays attached remembers that there is none: after compaction it
  // would show deleted rows at the snapshots that it has read before.
  TRY(create_inlined_deletes(catalog, table.id));
  return create_inlined_table(catalog, table, next);
}

Result<void> drop_lake_table(Catalog& catalog, const LakeTable& table, std::int64_t snapshot) {
  for (const char* ended :
       {"ducklake_table", "ducklake_column", "ducklake_data_file", "ducklake_delete_file"}) {
    Statement* update = TRY(catalog.cached(fmt::format(
        "UPDATE {} SET end_snapshot = ? WHERE table_id = ? AND end_snapshot IS NULL", ended)));
    TRY(update->run({snapshot, table.id}));
  }
  return end_layout(catalog, table.id, snapshot);
}

Result<std::vector<InlinedTable>> inlined_tables(Catalog& catalog, std::int64_t table_id) {
  Statement* rows = TRY(catalog.cached(
      "SELECT i.table_name, c.column_id, c.column_name FROM ducklake_inlined_data_tables i "
      "LEFT JOIN ducklake_schema_versions v ON v.table_id = i.table_id AND v.schema_version = "
      "i.schema_version "
      "LEFT JOIN ducklake_column c ON c.table_id = i.table_id AND c.begin_snapshot <= "
      "v.begin_snapshot AND (c.end_snapshot IS NULL OR c.end_snapshot > v.begin_snapshot) AND "
      "c.parent_column IS NULL "
      "WHERE i.table_id = ? ORDER BY i.schema_version"));
  rows->bind_integer(0, table_id);
  std::vector<InlinedTable> tables;
  while (TRY(rows->step())) {
    const std::string_view name = rows->text(0);
    if (tables.empty() || tables.back().name != name) tables.push_back({std::string(name), {}});
    if (rows->is_null(1)) continue;
    tables.back().columns.emplace_back(static_cast<int>(rows->integer(1)), rows->text(2));
  }
  rows->reset();
  return tables;
}

std::string inlined_deletes_name(std::int64_t table_id) {
  return fmt::format("ducklake_inlined_delete_{}", table_id);
}

Result<void> create_inlined_deletes(Catalog& catalog, std::int64_t table_id) {
  const std::string name = inlined_deletes_name(table_id);
  return catalog.execute(
      fmt::format("CREATE TABLE IF NOT EXISTS {0}(file_id BIGINT, row_id BIGINT, "
                  "begin_snapshot BIGINT);"
                  "CREATE INDEX IF NOT EXISTS lockstep_index_{0}_file ON {0}(file_id, "
                  "begin_snapshot, row_id);"
                  "CREATE INDEX IF NOT EXISTS lockstep_index_{0}_snapshot ON {0}(begin_snapshot);",
                  name));
}

std::string quoted_table(const TableName& name) {
  return fmt::format("\"{}\".{}", layer_name(name.layer), quote_identifier(name.dataset));
}

std::string lake_time_text(Timestamp time) {
  return value_text(Value{time});
}

}  // namespace lockstep
