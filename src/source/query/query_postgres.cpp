// A PostgreSQL database as a source of queries.
#include "source/postgres/postgres_catalog.h"
#include "source/postgres/postgres_copy.h"
#include "source/postgres/postgres_link.h"
#include "source/postgres/postgres_types.h"
#include "source/query/query_database.h"
#include "table/scalar_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace lockstep {
namespace {

// A query may think for long before its first row. A server that is gone is noticed by the
// connection's keepalives.
constexpr std::int64_t kAskAgainUs = 1'000'000;

char first_letter(const std::string& text) {
  return text.empty() ? ' ' : text.front();
}

class QueryPostgres final : public QueryConnection {
 public:
  explicit QueryPostgres(std::unique_ptr<PostgresLink> link) : link_(std::move(link)) {}

  Result<std::vector<QueryColumn>> columns(const std::string& from) override {
    Result<PostgresAnswer> shown =
        link_->query(fmt::format("SELECT * FROM {} AS q LIMIT 0", from), {});
    if (!shown.ok() && shown.error().code == Code::kDenied) return denied(shown.error(), from);
    std::vector<std::string> wanted;
    const PostgresAnswer answer = TRY(std::move(shown));
    for (const PostgresAnswer::Column& column : answer.columns)
      wanted.push_back(fmt::format("({}, {}, {})", wanted.size(), column.type, column.modifier));
    std::vector<QueryColumn> out;
    if (wanted.empty()) return out;
    const PostgresAnswer types = TRY(link_->query(
        fmt::format(
            "SELECT t.typtype, t.typcategory, format_type(t.oid, w.modifier) FROM (VALUES "
            "{}) AS w(place, type, modifier) JOIN pg_type t ON t.oid = w.type ORDER BY place",
            fmt::join(wanted, ", ")),
        {}));
    for (std::size_t index = 0; index < types.rows.size(); ++index) {
      const PostgresAnswer::Column& column = answer.columns[index];
      const PostgresType type{.oid = column.type,
                              .modifier = column.modifier,
                              .name = types.text(index, 2),
                              .kind = first_letter(types.text(index, 0)),
                              .category = first_letter(types.text(index, 1))};
      out.push_back({.name = column.name,
                     .type_name = type.name,
                     .type = table_type_of(type),
                     .takers = takers_by([&](Type one) { return fits(type, one); })});
    }
    return out;
  }

  Result<std::optional<Type>> watermark_type(const std::string&,
                                             const QueryColumn& column) override {
    return watermark_type_of(column);
  }

  Result<void> begin() override {
    TRY(link_->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}));
    return {};
  }

  Result<void> end() override {
    TRY(link_->query("COMMIT", {}));
    return {};
  }

  Result<Timestamp> now() override {
    const std::string text = TRY(link_->query("SELECT now()", {})).text(0, 0);
    const std::optional<Timestamp> time = timestamp_of_text(text, {});
    if (!time) return make_error(Code::kIo, "PostgreSQL does not say what time it is");
    return *time;
  }

  Result<void> start(const QueryRead& read) override {
    std::vector<std::string> selections;
    for (const Field& field : read.schema.fields())
      selections.push_back(quote_name(field.name));
    schema_ = read.schema;
    has_watermark_ = !read.watermark.empty();
    const std::string sql =
        query_sql(read, std::move(selections), quote_name(read.watermark), quote_text(read.since));
    return link_->start_stream(fmt::format("COPY ({}) TO STDOUT", sql));
  }

  Result<bool> next(std::vector<ReadCell>& cells, QueryRowRead& row) override {
    for (;;) {
      const PostgresLink::Received received = TRY(link_->receive());
      if (received.ended) return false;
      if (received.message) {
        read_line(*received.message, cells, row);
        return true;
      }
      TRY(link_->wait(kAskAgainUs));
    }
  }

  Result<std::string> missing_index(const std::string& table, const std::string& column) override {
    const TableName name = table_name_of(table);
    const std::string quoted =
        (name.schema.empty() ? "" : quote_name(name.schema) + ".") + quote_name(name.table);
    const PostgresAnswer found = TRY(link_->query(
        "SELECT 1 FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'm') "
        "AND NOT EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND "
        "a.attnum = i.indkey[0] WHERE i.indrelid = c.oid AND i.indpred IS NULL AND a.attname = $2)",
        {quoted, column}));
    if (found.rows.empty()) return std::string();
    return fmt::format("CREATE INDEX CONCURRENTLY ON {} ({});", quoted, quote_name(column));
  }

 private:
  void read_line(std::string_view line, std::vector<ReadCell>& cells, QueryRowRead& row) {
    split_copy_line(line, tuple_, scratch_);
    for (std::size_t column = 0; column < cells.size(); ++column) {
      ReadCell& out = cells[column];
      out.is_null = tuple_[column].kind == 'n';
      if (out.is_null) continue;
      const Type type = schema_.field(static_cast<int>(column)).type;
      std::optional<std::string> failed = read_cell(tuple_[column].text, type, out);
      if (failed) row.bad.note(schema_, column, *std::move(failed), out);
    }
    if (has_watermark_ && tuple_.back().kind != 'n') row.watermark = tuple_.back().text;
  }

  Error denied(Error error, const std::string& from) {
    // A transaction that failed answers nothing but its end.
    const Result<PostgresAnswer> ended = link_->query("ROLLBACK", {});
    const Result<PostgresAnswer> user = link_->query("SELECT current_user", {});
    if (!ended.ok() || !user.ok()) return error;
    const std::string name = quote_name(user.value().text(0, 0));
    error.hint = from.starts_with('(')
                     ? fmt::format("grant SELECT on the tables of the query to {}", name)
                     : fmt::format("run: GRANT SELECT ON {} TO {};", from, name);
    return error;
  }

  const std::unique_ptr<PostgresLink> link_;
  Schema schema_;
  bool has_watermark_ = false;
  std::vector<TupleCell> tuple_;
  std::string scratch_;
};

class QueryPostgresServer final : public QueryDatabase {
 public:
  explicit QueryPostgresServer(std::unique_ptr<PostgresServer> server)
      : server_(std::move(server)) {}

  std::string quoted(std::string_view name) const override { return quote_name(name); }

  Result<std::unique_ptr<QueryConnection>> connect() override {
    return std::unique_ptr<QueryConnection>(
        std::make_unique<QueryPostgres>(TRY(server_->connect(LinkKind::kQueries))));
  }

 private:
  const std::unique_ptr<PostgresServer> server_;
};

}  // namespace

Result<std::unique_ptr<QueryDatabase>> make_query_postgres(const std::string& url) {
  return std::unique_ptr<QueryDatabase>(
      std::make_unique<QueryPostgresServer>(TRY(make_postgres_server(url))));
}

}  // namespace lockstep
