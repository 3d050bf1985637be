#include "catalog/catalog.h"
#include "catalog/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <map>
#include <utility>

namespace lockstep {
namespace {

struct Finalize {
  // Repeats the error of the newest step, which has been reported.
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}

  void bind(int parameter, const Cell& value) override;

  void bind_null(int parameter) override {
    note(sqlite3_bind_null(statement_.get(), parameter + 1));
  }

  void bind_integer(int parameter, std::int64_t value) override {
    note(sqlite3_bind_int64(statement_.get(), parameter + 1, value));
  }

  void bind_text(int parameter, std::string_view value) override {
    bind_text_with(parameter, value, SQLITE_TRANSIENT);
  }

  void bind_borrowed_text(int parameter, std::string_view value) override {
    bind_text_with(parameter, value, SQLITE_STATIC);
  }

  void bind_blob(int parameter, std::string_view value) override;

  Result<bool> step() override;

  void reset() override {
    sqlite3_reset(
        statement_.get());  // repeats the error of the newest step, which has been reported
    bind_failure_ = SQLITE_OK;
  }

  bool is_null(int column) const override { return type(column) == SQLITE_NULL; }

  std::int64_t integer(int column) const override {
    return sqlite3_column_int64(statement_.get(), column);
  }

  double real(int column) const override { return sqlite3_column_double(statement_.get(), column); }

  std::string_view text(int column) const override;
  Cell cell(int column) const override;

  int column_count() const override { return sqlite3_column_count(statement_.get()); }

 private:
  void bind_text_with(int parameter, std::string_view value, sqlite3_destructor_type owner);

  int type(int column) const { return sqlite3_column_type(statement_.get(), column); }

  void note(int code) {
    LOCKSTEP_ASSERT(code != SQLITE_RANGE, "a value for a parameter that is not there");
    LOCKSTEP_ASSERT(code != SQLITE_MISUSE, "a value bound before reset");
    if (code != SQLITE_OK) bind_failure_ = code;  // too big, or no memory: step tells
  }

  SqliteConnection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_failure_ = SQLITE_OK;
};

void SqliteStatement::bind(int parameter, const Cell& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    bind_integer(parameter, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    note(sqlite3_bind_double(statement_.get(), parameter + 1, *number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    bind_text(parameter, *text);
  } else if (const auto* blob = std::get_if<Blob>(&value)) {
    bind_blob(parameter, blob->bytes);
  } else {
    bind_null(parameter);
  }
}

// A view without data would bind NULL instead of the empty text.
void SqliteStatement::bind_text_with(int parameter,
                                     std::string_view value,
                                     sqlite3_destructor_type owner) {
  const char* const data = value.empty() ? "" : value.data();
  note(
      sqlite3_bind_text64(statement_.get(), parameter + 1, data, value.size(), owner, SQLITE_UTF8));
}

void SqliteStatement::bind_blob(int parameter, std::string_view value) {
  const char* const data = value.empty() ? "" : value.data();
  note(sqlite3_bind_blob64(statement_.get(), parameter + 1, data, value.size(), SQLITE_TRANSIENT));
}

Result<bool> SqliteStatement::step() {
  TRY(connection_.usable());
  const char* const sql = sqlite3_sql(statement_.get());
  if (bind_failure_ != SQLITE_OK) {
    return connection_.error(std::exchange(bind_failure_, SQLITE_OK), sql);
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = connection_.error(code, sql);
  sqlite3_reset(statement_.get());  // so that a failed read holds no lock
  return error;
}

std::string_view SqliteStatement::text(int column) const {
  const int kind = type(column);
  if (kind == SQLITE_NULL) return {};
  const void* const data = kind == SQLITE_BLOB ? sqlite3_column_blob(statement_.get(), column)
                                               : sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (size == 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Cell SqliteStatement::cell(int column) const {
  switch (type(column)) {
    case SQLITE_INTEGER:
      return integer(column);
    case SQLITE_FLOAT:
      return real(column);
    case SQLITE_TEXT:
      return std::string(text(column));
    case SQLITE_BLOB:
      return Blob{std::string(text(column))};
    default:
      return {};
  }
}

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(SqliteConnection& connection) : connection_(connection) {}

  ~SqliteTransaction() override {
    // SQLite has rolled back by itself after some errors; then there is none open. When rolling
    // back fails the connection is unusable, which the next call tells.
    const bool is_open = !is_done_ && sqlite3_get_autocommit(connection_.database()) == 0;
    if (is_open) sqlite3_exec(connection_.database(), "ROLLBACK", nullptr, nullptr, nullptr);
  }

  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  Result<void> commit() override {
    LOCKSTEP_ASSERT(!is_done_, "a transaction committed twice");
    TRY(connection_.execute("COMMIT"));
    is_done_ = true;
    return {};
  }

 private:
  SqliteConnection& connection_;
  bool is_done_ = false;
};

class SqliteCatalog final : public Catalog {
 public:
  SqliteCatalog(Io& io, const std::string& path, CatalogMode mode, SqliteFiles files, SqliteUse use)
      : connection_(io, path, mode, files, use) {}

  Result<void> open() { return connection_.open(); }

  Result<std::unique_ptr<Statement>> prepare(std::string_view sql) override {
    sqlite3_stmt* const statement = TRY(connection_.prepare(sql));
    return std::unique_ptr<Statement>(std::make_unique<SqliteStatement>(connection_, statement));
  }

  Result<Statement*> cached(std::string_view sql) override;

  Result<void> execute(std::string_view sql) override { return connection_.execute(sql); }

  Result<std::unique_ptr<Transaction>> begin() override { return begin_with("BEGIN IMMEDIATE"); }

  // The read takes the view; BEGIN alone does not.
  Result<std::unique_ptr<Transaction>> begin_read() override {
    auto transaction = TRY(begin_with("BEGIN"));
    TRY(connection_.execute("SELECT 1 FROM sqlite_schema LIMIT 1"));
    return transaction;
  }

  bool table_exists(std::string_view name) override;

  std::uint64_t log_bytes() const override { return connection_.log_bytes(); }

  Result<void> checkpoint() override { return connection_.checkpoint(); }

  Result<void> checkpoint_beside() override { return connection_.checkpoint_beside(); }

 private:
  Result<std::unique_ptr<Transaction>> begin_with(std::string_view sql) {
    LOCKSTEP_ASSERT(sqlite3_get_autocommit(connection_.database()) != 0,
                    "a transaction inside a transaction");
    TRY(connection_.execute(sql));
    return std::unique_ptr<Transaction>(std::make_unique<SqliteTransaction>(connection_));
  }

  SqliteConnection connection_;
  std::map<std::string, std::unique_ptr<Statement>, std::less<>> cached_;
};

Result<Statement*> SqliteCatalog::cached(std::string_view sql) {
  auto found = cached_.find(sql);
  if (found == cached_.end()) {
    found = cached_.emplace(std::string(sql), TRY(prepare(sql))).first;
  }
  found->second->reset();
  return found->second.get();
}

// An unreadable catalog has no table; whoever uses the table is told why.
bool SqliteCatalog::table_exists(std::string_view name) {
  const Result<Cell> count = single(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", {std::string(name)});
  return count.ok() && count.value() == Cell(std::int64_t{1});
}

}  // namespace

Result<std::unique_ptr<Catalog>> open_sqlite(
    Io& io, const std::string& path, CatalogMode mode, SqliteFiles files, SqliteUse use) {
  auto catalog = std::make_unique<SqliteCatalog>(io, path, mode, files, use);
  TRY(catalog->open());
  return std::unique_ptr<Catalog>(std::move(catalog));
}

}  // namespace lockstep
