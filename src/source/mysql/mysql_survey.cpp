// A MariaDB or MySQL server's databases, surveyed.
#include "source/mysql/mysql_catalog.h"
#include "source/mysql/mysql_link.h"
#include "source/tables/database_survey.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr const char* kSurveyedTables =
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE "
    "TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', "
    "'performance_schema', 'sys') AND (? = '' OR TABLE_SCHEMA = ?) ORDER BY 1, 2";

SurveyedTable surveyed_mysql(const TableTarget& target, const MysqlTable& table) {
  SurveyedTable out;
  out.schema_name = target.schema_name;
  out.table = target.table;
  out.schema = dataset_schema(table);
  out.row_estimate = table.row_estimate;
  out.key = table.primary_key();
  const Result<void> followable = check_followable(target, table);
  if (!followable.ok()) out.unfollowable = followable.error().message;
  for (const MysqlColumn& column : table.columns) {
    if (!out.schema.index_of(column.name))
      out.left_out.push_back(column.name + " " + column.type.name);
  }
  const bool has_key = std::ranges::all_of(
      out.key, [&](const std::string& name) { return out.schema.index_of(name).has_value(); });
  if (!has_key) out.key.clear();
  return out;
}

}  // namespace

Result<SurveyedDatabase> survey_mysql(const std::string& url) {
  const std::unique_ptr<MysqlServer> server = TRY(make_mysql_server(url));
  const std::unique_ptr<MysqlLink> link = TRY(server->connect(MysqlLinkKind::kQueries));
  SurveyedDatabase out;
  out.type = "mysql";
  out.name = server->database();
  if (out.name.empty()) out.name = TRY(read_mysql_server(*link)).is_mariadb() ? "mariadb" : "mysql";
  out.has_password = server->has_password();
  const MysqlAnswer found =
      TRY(link->query(kSurveyedTables, {server->database(), server->database()}));
  for (std::size_t row = 0; row < found.rows.size(); ++row) {
    TableTarget target;
    target.schema_name = found.text(row, 0);
    target.table = found.text(row, 1);
    out.tables.push_back(surveyed_mysql(target, TRY(read_mysql_table(*link, target))));
  }
  return out;
}

}  // namespace lockstep
