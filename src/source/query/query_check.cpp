#include "source/query/query_check.h"

#include "source/query/query_look.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {
namespace {

using QueryLevel = SourceFinding::Level;
using QueryFindings = std::vector<SourceFinding>;

void add_query_finding(QueryFindings& out, const Error& error) {
  out.push_back({QueryLevel::kFailure, error.message, error.hint});
}

// Whether there is a row without a watermark.
Result<bool> has_unmarked(QueryConnection& connection,
                          const QueryTarget& target,
                          const std::string& watermark) {
  QueryRead read;
  read.from = target.from;
  read.rows = QueryRead::Rows::kUnmarked;
  read.watermark = watermark;
  read.row_limit = 1;
  TRY(connection.begin());
  TRY(connection.start(read));
  std::vector<ReadCell> none;
  QueryRowRead row;
  bool found = false;
  while (TRY(connection.next(none, row)))
    found = true;
  TRY(connection.end());
  return found;
}

Result<void> check_watermark(QueryConnection& connection,
                             const QueryTarget& target,
                             const QuerySettings& settings,
                             const QueryColumn& column,
                             QueryFindings& out) {
  const std::string& name = target.table.origin();
  const std::optional<Type> type = TRY(connection.watermark_type(target.from, column));
  if (type)
    TRY(watermark_since(*type == Type::kInt ? "0" : "2000-01-01", *type, settings.overlap, {}));
  if (!settings.full_us) {
    out.push_back({QueryLevel::kWarning,
                   fmt::format("deleted rows of {} are not found: a watermark tells of none", name),
                   "write full: 24h in the source, for a comparison of all rows once a day"});
  }
  if (TRY(has_unmarked(connection, target, column.name))) {
    out.push_back(
        {QueryLevel::kWarning,
         fmt::format("rows of {} have no {}: every look reads them all", name, column.name),
         "let inserts and updates set it, and declare it NOT NULL"});
  }
  if (target.is_query) return {};
  const std::string statement = TRY(connection.missing_index(name, column.name));
  if (statement.empty()) return {};
  out.push_back(
      {QueryLevel::kWarning,
       fmt::format(
           "no index of {} begins with {}: every look reads the whole table", name, column.name),
       "run: " + statement});
  return {};
}

Result<void> check_query_target(QueryConnection& connection,
                                QueryTarget target,
                                const QuerySettings& settings,
                                const std::vector<std::string>& key,
                                QueryFindings& out) {
  const std::vector<QueryColumn> columns = TRY(connection.columns(target.from));
  if (target.table.schema.size() == 0) {  // it will have those that are shown
    target.table.schema = TRY(query_schema(columns, target.table));
    TRY(target.table.schema.require_all(key));
  }
  TRY(check_query_columns(columns, target.table, settings.watermark));
  out.push_back({QueryLevel::kOk,
                 fmt::format("{} {} has {} columns",
                             target.is_query ? "query" : "table",
                             target.table.origin(),
                             columns.size()),
                 ""});
  if (settings.watermark.empty()) return {};
  return check_watermark(
      connection, target, settings, *query_column(columns, settings.watermark), out);
}

}  // namespace

std::vector<SourceFinding> check_query(QueryDatabase& database,
                                       const QuerySettings& settings,
                                       const std::vector<SourceTarget>& requested) {
  QueryFindings out;
  for (std::size_t index = 0; index < requested.size(); ++index) {
    Result<QueryTarget> target =
        parse_query_target(requested[index], static_cast<int>(index), settings, database);
    if (!target.ok()) {
      add_query_finding(out, target.error());
      continue;
    }
    // One each: a statement that failed may have ended the transaction.
    const Result<std::unique_ptr<QueryConnection>> connection = database.connect();
    if (!connection.ok()) {
      add_query_finding(out, connection.error());
      break;
    }
    const std::string name = target.value().table.origin();
    Result<void> checked = check_query_target(
        *connection.value(), std::move(target).value(), settings, requested[index].key, out);
    if (!checked.ok()) add_query_finding(out, std::move(checked).with_context(name).error());
  }
  return out;
}

}  // namespace lockstep
