#include "source/query/query_database.h"

#include "base/io.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace lockstep {
namespace {

constexpr std::string_view kSqliteScheme = "sqlite:";

bool has_scheme(std::string_view url, std::string_view scheme) {
  return url.starts_with(scheme) && url.substr(scheme.size()).starts_with("://");
}

}  // namespace

Result<std::unique_ptr<QueryDatabase>> make_query_database(const std::string& url,
                                                           const std::string& directory) {
  if (url.starts_with(kSqliteScheme)) {
    std::string path = url.substr(kSqliteScheme.size());
    if (path.starts_with("//")) path = path.substr(2);
    if (path.empty())
      return invalid("the url of the database names no file", "write sqlite:clinic.db");
    return make_query_sqlite(join_path(directory, path));
  }
  if (has_scheme(url, "postgresql") || has_scheme(url, "postgres")) return make_query_postgres(url);
  if (has_scheme(url, "mysql")) return make_query_mysql(url);
  constexpr std::string_view kMariadb = "mariadb";
  if (has_scheme(url, kMariadb)) return make_query_mysql("mysql" + url.substr(kMariadb.size()));
  return invalid("the url of the database is not one",
                 "write postgresql://user@host/database, mysql://user@host/database or "
                 "sqlite:clinic.db");
}

TableName table_name_of(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return {"", std::string(name)};
  return {std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

Result<std::optional<Type>> watermark_type_of(const QueryColumn& column) {
  if (column.type == Type::kInt || column.type == Type::kDate || column.type == Type::kTimestamp)
    return column.type;
  return make_error(
      Code::kUnsupported,
      fmt::format("column '{}' has type {}, which is no watermark", column.name, column.type_name),
      "take a column of a date, a timestamp or an integer type");
}

std::string from_table(const QueryDatabase& database, std::string_view name) {
  const TableName parts = table_name_of(name);
  const std::string table = database.quoted(parts.table);
  return parts.schema.empty() ? table : database.quoted(parts.schema) + "." + table;
}

std::string from_query(std::string_view sql) {
  while (!sql.empty() && std::string_view(" \t\r\n;").find(sql.back()) != std::string_view::npos)
    sql.remove_suffix(1);
  // It may end with a comment.
  return fmt::format("({}\n)", sql);
}

std::string query_sql(const QueryRead& read,
                      std::vector<std::string> selections,
                      const std::string& quoted_watermark,
                      const std::string& since) {
  if (!read.watermark.empty()) selections.push_back(quoted_watermark);
  std::string sql = fmt::format("SELECT {} FROM {} AS q", fmt::join(selections, ", "), read.from);
  if (read.rows == QueryRead::Rows::kUnmarked)
    sql += fmt::format(" WHERE {} IS NULL", quoted_watermark);
  if (read.rows == QueryRead::Rows::kSince)
    sql += fmt::format(" WHERE {0} >= {1} ORDER BY {0}", quoted_watermark, since);
  if (read.row_limit > 0) sql += fmt::format(" LIMIT {}", read.row_limit);
  return sql;
}

}  // namespace lockstep
