// A PostgreSQL database, surveyed.
#include "source/postgres/postgres_catalog.h"
#include "source/postgres/postgres_link.h"
#include "source/tables/database_survey.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr const char* kTables = R"(
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
   AND has_schema_privilege(n.oid, 'USAGE')
 ORDER BY 1, 2)";

SurveyedTable surveyed(const PostgresTarget& target, const PostgresTable& table) {
  SurveyedTable out;
  out.schema_name = target.schema_name;
  out.table = target.table;
  out.schema = dataset_schema(table);
  out.row_estimate = table.row_estimate;
  out.key = table.primary_key();
  for (const PostgresColumn& column : table.columns) {
    if (!out.schema.index_of(column.name))
      out.left_out.push_back(column.name +
                             (column.is_generated ? " (generated)" : " " + column.type.name));
  }
  const bool has_key = std::ranges::all_of(
      out.key, [&](const std::string& name) { return out.schema.index_of(name).has_value(); });
  if (!has_key) out.key.clear();
  return out;
}

}  // namespace

Result<SurveyedDatabase> survey_postgres(const std::string& url) {
  const std::unique_ptr<PostgresServer> server = TRY(make_postgres_server(url));
  const std::unique_ptr<PostgresLink> link = TRY(server->connect(LinkKind::kQueries));
  SurveyedDatabase out;
  out.type = "postgres";
  out.name = TRY(link->query("SELECT current_database()", {})).text(0, 0);
  out.has_password = server->has_password();
  const PostgresAnswer found = TRY(link->query(kTables, {}));
  for (std::size_t row = 0; row < found.rows.size(); ++row) {
    PostgresTarget target;
    target.schema_name = found.text(row, 0);
    target.table = found.text(row, 1);
    out.tables.push_back(surveyed(target, TRY(read_table(*link, target))));
  }
  return out;
}

}  // namespace lockstep
