#include "source/mysql/mysql_check.h"

#include "source/mysql/dialect.h"
#include "source/mysql/mysql_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace lockstep {
namespace {

using MysqlLevel = SourceFinding::Level;
using MysqlFindings = std::vector<SourceFinding>;

void add_finding(MysqlFindings& out, MysqlLevel level, std::string text, std::string hint = {}) {
  out.push_back({level, std::move(text), std::move(hint)});
}

// Of what it has been granted, as statements; in capitals.
Result<std::string> read_grants(MysqlLink& link) {
  std::string text;
  const MysqlAnswer found = TRY(link.query("SHOW GRANTS FOR CURRENT_USER()", {}));
  for (std::size_t row = 0; row < found.rows.size(); ++row)
    text += found.text(row, 0) + "\n";
  for (char& letter : text)
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return text;
}

Result<void> check_rights(MysqlLink& link,
                          const MysqlDialect& dialect,
                          const std::string& user,
                          MysqlFindings& out) {
  const std::vector<std::string> missing = dialect.missing_rights(TRY(read_grants(link)));
  if (missing.empty()) return {};
  const bool may_read_log =
      std::ranges::none_of(missing, [](const auto& right) { return right != "RELOAD"; });
  add_finding(out,
              MysqlLevel::kFailure,
              may_read_log ? fmt::format("user {} may not lock the tables for the moment in which "
                                         "their copy begins",
                                         user)
                           : fmt::format("user {} may not read the server's log", user),
              fmt::format("run: GRANT {} ON *.* TO {};", fmt::join(missing, ", "), user));
  return {};
}

void warn_of_server(const MysqlDialect& dialect,
                    const MysqlServerState& state,
                    MysqlFindings& out) {
  for (const MysqlLack& doubt : dialect.doubts_of_log(state))
    add_finding(out, MysqlLevel::kWarning, doubt.text, doubt.remedy);
  if (const std::optional<MysqlLack> lack = dialect.lack_of_replica(state))
    add_finding(out, MysqlLevel::kFailure, lack->text, lack->remedy);
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

// The server may leave databases out of its log.
Result<void> check_filters(MysqlLink& link,
                           const MysqlDialect& dialect,
                           const std::vector<TableTarget>& targets,
                           MysqlFindings& out) {
  const MysqlAnswer found = TRY(link.query(dialect.log_status_query(), {}));
  if (found.rows.empty()) return {};
  const std::string only = found.text(0, 2);
  const std::string ignored = found.text(0, 3);
  for (const TableTarget& target : targets) {
    const bool is_left_out = has_word(ignored, target.schema_name) ||
                             (!only.empty() && !has_word(only, target.schema_name));
    if (!is_left_out) continue;
    add_finding(out,
                MysqlLevel::kFailure,
                fmt::format("the server leaves database {} out of its log", target.schema_name),
                "take binlog_do_db and binlog_ignore_db out of its configuration, and restart it");
  }
  return {};
}

Result<void> check_one_table(MysqlLink& link,
                             const std::string& user,
                             const SourceTarget& requested,
                             TableTarget target,
                             MysqlFindings& out) {
  constexpr const char* kMay = "SELECT 1 FROM {} LIMIT 0";
  const Result<MysqlAnswer> readable =
      link.query(fmt::format(kMay, quoted_mysql_table(target)), {});
  if (!readable.ok() && readable.error().code == Code::kDenied) {
    add_finding(out,
                MysqlLevel::kFailure,
                fmt::format("user {} may not read table {}", user, target.origin()),
                fmt::format("run: GRANT SELECT ON {} TO {};", quoted_mysql_table(target), user));
    return {};
  }
  const Result<MysqlTable> table = read_mysql_table(link, target);
  if (!table.ok()) {
    add_finding(out, MysqlLevel::kFailure, table.error().message, table.error().hint);
    return {};
  }
  if (target.schema.size() == 0) {  // it will have those of the table
    target.schema = dataset_schema(table.value());
    target.key = TRY(target.schema.require_all(requested.key));
  }
  if (const Result<void> fit = check_mysql_table(target, table.value()); !fit.ok()) {
    add_finding(out, MysqlLevel::kFailure, fit.error().message, fit.error().hint);
    return {};
  }
  const std::vector<std::string> primary = table.value().primary_key();
  const bool is_whole = !primary.empty() && std::ranges::all_of(primary, [&](const auto& name) {
    return std::ranges::find(requested.key, name) != requested.key.end();
  });
  if (!is_whole) {
    add_finding(
        out,
        MysqlLevel::kWarning,
        fmt::format("the key of the dataset of {} is not the table's primary key: rows that "
                    "have the same key become one",
                    target.origin()),
        "take the primary key, or columns with a unique index");
    return {};
  }
  add_finding(
      out,
      MysqlLevel::kOk,
      fmt::format("table {} has about {} rows", target.origin(), table.value().row_estimate));
  return {};
}

Result<void> look_at_server(MysqlServer& server,
                            const MysqlSettings& settings,
                            const std::vector<SourceTarget>& requested,
                            MysqlFindings& out) {
  const std::unique_ptr<MysqlLink> link = TRY(server.connect(MysqlLinkKind::kQueries));
  const MysqlServerState state = TRY(read_mysql_server(*link));
  add_finding(out, MysqlLevel::kOk, fmt::format("connected to {}", state.name()));
  const std::unique_ptr<MysqlDialect> dialect = make_dialect(state);
  for (const MysqlLack& lack : dialect->lacks_of_log(state))
    add_finding(out, MysqlLevel::kFailure, lack.text, lack.remedy);
  if (state.variable("log_bin") != "ON") return {};
  warn_of_server(*dialect, state, out);
  if (settings.client && std::to_string(*settings.client) == state.variable("server_id")) {
    add_finding(out,
                MysqlLevel::kFailure,
                fmt::format("server_id {} is the server's own", *settings.client),
                "give the source another, or none");
  }
  const std::string user = TRY(read_mysql_user(*link));
  const std::size_t before = out.size();
  TRY(check_rights(*link, *dialect, user, out));
  std::vector<TableTarget> targets;
  for (const SourceTarget& one : requested)
    targets.push_back(TRY(parse_mysql_target(one, static_cast<int>(targets.size()), server)));
  if (out.size() == before) TRY(check_filters(*link, *dialect, targets, out));
  for (std::size_t index = 0; index < targets.size(); ++index)
    TRY(check_one_table(*link, user, requested[index], targets[index], out));
  return {};
}

}  // namespace

std::vector<SourceFinding> check_mysql(MysqlServer& server,
                                       const MysqlSettings& settings,
                                       const std::vector<SourceTarget>& requested) {
  MysqlFindings out;
  const Result<void> looked = look_at_server(server, settings, requested, out);
  if (!looked.ok())
    add_finding(out, MysqlLevel::kFailure, looked.error().message, looked.error().hint);
  return out;
}

}  // namespace lockstep
