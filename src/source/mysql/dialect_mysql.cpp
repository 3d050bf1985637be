// MySQL, 8.0 and 8.4.
#include "source/mysql/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>

namespace lockstep {
namespace {

// How long the copy waits for the moment in which nothing is written: all who write wait behind it.
constexpr int kLockWaitSeconds = 10;

struct MysqlSettingWanted {
  const char* name;
  const char* value;
};

// Those that a running server takes. An absent one is not wanted: binlog_format will go.
constexpr std::array kMysqlSettings = {MysqlSettingWanted{"binlog_format", "ROW"},
                                       MysqlSettingWanted{"binlog_row_image", "FULL"},
                                       MysqlSettingWanted{"binlog_row_value_options", ""}};

// "8.0.36-debug" is 8, 0.
std::pair<int, int> version_numbers(const std::string& version) {
  std::pair<int, int> out;
  const char* const end = version.data() + version.size();
  const auto [point, failed] = std::from_chars(version.data(), end, out.first);
  if (failed == std::errc() && point != end && *point == '.')
    std::from_chars(point + 1, end, out.second);
  return out;
}

// A server goes from one mode to the next, and not further at once.
std::string gtid_mode_statements(const std::string& mode) {
  constexpr std::array<std::string_view, 4> kModes = {
      "OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"};
  std::string out;
  const auto now = std::ranges::find(kModes, mode);
  for (auto next = now == kModes.end() ? kModes.begin() : now + 1; next != kModes.end(); ++next)
    out += fmt::format(" SET PERSIST gtid_mode = {};", *next);
  return out;
}

MysqlLack lack_of_setting(const MysqlSettingWanted& wanted, const std::string& value) {
  return {fmt::format("{} is {}", wanted.name, value),
          fmt::format("run: SET PERSIST {} = '{}';", wanted.name, wanted.value)};
}

Result<GtidSet> read_gtid_variable(MysqlLink& link, const std::string& name) {
  const std::string text = TRY(link.query("SELECT @@global." + name, {})).text(0, 0);
  std::optional<GtidSet> set = parse_gtid_set(text);
  if (!set) {
    return make_error(Code::kIo,
                      fmt::format("the server's {} is '{}', which is no set of GTIDs", name, text));
  }
  return *std::move(set);
}

// What SHOW BINLOG EVENTS says of the event behind a place: a transaction's id in quotes.
std::optional<GtidSet> gtid_in_quotes(const std::string& text) {
  const std::size_t begin = text.find('\'');
  const std::size_t end = text.rfind('\'');
  if (begin == std::string::npos || end <= begin) return std::nullopt;
  return parse_gtid_set(std::string_view(text).substr(begin + 1, end - begin - 1));
}

class Mysql8Dialect final : public MysqlDialect {
 public:
  explicit Mysql8Dialect(const std::string& version) : version_(version_numbers(version)) {}

  std::string name() const override { return "MySQL"; }

  std::vector<MysqlLack> lacks_of_log(const MysqlServerState& state) const override {
    if (version_ < std::pair(8, 0))
      return {{fmt::format("the server is MySQL {}", state.version), "8.0 or newer is needed"}};
    if (state.variable("log_bin") != "ON") {
      return {{"the server writes no binary log",
               "take skip-log-bin or disable-log-bin out of its configuration, and restart it"}};
    }
    std::vector<MysqlLack> lacks;
    if (state.variable("enforce_gtid_consistency") != "ON") {
      lacks.push_back({fmt::format("enforce_gtid_consistency is {}",
                                   state.variable("enforce_gtid_consistency")),
                       "run: SET PERSIST enforce_gtid_consistency = ON;"});
    }
    if (const std::string mode = state.variable("gtid_mode"); mode != "ON") {
      lacks.push_back({fmt::format("gtid_mode is {}", mode),
                       "run, one after another:" + gtid_mode_statements(mode)});
    }
    for (const MysqlSettingWanted& wanted : kMysqlSettings) {
      const std::string value = state.variable(wanted.name);
      if (value != wanted.value && !value.empty()) lacks.push_back(lack_of_setting(wanted, value));
    }
    constexpr MysqlSettingWanted kNames = {"binlog_row_metadata", "FULL"};
    if (const std::string value = state.variable(kNames.name); value != kNames.value)
      lacks.push_back(lack_of_setting(kNames, value));
    return lacks;
  }

  std::vector<MysqlLack> doubts_of_log(const MysqlServerState& state) const override {
    const bool is_off = state.variable("log_replica_updates") == "OFF" ||
                        state.variable("log_slave_updates") == "OFF";
    if (!is_off) return {};
    return {
        {"log_replica_updates is OFF: what the server replicates from another is not in its log",
         "add to its configuration: log_replica_updates = ON; and restart it"}};
  }

  std::optional<MysqlLack> lack_of_replica(const MysqlServerState&) const override {
    return std::nullopt;
  }

  std::vector<std::string> missing_rights(std::string_view grants) const override {
    const auto has = [&](std::string_view right) { return grants.find(right) != grants.npos; };
    std::vector<std::string> missing;
    if (has("ALL PRIVILEGES ON *.*")) return missing;
    for (const char* const right : {"REPLICATION SLAVE", "REPLICATION CLIENT"}) {
      if (!has(right)) missing.emplace_back(right);
    }
    if (!has("RELOAD") && !has("FLUSH_TABLES")) missing.emplace_back("RELOAD");
    return missing;
  }

  std::string log_status_query() const override {
    return version_ < std::pair(8, 2) ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS";
  }

  Result<LogState> read_log_end(MysqlLink& link) const override {
    return LogState(TRY(read_gtid_variable(link, "gtid_executed")));
  }

  // The server does not say where in its log a snapshot is. So nothing is written for as long as it
  // takes to begin one and to ask; a transaction and its snapshot go on behind that.
  Result<LogProgress> begin_snapshot(MysqlLink& link) const override {
    TRY(link.query(fmt::format("SET SESSION lock_wait_timeout = {}", kLockWaitSeconds), {}));
    if (Result<MysqlAnswer> locked = link.query("FLUSH TABLES WITH READ LOCK", {}); !locked.ok())
      return no_lock(std::move(locked).error(), link);
    TRY(link.query("START TRANSACTION WITH CONSISTENT SNAPSHOT", {}));
    LogProgress snapshot;
    const MysqlAnswer found = TRY(link.query(log_status_query(), {}));
    snapshot.state = TRY(read_log_end(link));
    TRY(link.query("UNLOCK TABLES", {}));
    TRY(link.query("SET SESSION lock_wait_timeout = DEFAULT", {}));
    if (found.rows.empty())
      return make_error(Code::kRefused, "the server does not say where its binary log ends");
    snapshot.place.file = found.text(0, 0);
    const std::string offset = found.text(0, 1);
    std::from_chars(offset.data(), offset.data() + offset.size(), snapshot.place.offset);
    return snapshot;
  }

  // Its ids are the same on each server that has the transactions.
  bool stays_on_server() const override { return false; }

  Result<std::optional<std::string>> break_behind(MysqlLink& link,
                                                  const LogProgress& position,
                                                  std::span<const LogPlace> files) const override {
    std::optional<std::string> why;
    const GtidSet gone =
        TRY(read_gtid_variable(link, "gtid_purged")).without(*position.state.mysql());
    if (!gone.is_empty()) {
      why =
          fmt::format("the server removed the log of {}, which was not followed yet", gone.text());
      return why;
    }
    // A server that was begun anew, and has more transactions by now, has the same ids for others.
    // An event tells its end in 32 bits: behind those a place is not known.
    const bool is_known = std::ranges::any_of(files, [&](const LogPlace& file) {
      return file.file == position.place.file &&
             file.offset <= std::numeric_limits<std::uint32_t>::max();
    });
    const std::string own = TRY(link.query("SELECT @@global.server_uuid", {})).text(0, 0);
    if (own != position.server || !is_known || position.state.is_empty()) return why;
    if (!TRY(ends_transaction(link, position))) {
      why = fmt::format(
          "the server's log has no end of {} at {}: it was begun anew, or a backup "
          "was restored",
          position.state.text(),
          position.place.text());
    }
    return why;
  }

 private:
  // Whether behind the place is the log's end, the end of a file, or a transaction that was not
  // followed.
  static Result<bool> ends_transaction(MysqlLink& link, const LogProgress& position) {
    constexpr std::array<std::string_view, 4> kNone = {
        "Rotate", "Stop", "Format_desc", "Previous_gtids"};
    const Result<MysqlAnswer> found =
        link.query(fmt::format("SHOW BINLOG EVENTS IN {} FROM {} LIMIT 1",
                               quote_mysql_text(position.place.file),
                               position.place.offset),
                   {});
    if (!found.ok()) {
      const bool is_no_event =
          found.error().message.find("SHOW BINLOG EVENTS") != std::string::npos;
      return is_no_event ? Result<bool>(false) : found.error();
    }
    if (found.value().rows.empty()) return true;
    const std::string type = found.value().text(0, 2);
    if (std::ranges::find(kNone, type) != kNone.end()) return true;
    const std::optional<GtidSet> next = gtid_in_quotes(found.value().text(0, 5));
    return next && !next->is_empty() &&
           next->without(*position.state.mysql()).ranges() == next->ranges();
  }

  static Error no_lock(Error error, MysqlLink& link) {
    if (error.code == Code::kDenied) {
      const Result<std::string> user = read_mysql_user(link);
      error.hint = fmt::format("run: GRANT RELOAD ON *.* TO {};",
                               user.ok() ? user.value() : std::string("the user of the url"));
    } else {
      error.hint =
          "a statement that runs for long, or LOCK TABLES, keeps the copy from its snapshot (SHOW "
          "PROCESSLIST tells which); it is tried again";
    }
    return std::move(error).with_context(
        "nothing may be written for the moment in which the copy begins");
  }

  const std::pair<int, int> version_;  // 8, 4
};

}  // namespace

std::unique_ptr<MysqlDialect> make_mysql_dialect(const MysqlServerState& state) {
  return std::make_unique<Mysql8Dialect>(state.version);
}

}  // namespace lockstep
