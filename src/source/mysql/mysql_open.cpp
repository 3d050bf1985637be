#include "source/mysql/mysql_open.h"

#include "source/mysql/mysql_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

namespace lockstep {
namespace {

std::string copy_mysql_anew(const MysqlSettings& settings) {
  return fmt::format("lockstep resync {} copies its tables anew and changes what differs",
                     settings.name);
}

Result<MysqlServerState> require_log(MysqlLink& link) {
  MysqlServerState state = TRY(read_mysql_server(link));
  const std::vector<MysqlLack> lacks = lacks_of_log(state);
  if (!lacks.empty()) return make_error(Code::kRefused, lacks.front().text, lacks.front().remedy);
  return state;
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

struct Snapshot {
  GtidState state;
  LogPlace place;
};

// From here on the connection sees what the log has up to that place, and nothing behind it. No
// lock is taken.
Result<Snapshot> begin_snapshot(MysqlLink& link) {
  TRY(link.query("START TRANSACTION WITH CONSISTENT SNAPSHOT", {}));
  const MysqlAnswer found = TRY(link.query("SHOW STATUS LIKE 'binlog_snapshot_%'", {}));
  Snapshot snapshot;
  for (std::size_t row = 0; row < found.rows.size(); ++row) {
    const std::string name = found.text(row, 0);
    const std::string value = found.text(row, 1);
    if (name == "Binlog_snapshot_file") snapshot.place.file = value;
    if (name != "Binlog_snapshot_position") continue;
    std::from_chars(value.data(), value.data() + value.size(), snapshot.place.offset);
  }
  std::optional<GtidState> state = TRY(read_state_at(link, snapshot.place));
  if (snapshot.place.file.empty() || !state) {
    return make_error(
        Code::kIo, "the server does not say where in its log the snapshot is", "it is tried again");
  }
  snapshot.state = *std::move(state);
  return snapshot;
}

Result<BegunMysqlCopy> copy_of(const MysqlOpening& opening,
                               std::unique_ptr<MysqlLink> link,
                               const std::vector<TableTarget>& targets) {
  BegunMysqlCopy out;
  const Snapshot snapshot = TRY(begin_snapshot(*link));
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

// Whether the transactions that were followed are those that the server's log has at their place.
Result<void> check_history(MysqlLink& link,
                           const MysqlPosition& position,
                           std::span<const LogPlace> files,
                           const MysqlSettings& settings) {
  const bool is_there =
      std::ranges::find(files, position.place.file, &LogPlace::file) != files.end();
  if (position.state.last().empty() || !is_there) return {};
  const auto refuse = [&](const std::string& has) {
    return make_error(Code::kRefused,
                      fmt::format("at {} the server's log has {}, where {} was followed: it was "
                                  "begun anew, or a backup was restored",
                                  position.place.text(),
                                  has,
                                  position.state.text()),
                      copy_mysql_anew(settings));
  };
  Result<std::optional<GtidState>> found = read_state_at(link, position.place);
  if (!found.ok() || !found.value()) return refuse("no transaction's end");
  const GtidState& state = *found.value();
  const bool has_one = std::ranges::any_of(position.state.last(), [&](const auto& one) {
    const auto same = state.last().find(one.first);
    return same != state.last().end() && same->second == one.second;
  });
  if (!has_one || !state.has_all(position.state)) return refuse(state.text());
  return {};
}

}  // namespace

Result<BegunMysqlCopy> begin_mysql_copy(const MysqlOpening& opening, const MysqlPosition& before) {
  std::unique_ptr<MysqlLink> link = TRY(opening.server.connect(MysqlLinkKind::kQueries));
  const MysqlServerState state = TRY(require_log(*link));
  BegunMysqlCopy out = TRY(copy_of(opening, std::move(link), opening.targets));
  out.position.server = state.identity();
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
  return copy_of(opening, TRY(opening.server.connect(MysqlLinkKind::kQueries)), targets);
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
  const MysqlServerState state = TRY(require_log(*log.link));
  if (state.identity() != position.server) {
    return make_error(Code::kRefused,
                      "the database is on another server than the one that was followed",
                      copy_mysql_anew(opening.settings));
  }
  log.end = TRY(read_log_end(*log.link));
  log.files = TRY(read_log_files(*log.link));
  if (!log.end.has_all(position.state)) {
    return make_error(Code::kRefused,
                      fmt::format("the hub has followed the server to {}, whose log ends at {}: it "
                                  "lost what came last",
                                  position.state.text(),
                                  log.end.last().empty() ? "its beginning" : log.end.text()),
                      copy_mysql_anew(opening.settings));
  }
  TRY(check_history(*log.link, position, log.files, opening.settings));
  const std::uint32_t client = opening.settings.client.value_or(position.client);
  TRY(log.link->start_log({.after = position.state, .client = client}));
  return log;
}

}  // namespace lockstep
