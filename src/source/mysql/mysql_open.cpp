#include "source/mysql/mysql_open.h"

#include "source/mysql/dialect.h"
#include "source/mysql/mysql_catalog.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

namespace lockstep {
namespace {

std::string copy_mysql_anew(const MysqlSettings& settings) {
  return fmt::format("lockstep resync {} copies its tables anew and changes what differs",
                     settings.name);
}

// Value. What is asked.
struct AskedServer {
  MysqlServerState state;
  std::unique_ptr<MysqlDialect> dialect;
};

Result<AskedServer> ask_server(MysqlLink& link) {
  AskedServer server;
  server.state = TRY(read_mysql_server(link));
  server.dialect = make_dialect(server.state);
  return server;
}

Result<AskedServer> require_log(MysqlLink& link) {
  AskedServer server = TRY(ask_server(link));
  const std::vector<MysqlLack> lacks = server.dialect->lacks_of_log(server.state);
  if (!lacks.empty()) return make_error(Code::kRefused, lacks.front().text, lacks.front().remedy);
  return server;
}

// Followers by chance: two of one id would take the log from each other.
std::uint32_t client_by_chance(Io& io) {
  constexpr std::uint32_t kFirst = 1U << 30;  // beyond those that administrators give
  std::uint32_t number = 0;
  std::array<std::byte, sizeof(number)> bytes{};
  io.random_bytes(bytes);
  std::memcpy(&number, bytes.data(), sizeof(number));
  return kFirst + number % kFirst;
}

Result<BegunMysqlCopy> copy_of(const MysqlOpening& opening,
                               std::unique_ptr<MysqlLink> link,
                               const MysqlDialect& dialect,
                               const std::vector<TableTarget>& targets) {
  BegunMysqlCopy out;
  const LogProgress snapshot = TRY(dialect.begin_snapshot(*link));
  out.position.state = snapshot.state;
  out.position.place = snapshot.place;
  MysqlCopyRequest request;
  request.transaction = snapshot.state.text();
  for (const TableTarget& target : targets) {
    const MysqlTable table = TRY(read_mysql_table(*link, target));
    TRY(check_mysql_table(target, table));
    std::vector<MysqlReading> readings =
        mysql_readings(target, table, opening.settings.zero_is_null);
    const std::string shape = mysql_table_shape(target, table);
    request.tables.push_back({target, readings, shape});
    out.tables.push_back({target, std::move(readings)});
    out.copied[target.origin()] = {snapshot.state, shape};
    add_copied(request.position_changes, target.origin(), out.copied[target.origin()]);
  }
  out.copy = std::make_unique<MysqlCopy>(std::move(link), std::move(request));
  return out;
}

}  // namespace

Result<BegunMysqlCopy> begin_mysql_copy(const MysqlOpening& opening, const MysqlPosition& before) {
  std::unique_ptr<MysqlLink> link = TRY(opening.server.connect(MysqlLinkKind::kQueries));
  const AskedServer server = TRY(require_log(*link));
  BegunMysqlCopy out = TRY(copy_of(opening, std::move(link), *server.dialect, opening.targets));
  out.position.server = server.state.identity();
  out.position.client = before.client != 0 ? before.client : client_by_chance(opening.io);
  out.position.tables = out.copied;
  out.copy->set_position_changes(out.position.parts());
  return out;
}

Result<BegunMysqlCopy> begin_mysql_copy_of(const MysqlOpening& opening,
                                           const std::set<std::string>& origins) {
  std::vector<TableTarget> targets;
  for (const TableTarget& target : opening.targets) {
    if (origins.contains(target.origin())) targets.push_back(target);
  }
  std::unique_ptr<MysqlLink> link = TRY(opening.server.connect(MysqlLinkKind::kQueries));
  const AskedServer server = TRY(ask_server(*link));
  return copy_of(opening, std::move(link), *server.dialect, targets);
}

Result<MysqlTablesNow> look_at_mysql_tables(const MysqlOpening& opening,
                                            const std::map<std::string, CopiedMysqlTable>& copied) {
  const std::unique_ptr<MysqlLink> link = TRY(opening.server.connect(MysqlLinkKind::kQueries));
  MysqlTablesNow out;
  for (const TableTarget& target : opening.targets) {
    const MysqlTable table = TRY(read_mysql_table(*link, target));
    TRY(check_mysql_table(target, table));
    const auto known = copied.find(target.origin());
    const bool is_same =
        known != copied.end() && known->second.shape == mysql_table_shape(target, table);
    if (!is_same) out.stale.insert(target.origin());
    out.tables.push_back({target, mysql_readings(target, table, opening.settings.zero_is_null)});
  }
  return out;
}

Result<StartedLog> start_mysql_log(const MysqlOpening& opening, const MysqlPosition& position) {
  StartedLog log;
  log.link = TRY(opening.server.connect(MysqlLinkKind::kLog));
  const AskedServer server = TRY(require_log(*log.link));
  const MysqlDialect& dialect = *server.dialect;
  const auto refuse = [&](std::string why) {
    return make_error(Code::kRefused, std::move(why), copy_mysql_anew(opening.settings));
  };
  log.server = server.state.identity();
  log.end = TRY(dialect.read_log_end(*log.link));
  if (!log.end.is_like(position.state) ||
      (dialect.stays_on_server() && log.server != position.server))
    return refuse("the database is on another server than the one that was followed");
  log.files = TRY(read_log_files(*log.link));
  if (!log.end.has_all(position.state)) {
    return refuse(fmt::format(
        "the hub has followed the server to {}, whose log ends at {}: it lost what came last",
        position.state.text(),
        log.end.is_empty() ? "its beginning" : log.end.text()));
  }
  std::optional<std::string> why =
      TRY(dialect.break_behind(*log.link, position.progress(), log.files));
  if (why) return refuse(*std::move(why));
  const std::uint32_t client = opening.settings.client.value_or(position.client);
  TRY(log.link->start_log({.after = position.state, .client = client}));
  return log;
}

}  // namespace lockstep
