#include "hub/inlined_rows.h"

#include "hub/record_store_query.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

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
      if (const auto number = float_of_text(statement.text(from), false)) {
        out.append_float(to, *number);
        return {};
      }
      break;
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

// The names that columns have in an inlined table; empty: it is from before the column.
std::vector<std::string> names_in(const InlinedTable& inlined,
                                  const LakeTable& table,
                                  std::span<const int> columns) {
  std::vector<std::string> names;
  for (const int index : columns) {
    const int id = table.columns[static_cast<std::size_t>(index)].field_id;
    const auto found = std::find_if(inlined.columns.begin(),
                                    inlined.columns.end(),
                                    [&](const auto& column) { return column.first == id; });
    names.push_back(found == inlined.columns.end() ? std::string() : found->second);
  }
  return names;
}

// As column_list, in an inlined table of any schema version. What it lacks is read as null.
Result<std::string> column_list_in(const InlinedTable& inlined,
                                   const LakeTable& table,
                                   std::span<const int> columns) {
  if (inlined.columns.empty()) {
    return make_error(Code::kCorrupt,
                      fmt::format("{}: the catalog does not say what columns {} has",
                                  table_text(table.definition.name),
                                  inlined.name));
  }
  std::string list;
  for (const std::string& name : names_in(inlined, table, columns))
    list += ", " + (name.empty() ? std::string("NULL") : quote_identifier(name));
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

// The rows that a bound statement gives of an inlined table: row id, then the columns.
Result<InlinedPage> read_rows(Statement& rows,
                              const InlinedTable& inlined,
                              const LakeTable& table,
                              std::span<const int> columns) {
  BatchBuilder builder(schema_of(table, columns));
  const std::vector<std::string> names = names_in(inlined, table, columns);
  InlinedPage page;
  while (TRY(rows.step())) {
    page.row_ids.push_back(rows.integer(0));
    for (std::size_t to = 0; to < columns.size(); ++to) {
      const ParquetColumn& column = table.columns[static_cast<std::size_t>(columns[to])];
      if (names[to].empty()) {
        builder.append(static_cast<int>(to), column.missing);
        continue;
      }
      TRY(append_cell(rows, static_cast<int>(to) + 1, column, builder, static_cast<int>(to)));
    }
  }
  page.rows = TRY(builder.finish());
  return page;
}

constexpr std::size_t kTextBytesMax = 64;  // of a number or a time

void append_text(const Batch& batch, int column, std::int64_t row, std::string& out) {
  if (batch.schema().field(column).type == Type::kFloat) {
    append_float_text(batch.float_at(column, row), out);
  } else {
    out += value_text(batch.value(column, row));
  }
}

// Binds the cells of a row from the third parameter on. `texts` keeps what is spelled for it until
// the statement was stepped.
void bind_row(Statement& statement, const Batch& batch, std::int64_t row, std::string& texts) {
  texts.clear();
  const char* const kept = texts.data();
  for (int column = 0; column < batch.schema().size(); ++column) {
    const int parameter = column + 2;
    if (batch.is_null(column, row)) {
      statement.bind_null(parameter);
      continue;
    }
    switch (batch.schema().field(column).type) {
      case Type::kBool:
        statement.bind_integer(parameter, batch.bool_at(column, row) ? 1 : 0);
        break;
      case Type::kInt:
        statement.bind_integer(parameter, batch.int_at(column, row));
        break;
      case Type::kText:
        statement.bind_borrowed_text(parameter, batch.text_at(column, row));
        break;
      case Type::kFloat:
      case Type::kDate:
      case Type::kTimestamp: {
        const std::size_t start = texts.size();
        append_text(batch, column, row, texts);
        LOCKSTEP_ASSERT(texts.data() == kept, "hub: a number is spelled longer than any can be");
        statement.bind_borrowed_text(parameter, std::string_view(texts).substr(start));
      }
    }
  }
}

}  // namespace

Result<InlinedPage> read_inlined(Catalog& catalog,
                                 const LakeTable& table,
                                 const InlinedTable& inlined,
                                 std::span<const int> columns,
                                 const InlinedQuery& query) {
  Statement* rows =
      TRY(catalog.cached(fmt::format("SELECT row_id{} FROM {} WHERE {} ORDER BY row_id LIMIT ?3",
                                     TRY(column_list_in(inlined, table, columns)),
                                     quote_identifier(inlined.name),
                                     condition(query.set))));
  const ResetAtEnd at_end(*rows);
  rows->bind_integer(0, query.at);
  rows->bind_integer(1, query.after_row_id);
  rows->bind_integer(2, query.row_count_max);
  if (query.set != InlinedSet::kAlive) rows->bind_integer(3, query.from);
  return read_rows(*rows, inlined, table, columns);
}

namespace {

// The cells of the newest of the stored rows.
Result<void> append_stored(const Statement& row,
                           const LakeTable& table,
                           BatchBuilder& out,
                           StoredRows& stored) {
  for (std::size_t to = 0; to < table.columns.size(); ++to) {
    const int column = static_cast<int>(to);
    Result<void> appended = append_cell(row, column + 4, table.columns[to], out, column);
    if (appended.ok()) continue;
    if (stored.ends.back() == StoredRows::kAlive) return appended;
    out.append_null(column);
    const std::size_t last = stored.places.size() - 1;
    if (!stored.is_unreadable(last)) stored.unreadable.push_back(last);
  }
  return {};
}

}  // namespace

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
    TRY(append_stored(*row, table, builder, stored));
  }
  row->reset();
  stored.rows = TRY(builder.finish());
  return stored;
}

namespace {

// The inlined tables of older schema versions, the newest first.
Result<std::vector<InlinedTable>> older_inlined(Catalog& catalog, const LakeTable& table) {
  std::vector<InlinedTable> older = TRY(inlined_tables(catalog, table.id));
  std::erase_if(older, [&](const InlinedTable& inlined) { return inlined.name == table.inlined; });
  std::reverse(older.begin(), older.end());
  return older;
}

Result<Batch> current_rows(Catalog& catalog,
                           const InlinedTable& inlined,
                           const LakeTable& table,
                           std::int64_t row_id) {
  const std::vector<int> columns = all_columns(table);
  Statement* row = TRY(catalog.cached(
      fmt::format("SELECT row_id{} FROM {} WHERE row_id = ? AND end_snapshot IS NULL",
                  TRY(column_list_in(inlined, table, columns)),
                  quote_identifier(inlined.name))));
  row->bind_integer(0, row_id);
  auto page = read_rows(*row, inlined, table, columns);
  row->reset();
  return TRY(std::move(page)).rows;
}

// false: no current row has this id there.
Result<bool> end_in(Catalog& catalog,
                    const std::string& inlined,
                    std::int64_t row_id,
                    std::int64_t snapshot) {
  Statement* end = TRY(catalog.cached(fmt::format(
      "UPDATE {} SET end_snapshot = ? WHERE row_id = ? AND end_snapshot IS NULL RETURNING row_id",
      quote_identifier(inlined))));
  end->bind_integer(0, snapshot);
  end->bind_integer(1, row_id);
  bool ended = false;
  while (TRY(end->step()))
    ended = true;
  end->reset();
  return ended;
}

Error stands_often(const LakeTable& table, std::int64_t row_id, std::int64_t count) {
  return make_error(Code::kCorrupt,
                    fmt::format("{}: row {} stands {} times among the inlined rows",
                                table_text(table.definition.name),
                                row_id,
                                count));
}

Error not_inlined(const LakeTable& table, std::int64_t row_id) {
  return make_error(
      Code::kCorrupt,
      fmt::format(
          "{}: row {} is not among the inlined rows", table_text(table.definition.name), row_id));
}

}  // namespace

Result<void> InlinedWriter::prepare(Catalog& catalog, const LakeTable& table) {
  if (inlined_ == table.inlined) return {};
  const std::string inlined = quote_identifier(table.inlined);
  columns_ = all_columns(table);
  const std::string columns = column_list(table, columns_);
  std::string places;
  for (std::size_t column = 0; column < columns_.size(); ++column)
    places += ", ?";
  read_ = TRY(catalog.cached(fmt::format(
      "SELECT row_id{} FROM {} WHERE row_id = ? AND end_snapshot IS NULL", columns, inlined)));
  insert_ = TRY(catalog.cached(fmt::format(
      "INSERT INTO {}(row_id, begin_snapshot{}) VALUES (?, ?{})", inlined, columns, places)));
  texts_.reserve(kTextBytesMax * columns_.size());
  inlined_ = table.inlined;
  return {};
}

Result<void> InlinedWriter::read_row(Catalog& catalog,
                                     const LakeTable& table,
                                     std::int64_t row_id,
                                     BatchBuilder& out) {
  TRY(prepare(catalog, table));
  const std::int64_t count = TRY(read_newest(table, row_id, out));
  if (count == 1) return {};
  if (count > 1) return stands_often(table, row_id, count);
  for (const InlinedTable& older : TRY(older_inlined(catalog, table))) {
    const Batch rows = TRY(current_rows(catalog, older, table, row_id));
    if (rows.row_count() > 1) return stands_often(table, row_id, rows.row_count());
    if (rows.row_count() == 0) continue;
    out.append_row_from(rows, 0, 1);
    return {};
  }
  return not_inlined(table, row_id);
}

// How many rows there were in the table that takes inlined rows now.
Result<std::int64_t> InlinedWriter::read_newest(const LakeTable& table,
                                                std::int64_t row_id,
                                                BatchBuilder& out) {
  const ResetAtEnd at_end(*read_);
  read_->bind_integer(0, row_id);
  std::int64_t count = 0;
  for (; TRY(read_->step()); ++count) {
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const int place = static_cast<int>(column);
      TRY(append_cell(*read_, place + 1, table.columns[column], out, place));
    }
    out.append_sign(1);
  }
  return count;
}

Result<void> InlinedWriter::insert(
    Catalog& catalog,
    const LakeTable& table,
    const Batch& rows,
    std::span<const std::pair<std::int64_t, std::int64_t>> row_and_id,
    std::int64_t snapshot) {
  TRY(prepare(catalog, table));
  for (const auto& [row, row_id] : row_and_id) {
    const ResetAtEnd at_end(*insert_);
    insert_->bind_integer(0, row_id);
    insert_->bind_integer(1, snapshot);
    bind_row(*insert_, rows, row, texts_);
    TRY(insert_->step());
  }
  return {};
}

// A row stays in the inlined table of the schema that it came under, and ends there.
Result<void> InlinedWriter::end(Catalog& catalog,
                                const LakeTable& table,
                                std::span<const std::int64_t> row_ids,
                                std::int64_t snapshot) {
  std::optional<std::vector<InlinedTable>> older;
  for (const std::int64_t row_id : row_ids) {
    bool ended = TRY(end_in(catalog, table.inlined, row_id, snapshot));
    if (!ended && !older) older = TRY(older_inlined(catalog, table));
    for (std::size_t index = 0; !ended && index < older->size(); ++index)
      ended = TRY(end_in(catalog, (*older)[index].name, row_id, snapshot));
    if (!ended) return not_inlined(table, row_id);
  }
  return {};
}

}  // namespace lockstep
