// A SQLite database as a source: opened to be read only.
#include "source/query/query_database.h"
#include "table/scalar_text.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

namespace lockstep {
namespace {

constexpr int kBusyMs = 1'000;
// Whose types tell the type of a column that is declared as none.
constexpr int kProbedRows = 1'000;

struct CloseSqlite {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

using SqliteHandle = std::unique_ptr<sqlite3, CloseSqlite>;
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinishStatement>;

std::string quote_sqlite_name(std::string_view name) {
  std::string out = "\"";
  for (const char letter : name) {
    if (letter == '"') out += letter;
    out += letter;
  }
  return out + "\"";
}

struct DeclaredType {
  std::string_view part;  // of the declaration
  Type type;
};

// The first that is in it counts.
constexpr std::array kDeclaredTypes = {DeclaredType{"BOOL", Type::kBool},
                                       DeclaredType{"TIMESTAMP", Type::kTimestamp},
                                       DeclaredType{"DATETIME", Type::kTimestamp},
                                       DeclaredType{"DATE", Type::kDate},
                                       DeclaredType{"CHAR", Type::kText},
                                       DeclaredType{"CLOB", Type::kText},
                                       DeclaredType{"TEXT", Type::kText},
                                       DeclaredType{"JSON", Type::kText},
                                       DeclaredType{"UUID", Type::kText},
                                       DeclaredType{"INT", Type::kInt},
                                       DeclaredType{"REAL", Type::kFloat},
                                       DeclaredType{"FLOA", Type::kFloat},
                                       DeclaredType{"DOUB", Type::kFloat},
                                       DeclaredType{"NUM", Type::kFloat},
                                       DeclaredType{"DEC", Type::kFloat}};

std::optional<Type> declared_type(std::string name) {
  for (char& letter : name)
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  for (const DeclaredType& one : kDeclaredTypes) {
    if (name.find(one.part) != std::string::npos) return one.type;
  }
  return std::nullopt;
}

const char* storage_name(int storage) {
  switch (storage) {
    case SQLITE_INTEGER:
      return "an integer";
    case SQLITE_FLOAT:
      return "a real number";
    case SQLITE_BLOB:
      return "a blob";
    default:
      return "a text";
  }
}

// Of a row that stands at its statement.
class SqliteCell final {
 public:
  SqliteCell(sqlite3_stmt* statement, int column)
      : statement_(statement), column_(column), storage_(sqlite3_column_type(statement, column)) {}

  bool is_null() const { return storage_ == SQLITE_NULL; }

  std::string_view text() const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_))};
  }

  // Nothing: it is in `out`; else why it cannot be stored.
  std::optional<std::string> read(Type type, ReadCell& out) const {
    out.is_null = is_null();
    if (is_null()) return std::nullopt;
    if (storage_ == SQLITE_BLOB) return "it is a blob";
    if (type == Type::kText) return read_text(out);
    if (storage_ == SQLITE_TEXT) {
      std::optional<Value> value = value_of_text(text(), type, {});
      if (!value) return not_a(text(), type);
      out.value = *std::move(value);
      return std::nullopt;
    }
    return read_number(type, out);
  }

 private:
  std::optional<std::string> read_text(ReadCell& out) const {
    out.text = text();
    if (out.text.find('\0') != std::string_view::npos) return "it holds a zero character";
    if (first_invalid_utf8(out.text)) return "it is not UTF-8";
    return std::nullopt;
  }

  std::optional<std::string> read_number(Type type, ReadCell& out) const {
    const bool is_whole = storage_ == SQLITE_INTEGER;
    if (type == Type::kFloat) {
      out.value = sqlite3_column_double(statement_, column_);
      return std::nullopt;
    }
    const std::int64_t number = sqlite3_column_int64(statement_, column_);
    // A real number as it is shown: 5.0 is whole, 5.5 is not.
    const std::optional<std::int64_t> shown = is_whole ? number : whole_number_of_text(text());
    if (type == Type::kInt && shown) {
      out.value = *shown;
      return std::nullopt;
    }
    if (type == Type::kBool && is_whole && (number == 0 || number == 1)) {
      out.value = number == 1;
      return std::nullopt;
    }
    return fmt::format("{} {} is no {}", storage_name(storage_), text(), type_name(type));
  }

  sqlite3_stmt* const statement_;
  const int column_;
  const int storage_;
};

class QuerySqlite final : public QueryConnection {
 public:
  QuerySqlite(SqliteHandle database, std::string path)
      : database_(std::move(database)), path_(std::move(path)) {}

  Result<std::vector<QueryColumn>> columns(const std::string& from) override {
    const StatementHandle statement =
        TRY(prepare(fmt::format("SELECT * FROM {} AS q LIMIT 0", from)));
    std::vector<QueryColumn> out;
    for (int index = 0; index < sqlite3_column_count(statement.get()); ++index) {
      QueryColumn column;
      column.name = sqlite3_column_name(statement.get(), index);
      const char* declared = sqlite3_column_decltype(statement.get(), index);
      column.type_name = declared == nullptr ? "" : declared;
      column.type = declared_type(column.type_name);
      if (!column.type) TRY(look_at_values(from, column));
      // Any column may hold values of any type: they are refused one by one.
      column.takers = takers_by([](Type) { return true; });
      out.push_back(std::move(column));
    }
    return out;
  }

  Result<std::optional<Type>> watermark_type(const std::string& from,
                                             const QueryColumn& column) override {
    const StatementHandle statement = TRY(
        prepare(fmt::format("SELECT max({}) FROM {} AS q", quote_sqlite_name(column.name), from)));
    if (!TRY(step(statement.get()))) return std::optional<Type>();
    const int storage = sqlite3_column_type(statement.get(), 0);
    if (storage == SQLITE_NULL) return std::optional<Type>();
    if (storage == SQLITE_INTEGER) return std::optional(Type::kInt);
    if (storage == SQLITE_TEXT) return std::optional(Type::kTimestamp);
    return make_error(
        Code::kUnsupported,
        fmt::format(
            "column '{}' holds {}, which is no watermark", column.name, storage_name(storage)),
        "take a column of integers, or of times as texts: 2026-11-26 08:00:00");
  }

  Result<void> begin() override { return run("BEGIN"); }

  Result<void> end() override {
    statement_.reset();
    return run("COMMIT");
  }

  Result<Timestamp> now() override {
    const StatementHandle statement = TRY(prepare("SELECT datetime('now')"));
    TRY(step(statement.get()));
    const auto time = timestamp_of_text(SqliteCell(statement.get(), 0).text(), {});
    if (!time) return make_error(Code::kIo, "SQLite does not know what time it is");
    return *time;
  }

  Result<void> start(const QueryRead& read) override {
    std::vector<std::string> selections;
    for (const Field& field : read.schema.fields())
      selections.push_back(quote_sqlite_name(field.name));
    const std::string watermark = quote_sqlite_name(read.watermark);
    statement_ = TRY(prepare(query_sql(read, std::move(selections), watermark, "?1")));
    if (read.rows == QueryRead::Rows::kSince) TRY(bind_since(read.since));
    schema_ = read.schema;
    has_watermark_ = !read.watermark.empty();
    return {};
  }

  Result<bool> next(std::vector<ReadCell>& cells, QueryRowRead& row) override {
    if (!TRY(step(statement_.get()))) {
      statement_.reset();
      return false;
    }
    for (int index = 0; index < schema_.size(); ++index) {
      const auto column = static_cast<std::size_t>(index);
      std::optional<std::string> failed =
          SqliteCell(statement_.get(), index).read(schema_.field(index).type, cells[column]);
      if (failed) row.bad.note(schema_, column, *std::move(failed), cells[column]);
    }
    if (!has_watermark_) return true;
    const SqliteCell watermark(statement_.get(), schema_.size());
    if (!watermark.is_null()) row.watermark = watermark.text();
    return true;
  }

  Result<std::string> missing_index(const std::string& table, const std::string& column) override {
    const std::string name = table_name_of(table).table;
    const StatementHandle statement = TRY(prepare(
        "SELECT (SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2 COLLATE NOCASE) = 0 OR "
        "EXISTS (SELECT 1 FROM pragma_index_list(?1) l, pragma_index_info(l.name) i WHERE i.seqno "
        "= "
        "0 AND i.name = ?2 COLLATE NOCASE) OR EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE "
        "name = ?2 COLLATE NOCASE AND pk = 1) OR EXISTS (SELECT 1 FROM sqlite_master WHERE name = "
        "?1 AND type = 'view')"));
    sqlite3_bind_text(statement.get(), 1, name.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement.get(), 2, column.c_str(), -1, SQLITE_TRANSIENT);
    if (!TRY(step(statement.get())) || sqlite3_column_int(statement.get(), 0) != 0)
      return std::string();
    return fmt::format("CREATE INDEX {} ON {} ({});",
                       quote_sqlite_name(name + "_" + column),
                       quote_sqlite_name(name),
                       quote_sqlite_name(column));
  }

 private:
  Error failure() const {
    const int code = sqlite3_errcode(database_.get());
    const std::string text =
        fmt::format("SQLite database {}: {}", path_, sqlite3_errmsg(database_.get()));
    if (code == SQLITE_ERROR) return invalid(text);
    if (code == SQLITE_NOTADB) return invalid(text, "is it a SQLite database?");
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
      return make_error(Code::kIo, text, "somebody else is writing; it is tried again");
    return make_error(Code::kIo, text);
  }

  Result<StatementHandle> prepare(const std::string& sql) const {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(
        database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    StatementHandle out(statement);
    if (code != SQLITE_OK) return failure();
    return out;
  }

  // false: there is no row.
  Result<bool> step(sqlite3_stmt* statement) const {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return failure();
  }

  Result<void> run(const char* sql) const {
    const StatementHandle statement = TRY(prepare(sql));
    TRY(step(statement.get()));
    return {};
  }

  // A number must be one: SQLite orders all numbers before all texts.
  Result<void> bind_since(const std::string& since) const {
    const std::optional<std::int64_t> number = int_of_text(since);
    const int code =
        number ? sqlite3_bind_int64(statement_.get(), 1, *number)
               : sqlite3_bind_text(statement_.get(), 1, since.c_str(), -1, SQLITE_TRANSIENT);
    if (code != SQLITE_OK) return failure();
    return {};
  }

  // Of a column whose declaration says nothing.
  Result<void> look_at_values(const std::string& from, QueryColumn& column) const {
    const StatementHandle statement = TRY(prepare(fmt::format(
        "SELECT DISTINCT typeof(c) FROM (SELECT {0} AS c FROM {1} AS q WHERE {0} IS NOT "
        "NULL LIMIT {2})",
        quote_sqlite_name(column.name),
        from,
        kProbedRows)));
    std::set<std::string, std::less<>> types;
    while (TRY(step(statement.get())))
      types.emplace(SqliteCell(statement.get(), 0).text());
    if (types.contains("blob")) {
      column.type_name = "blob";
    } else if (types.contains("text")) {
      column.type = Type::kText;
    } else if (!types.empty()) {
      column.type = types.contains("real") ? Type::kFloat : Type::kInt;
    }
    return {};
  }

  const SqliteHandle database_;
  const std::string path_;
  StatementHandle statement_;
  Schema schema_;
  bool has_watermark_ = false;
};

class QuerySqliteFile final : public QueryDatabase {
 public:
  explicit QuerySqliteFile(std::string path) : path_(std::move(path)) {}

  std::string quoted(std::string_view name) const override { return quote_sqlite_name(name); }

  Result<std::unique_ptr<QueryConnection>> connect() override {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
    SqliteHandle database(opened);
    if (code != SQLITE_OK) {
      return make_error(Code::kIo,
                        fmt::format("opening SQLite database {}: {}", path_, sqlite3_errstr(code)),
                        "is the file there, and may it be read?");
    }
    sqlite3_busy_timeout(database.get(), kBusyMs);
    return std::unique_ptr<QueryConnection>(
        std::make_unique<QuerySqlite>(std::move(database), path_));
  }

 private:
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<QueryDatabase>> make_query_sqlite(const std::string& path) {
  return std::unique_ptr<QueryDatabase>(std::make_unique<QuerySqliteFile>(path));
}

}  // namespace lockstep
