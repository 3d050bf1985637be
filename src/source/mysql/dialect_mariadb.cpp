// MariaDB, 10.5 and newer.
#include "source/mysql/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace lockstep {
namespace {

struct MariadbSetting {
  const char* name;
  const char* value;
};

constexpr std::array kMariadbSettings = {MariadbSetting{"binlog_format", "ROW"},
                                         MariadbSetting{"binlog_row_image", "FULL"},
                                         MariadbSetting{"binlog_row_metadata", "FULL"}};

// nullopt: it has no such place.
Result<std::optional<GtidState>> read_state_at(MysqlLink& link, const LogPlace& place) {
  const MysqlAnswer found = TRY(link.query(
      fmt::format("SELECT BINLOG_GTID_POS({}, {})", quote_mysql_text(place.file), place.offset),
      {}));
  if (!found.rows.at(0).at(0)) return std::optional<GtidState>();
  return parse_gtid_state(found.text(0, 0));
}

class MariadbDialect final : public MysqlDialect {
 public:
  std::string name() const override { return "MariaDB"; }

  std::vector<MysqlLack> lacks_of_log(const MysqlServerState& state) const override {
    if (state.variable("log_bin") != "ON") {
      return {{"the server writes no binary log",
               "add to its configuration under [mariadb]: log_bin, server_id = 1; and restart it"}};
    }
    std::vector<MysqlLack> lacks;
    for (const MariadbSetting& wanted : kMariadbSettings) {
      const std::string value = state.variable(wanted.name);
      if (value == wanted.value) continue;
      if (value.empty()) {
        lacks.push_back(
            {fmt::format("the server, MariaDB {}, has no {}", state.version, wanted.name),
             "10.5 or newer is needed"});
        continue;
      }
      lacks.push_back({fmt::format("{} is {}", wanted.name, value),
                       fmt::format("run: SET GLOBAL {0} = '{1}'; and add to the server's "
                                   "configuration: {0} = {1}",
                                   wanted.name,
                                   wanted.value)});
    }
    return lacks;
  }

  std::vector<MysqlLack> doubts_of_log(const MysqlServerState& state) const override {
    if (state.variable("gtid_strict_mode") == "ON") return {};
    return {
        {"gtid_strict_mode is OFF: transactions may come with numbers out of order, where the "
         "source stops",
         "run: SET GLOBAL gtid_strict_mode = ON; and add it to the server's configuration"}};
  }

  std::optional<MysqlLack> lack_of_replica(const MysqlServerState& state) const override {
    const bool is_replica = !state.variable("gtid_slave_pos").empty();
    if (!is_replica || state.variable("log_slave_updates") == "ON") return std::nullopt;
    return MysqlLack{"the server is a replica that does not log what it replicates",
                     "add to its configuration: log_slave_updates; and restart it"};
  }

  std::vector<std::string> missing_rights(std::string_view grants) const override {
    const auto has = [&](std::string_view right) { return grants.find(right) != grants.npos; };
    std::vector<std::string> missing;
    if (has("ALL PRIVILEGES ON *.*")) return missing;
    if (!has("REPLICATION SLAVE")) missing.emplace_back("REPLICATION SLAVE");
    if (!has("REPLICATION CLIENT") && !has("BINLOG MONITOR"))
      missing.emplace_back("BINLOG MONITOR");
    return missing;
  }

  std::string log_status_query() const override { return "SHOW MASTER STATUS"; }

  Result<LogState> read_log_end(MysqlLink& link) const override {
    const std::string text = TRY(link.query("SELECT @@global.gtid_binlog_pos", {})).text(0, 0);
    const std::optional<GtidState> state = parse_gtid_state(text);
    if (!state) {
      return make_error(Code::kIo,
                        fmt::format("the server's log ends at '{}', which is no GTID", text));
    }
    return LogState(*state);
  }

  // No lock is taken.
  Result<LogProgress> begin_snapshot(MysqlLink& link) const override {
    TRY(link.query("START TRANSACTION WITH CONSISTENT SNAPSHOT", {}));
    const MysqlAnswer found = TRY(link.query("SHOW STATUS LIKE 'binlog_snapshot_%'", {}));
    LogProgress snapshot;
    for (std::size_t row = 0; row < found.rows.size(); ++row) {
      const std::string name = found.text(row, 0);
      const std::string value = found.text(row, 1);
      if (name == "Binlog_snapshot_file") snapshot.place.file = value;
      if (name != "Binlog_snapshot_position") continue;
      std::from_chars(value.data(), value.data() + value.size(), snapshot.place.offset);
    }
    std::optional<GtidState> state = TRY(read_state_at(link, snapshot.place));
    if (snapshot.place.file.empty() || !state) {
      return make_error(Code::kIo,
                        "the server does not say where in its log the snapshot is",
                        "it is tried again");
    }
    snapshot.state = *std::move(state);
    return snapshot;
  }

  bool stays_on_server() const override { return true; }

  // Whether the transactions that were followed are those that the log has at their place.
  Result<std::optional<std::string>> break_behind(MysqlLink& link,
                                                  const LogProgress& position,
                                                  std::span<const LogPlace> files) const override {
    std::optional<std::string> why;
    const bool is_there =
        std::ranges::find(files, position.place.file, &LogPlace::file) != files.end();
    if (position.state.is_empty() || !is_there) return why;
    const auto tell = [&](const std::string& has) {
      return fmt::format(
          "at {} the server's log has {}, where {} was followed: it was begun anew, "
          "or a backup was restored",
          position.place.text(),
          has,
          position.state.text());
    };
    const Result<std::optional<GtidState>> found = read_state_at(link, position.place);
    if (!found.ok() || !found.value()) {
      why = tell("no transaction's end");
      return why;
    }
    const GtidState& state = *found.value();
    const GtidState& followed = *position.state.mariadb();
    const bool has_one = std::ranges::any_of(followed.last(), [&](const auto& one) {
      const auto same = state.last().find(one.first);
      return same != state.last().end() && same->second == one.second;
    });
    if (!has_one || !state.has_all(followed)) why = tell(state.text());
    return why;
  }
};

}  // namespace

std::unique_ptr<MysqlDialect> make_mariadb_dialect() {
  return std::make_unique<MariadbDialect>();
}

std::unique_ptr<MysqlDialect> make_dialect(const MysqlServerState& state) {
  return state.is_mariadb() ? make_mariadb_dialect() : make_mysql_dialect(state);
}

}  // namespace lockstep
