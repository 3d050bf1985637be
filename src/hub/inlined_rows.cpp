#include "hub/inlined_rows.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

Result<void> append_cell(
    const Statement& statement, int from, const ParquetColumn& column, BatchBuilder& out, int to) {
  if (statement.is_null(from)) {
    out.append_null(to);
    return {};
  }
  switch (column.field.type) {
    case Type::kBool:
      out.append(to, Value{statement.integer(from) != 0});
      return {};
    case Type::kInt:
      out.append_int(to, statement.integer(from));
      return {};
    case Type::kText:
      out.append_text(to, statement.text(from));
      return {};
    case Type::kFloat:
    case Type::kDate:
    case Type::kTimestamp:
      break;
  }
  const auto value = parse_value(statement.text(from), column.field.type);
  if (!value.ok()) {
    return make_error(
        Code::kCorrupt,
        fmt::format("an inlined value of column {}: {}", column.field.name, value.error().message));
  }
  out.append(to, value.value());
  return {};
}

std::string column_list(const LakeTable& table, std::span<const int> columns) {
  std::string list;
  for (const int index : columns) {
    list += ", " + quote_identifier(table.columns[static_cast<std::size_t>(index)].field.name);
  }
  return list;
}

// A unary plus keeps SQLite from that column's index: pages go by row id, differences by snapshot.
const char* condition(InlinedSet set) {
  switch (set) {
    case InlinedSet::kAlive:
      return "+begin_snapshot <= ?1 AND (+end_snapshot IS NULL OR +end_snapshot > ?1) AND row_id > "
             "?2";
    case InlinedSet::kCame:
      return "begin_snapshot > ?4 AND begin_snapshot <= ?1 AND (+end_snapshot IS NULL OR "
             "+end_snapshot > ?1) "
             "AND +row_id > ?2";
    case InlinedSet::kWent:
      return "end_snapshot > ?4 AND end_snapshot <= ?1 AND +begin_snapshot <= ?4 AND +row_id > ?2";
  }
  return "";
}

std::vector<int> all_columns(const LakeTable& table) {
  std::vector<int> columns;
  for (std::size_t index = 0; index < table.columns.size(); ++index)
    columns.push_back(static_cast<int>(index));
  return columns;
}

Schema schema_of(const LakeTable& table, std::span<const int> columns) {
  std::vector<Field> fields;
  for (const int index : columns)
    fields.push_back(table.columns[static_cast<std::size_t>(index)].field);
  return Schema(std::move(fields));
}

// The rows that a bound statement gives: row id, then the columns.
Result<InlinedPage> read_rows(Statement& rows,
                              const LakeTable& table,
                              std::span<const int> columns) {
  BatchBuilder builder(schema_of(table, columns));
  InlinedPage page;
  while (TRY(rows.step())) {
    page.row_ids.push_back(rows.integer(0));
    for (std::size_t to = 0; to < columns.size(); ++to) {
      const ParquetColumn& column = table.columns[static_cast<std::size_t>(columns[to])];
      TRY(append_cell(rows, static_cast<int>(to) + 1, column, builder, static_cast<int>(to)));
    }
  }
  page.rows = TRY(builder.finish());
  return page;
}

}  // namespace

void bind_cell(
    Statement& statement, int parameter, const Batch& batch, int column, std::int64_t row) {
  if (batch.is_null(column, row)) {
    statement.bind_null(parameter);
    return;
  }
  switch (batch.schema().field(column).type) {
    case Type::kBool:
      statement.bind_integer(parameter, batch.bool_at(column, row) ? 1 : 0);
      return;
    case Type::kInt:
      statement.bind_integer(parameter, batch.int_at(column, row));
      return;
    case Type::kText:
      statement.bind_text(parameter, batch.text_at(column, row));
      return;
    case Type::kFloat:
    case Type::kDate:
    case Type::kTimestamp:
      statement.bind_text(parameter, value_text(batch.value(column, row)));
  }
}

Result<InlinedPage> read_inlined(Catalog& catalog,
                                 const LakeTable& table,
                                 const std::string& inlined,
                                 std::span<const int> columns,
                                 const InlinedQuery& query) {
  Statement* rows =
      TRY(catalog.cached(fmt::format("SELECT row_id{} FROM {} WHERE {} ORDER BY row_id LIMIT ?3",
                                     column_list(table, columns),
                                     quote_identifier(inlined),
                                     condition(query.set))));
  rows->bind_integer(0, query.at);
  rows->bind_integer(1, query.after_row_id);
  rows->bind_integer(2, query.row_count_max);
  if (query.set != InlinedSet::kAlive) rows->bind_integer(3, query.from);
  auto page = read_rows(*rows, table, columns);
  rows->reset();
  return page;
}

Result<StoredRows> read_stored(Catalog& catalog,
                               const LakeTable& table,
                               const std::string& inlined,
                               std::int64_t after_place,
                               std::int64_t row_count_max) {
  const std::vector<int> columns = all_columns(table);
  Statement* row = TRY(catalog.cached(
      fmt::format("SELECT _rowid_, row_id, begin_snapshot, end_snapshot{} FROM {} WHERE _rowid_ > "
                  "? ORDER BY _rowid_ LIMIT ?",
                  column_list(table, columns),
                  quote_identifier(inlined))));
  row->bind_integer(0, after_place);
  row->bind_integer(1, row_count_max);
  StoredRows stored;
  BatchBuilder builder(table.definition.schema);
  while (TRY(row->step())) {
    stored.places.push_back(row->integer(0));
    stored.row_ids.push_back(row->integer(1));
    stored.begins.push_back(row->integer(2));
    stored.ends.push_back(row->is_null(3) ? StoredRows::kAlive : row->integer(3));
    for (std::size_t to = 0; to < columns.size(); ++to) {
      TRY(append_cell(
          *row, static_cast<int>(to) + 4, table.columns[to], builder, static_cast<int>(to)));
    }
  }
  row->reset();
  stored.rows = TRY(builder.finish());
  return stored;
}

Result<void> read_inlined_row(Catalog& catalog,
                              const LakeTable& table,
                              std::int64_t row_id,
                              BatchBuilder& out) {
  const std::vector<int> columns = all_columns(table);
  Statement* row = TRY(catalog.cached(
      fmt::format("SELECT row_id{} FROM {} WHERE row_id = ? AND end_snapshot IS NULL",
                  column_list(table, columns),
                  quote_identifier(table.inlined))));
  row->bind_integer(0, row_id);
  const auto page = read_rows(*row, table, columns);
  row->reset();
  if (!page.ok()) return page.error();
  if (page.value().rows.row_count() != 1) {
    return make_error(Code::kCorrupt,
                      fmt::format("{}: row {} stands {} times among the inlined rows",
                                  table_text(table.definition.name),
                                  row_id,
                                  page.value().rows.row_count()));
  }
  out.append_row_from(page.value().rows, 0, 1);
  return {};
}

Result<void> insert_inlined(Catalog& catalog,
                            const LakeTable& table,
                            const Batch& rows,
                            std::span<const std::pair<std::int64_t, std::int64_t>> row_and_id,
                            std::int64_t snapshot) {
  const int column_count = static_cast<int>(table.columns.size());
  std::string places;
  for (int column = 0; column < column_count; ++column)
    places += ", ?";
  Statement* insert =
      TRY(catalog.cached(fmt::format("INSERT INTO {}(row_id, begin_snapshot{}) VALUES (?, ?{})",
                                     quote_identifier(table.inlined),
                                     column_list(table, all_columns(table)),
                                     places)));
  for (const auto& [row, row_id] : row_and_id) {
    insert->bind_integer(0, row_id);
    insert->bind_integer(1, snapshot);
    for (int column = 0; column < column_count; ++column)
      bind_cell(*insert, column + 2, rows, column, row);
    TRY(insert->step());
    insert->reset();
  }
  return {};
}

Result<void> end_inlined(Catalog& catalog,
                         const LakeTable& table,
                         std::span<const std::int64_t> row_ids,
                         std::int64_t snapshot) {
  Statement* end = TRY(catalog.cached(
      fmt::format("UPDATE {} SET end_snapshot = ? WHERE row_id = ? AND end_snapshot IS NULL",
                  quote_identifier(table.inlined))));
  for (const std::int64_t row_id : row_ids)
    TRY(end->run({snapshot, row_id}));
  return {};
}

}  // namespace lockstep
