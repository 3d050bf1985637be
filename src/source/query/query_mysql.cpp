// A MariaDB or MySQL database as a source of queries.
#include "source/mysql/mysql_catalog.h"
#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_types.h"
#include "source/query/query_database.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

class QueryMysql final : public QueryConnection {
 public:
  explicit QueryMysql(std::unique_ptr<MysqlLink> link) : link_(std::move(link)) {}

  Result<std::vector<QueryColumn>> columns(const std::string& from) override {
    TRY(look_at(from));
    std::vector<QueryColumn> out;
    for (const MysqlAnswer::Column& column : columns_) {
      out.push_back({.name = column.name,
                     .type_name = column.type.name,
                     .type = table_type_of(column.type),
                     .takers = takers_by([&](Type one) { return fits(column.type, one); })});
    }
    return out;
  }

  Result<std::optional<Type>> watermark_type(const std::string&,
                                             const QueryColumn& column) override {
    return watermark_type_of(column);
  }

  Result<void> begin() override {
    TRY(link_->query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", {}));
    return {};
  }

  Result<void> end() override {
    TRY(link_->query("COMMIT", {}));
    return {};
  }

  Result<Timestamp> now() override {
    const std::string text = TRY(link_->query("SELECT UTC_TIMESTAMP(6)", {})).text(0, 0);
    const std::optional<Timestamp> time = timestamp_of_text(text, {});
    if (!time) return make_error(Code::kIo, "MariaDB does not say what time it is");
    return *time;
  }

  Result<void> start(const QueryRead& read) override {
    if (looked_at_ != read.from) TRY(look_at(read.from));
    schema_ = read.schema;
    has_watermark_ = !read.watermark.empty();
    readings_.clear();
    std::vector<std::string> selections;
    for (const Field& field : schema_.fields()) {
      const auto column = std::ranges::find(columns_, field.name, &MysqlAnswer::Column::name);
      LOCKSTEP_ASSERT(column != columns_.end(), "source: columns are checked before they are read");
      readings_.push_back({.kind = column->type.kind, .type = field.type});
      selections.push_back(mysql_selection(column->type.kind, quote_mysql_name(field.name)));
    }
    scratch_.resize(readings_.size());
    // A number in quotes would be compared as a floating-point one.
    const std::string since = int_of_text(read.since) ? read.since : quote_mysql_text(read.since);
    return link_->start_rows(
        query_sql(read, std::move(selections), quote_mysql_name(read.watermark), since));
  }

  Result<bool> next(std::vector<ReadCell>& cells, QueryRowRead& row) override {
    if (!TRY(link_->next_row(texts_))) return false;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      ReadCell& out = cells[column];
      out.is_null = !texts_[column];
      if (out.is_null) continue;
      std::optional<std::string> failed =
          read_mysql_text(*texts_[column], readings_[column], out, scratch_[column]);
      if (failed) row.bad.note(schema_, column, *std::move(failed), out);
    }
    if (has_watermark_) row.watermark = texts_.back();
    return true;
  }

  Result<std::string> missing_index(const std::string& table, const std::string& column) override {
    TableName name = table_name_of(table);
    if (name.schema.empty()) name.schema = TRY(link_->query("SELECT DATABASE()", {})).text(0, 0);
    const MysqlAnswer found = TRY(link_->query(
        "SELECT 1 FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ? "
        "AND t.TABLE_TYPE = 'BASE TABLE' AND NOT EXISTS (SELECT 1 FROM "
        "information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = t.TABLE_SCHEMA AND s.TABLE_NAME = "
        "t.TABLE_NAME AND s.SEQ_IN_INDEX = 1 AND s.COLUMN_NAME = ?)",
        {name.schema, name.table, column}));
    if (found.rows.empty()) return std::string();
    return fmt::format("CREATE INDEX {} ON {}.{} ({});",
                       quote_mysql_name(name.table + "_" + column),
                       quote_mysql_name(name.schema),
                       quote_mysql_name(name.table),
                       quote_mysql_name(column));
  }

 private:
  Result<void> look_at(const std::string& from) {
    Result<MysqlAnswer> shown =
        link_->query(fmt::format("SELECT * FROM {} AS q LIMIT 0", from), {});
    if (!shown.ok() && shown.error().code == Code::kDenied) return denied(shown.error(), from);
    columns_ = TRY(std::move(shown)).columns;
    looked_at_ = from;
    return {};
  }

  Error denied(Error error, const std::string& from) {
    const Result<std::string> user = read_mysql_user(*link_);
    if (!user.ok()) return error;
    error.hint = from.starts_with('(')
                     ? fmt::format("grant SELECT on the tables of the query to {}", user.value())
                     : fmt::format("run: GRANT SELECT ON {} TO {};", from, user.value());
    return error;
  }

  const std::unique_ptr<MysqlLink> link_;
  std::string looked_at_;  // what columns_ are of
  std::vector<MysqlAnswer::Column> columns_;
  Schema schema_;
  bool has_watermark_ = false;
  std::vector<MysqlReading> readings_;
  std::vector<std::string> scratch_;  // by column: texts that had to be made
  MysqlLink::Cells texts_;
};

class QueryMysqlServer final : public QueryDatabase {
 public:
  explicit QueryMysqlServer(std::unique_ptr<MysqlServer> server) : server_(std::move(server)) {}

  std::string quoted(std::string_view name) const override { return quote_mysql_name(name); }

  Result<std::unique_ptr<QueryConnection>> connect() override {
    return std::unique_ptr<QueryConnection>(
        std::make_unique<QueryMysql>(TRY(server_->connect(MysqlLinkKind::kQueries))));
  }

 private:
  const std::unique_ptr<MysqlServer> server_;
};

}  // namespace

Result<std::unique_ptr<QueryDatabase>> make_query_mysql(const std::string& url) {
  return std::unique_ptr<QueryDatabase>(
      std::make_unique<QueryMysqlServer>(TRY(make_mysql_server(url))));
}

}  // namespace lockstep
