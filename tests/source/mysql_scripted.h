// A MariaDB or MySQL server that says what a test wrote down.
#pragma once

#include "source/mysql/mysql.h"
#include "source/mysql/mysql_link.h"
#include "source/mysql_bytes.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::test {

// Value. What the server is and has; tests change it as the story goes.
struct ScriptedMysql {
  std::string version = "10.11.6-MariaDB";
  std::string server = "uid";
  std::string format = "ROW";
  std::string log_end = "0-1-100";
  std::string log_file = "binlog.000001";
  std::string log_size = "5000";
  std::optional<std::string> state_at = "0-1-10";  // at any place of it
  std::string type_of_hr = "double";
  std::string engine_is_transactional = "YES";
  std::map<std::string, std::string> variables;  // beside those of MariaDB
  std::string purged;                            // of MySQL: ids whose log is gone
  // Of MySQL: the event at any place of the log, type and text; nothing: the place is within one.
  std::optional<std::pair<std::string, std::string>> event_at = std::pair("Rotate", "");
  std::string grants = "GRANT ALL PRIVILEGES ON *.* TO `r`@`%`";
  std::optional<Error> lock_error;
  std::vector<std::string> statements;  // that it was sent
  std::vector<std::vector<std::optional<std::string>>> table_rows;

  std::deque<std::string> log;        // events that wait
  bool log_breaks = false;            // behind them
  std::vector<std::string> requests;  // for the log: what it was asked to come behind
  std::vector<std::uint32_t> clients;
  int copies = 0;
};

class ScriptedMysqlLink final : public MysqlLink {
 public:
  explicit ScriptedMysqlLink(ScriptedMysql& state) : state_(state) {}

  Result<MysqlAnswer> query(const std::string& sql, const std::vector<std::string>&) override {
    const auto has = [&](std::string_view word) { return sql.find(word) != std::string::npos; };
    state_.statements.push_back(sql);
    if (std::optional<Result<MysqlAnswer>> answer = mysql_answer(sql)) return *std::move(answer);
    if (has("VERSION()")) return rows({{state_.version}});
    if (has("SHOW GLOBAL VARIABLES")) {
      MysqlAnswer answer = rows({{"log_bin", "ON"},
                                 {"server_id", "1"},
                                 {"server_uid", state_.server},
                                 {"server_uuid", state_.server},
                                 {"binlog_format", state_.format},
                                 {"binlog_row_image", "FULL"},
                                 {"binlog_row_metadata", "FULL"},
                                 {"gtid_strict_mode", "ON"}});
      for (const auto& [name, value] : state_.variables)
        answer.rows.push_back({name, value});
      return answer;
    }
    if (has("gtid_binlog_pos")) return rows({{state_.log_end}});
    if (has("SHOW BINARY LOGS")) return rows({{state_.log_file, state_.log_size}});
    if (has("BINLOG_GTID_POS")) {
      MysqlAnswer answer;
      answer.rows.push_back({state_.state_at});
      return answer;
    }
    if (has("binlog_snapshot")) {
      return rows({{"Binlog_snapshot_file", state_.log_file}, {"Binlog_snapshot_position", "400"}});
    }
    if (has("REFERENTIAL_CONSTRAINTS")) return rows({});
    if (has("information_schema.TABLES")) {
      return rows(
          {{"shop", "visits", "BASE TABLE", "InnoDB", state_.engine_is_transactional, "2"}});
    }
    if (has("information_schema.COLUMNS")) {
      return rows({{"id", "bigint", "bigint(20)", "", "19", "0", "1"},
                   {"hr", state_.type_of_hr, state_.type_of_hr, "", "22", "0", "0"},
                   {"note", "text", "text", "utf8mb4", "0", "0", "0"}});
    }
    return rows({});
  }

  Result<void> start_rows(const std::string&) override {
    ++state_.copies;
    return {};
  }

  Result<bool> next_row(Cells& cells) override {
    if (row_ == state_.table_rows.size()) return false;
    cells.clear();
    for (const auto& cell : state_.table_rows[row_])
      cells.push_back(cell ? std::optional<std::string_view>(*cell) : std::nullopt);
    ++row_;
    return true;
  }

  Result<void> start_log(const LogRequest& request) override {
    state_.requests.push_back(request.after.text());
    state_.clients.push_back(request.client);
    return {};
  }

  Result<std::optional<SentEvent>> receive() override {
    if (const std::optional<std::string_view> event = TRY(unpacker_.next()))
      return std::optional(SentEvent{*event, true});
    if (state_.log.empty()) {
      if (state_.log_breaks) return make_error(Code::kIo, "the connection ended");
      return std::optional<SentEvent>();
    }
    event_ = std::move(state_.log.front());
    state_.log.pop_front();
    if (TRY(unpacker_.begin(event_))) return receive();
    return std::optional(SentEvent{event_});
  }

  Result<bool> wait(std::int64_t) override { return !state_.log.empty(); }

  std::uint64_t waiting_bytes() override { return state_.log.empty() ? 0 : 1'000; }

 private:
  // What only MySQL is asked.
  std::optional<Result<MysqlAnswer>> mysql_answer(const std::string& sql) const {
    const auto has = [&](std::string_view word) { return sql.find(word) != std::string::npos; };
    if (has("gtid_executed")) return rows({{state_.log_end}});
    if (has("gtid_purged")) return rows({{state_.purged}});
    if (has("@@global.server_uuid")) return rows({{state_.server}});
    if (has("SHOW GRANTS")) return rows({{state_.grants}});
    if (has("CURRENT_USER()")) return rows({{"r@%"}});
    if (has("READ LOCK") && state_.lock_error) return *state_.lock_error;
    if (has("SHOW MASTER STATUS") || has("SHOW BINARY LOG STATUS"))
      return rows({{state_.log_file, "400", "", "", state_.log_end}});
    if (!has("SHOW BINLOG EVENTS")) return std::nullopt;
    if (!state_.event_at)
      return make_error(Code::kIo, "Error when executing command SHOW BINLOG EVENTS: Wrong offset");
    return rows(
        {{state_.log_file, "400", state_.event_at->first, "1", "500", state_.event_at->second}});
  }

  static MysqlAnswer rows(const std::vector<std::vector<std::string>>& texts) {
    MysqlAnswer answer;
    for (const auto& row : texts)
      answer.rows.emplace_back(row.begin(), row.end());
    return answer;
  }

  ScriptedMysql& state_;
  std::size_t row_ = 0;
  std::string event_;
  BinlogUnpacker unpacker_;
};

class ScriptedMysqlServer final : public MysqlServer {
 public:
  explicit ScriptedMysqlServer(ScriptedMysql& state) : state_(state) {}

  Result<std::unique_ptr<MysqlLink>> connect(MysqlLinkKind) override {
    return std::unique_ptr<MysqlLink>(std::make_unique<ScriptedMysqlLink>(state_));
  }

  std::string database() const override { return "shop"; }

 private:
  ScriptedMysql& state_;
};

inline const Schema kVisits({{"id", Type::kInt}, {"hr", Type::kFloat}, {"note", Type::kText}});

// A source of the table `visits` of such a server.
class MysqlSourceTest : public ::testing::Test {
 protected:
  MysqlSourceTest() : io_(make_simulated_io(3)) {
    state_.table_rows = {{"1", "1.5", "a"}, {"2", std::nullopt, std::nullopt}};
  }

  std::unique_ptr<Source> make(const std::string& more = "") {
    SourceRequest request;
    request.name = "clinic";
    request.settings =
        parse_yaml("{type: mysql, url: \"mysql://x\"" + more + "}", "lockstep.yaml").value();
    request.targets.push_back({.table = "visits", .schema = kVisits, .key = {"id"}});
    return make_mysql_source_of(*io_, request, std::make_unique<ScriptedMysqlServer>(state_))
        .value();
  }

  static std::optional<SourceBatch> next(Source& source) {
    auto batch = source.next({});
    EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message);
    return batch.ok() ? std::move(batch).value() : std::nullopt;
  }

  // Its copy is committed, and the log begun, with `previous` behind its format: what is in it
  // comes next.
  Position copied(Source& source, const std::optional<std::string>& previous = std::nullopt) {
    EXPECT_TRUE(source.open({}).ok());
    Position position;
    const auto batch = next(source);
    EXPECT_TRUE(batch && batch->truncates);
    if (batch) move_position(position, batch->position_changes);
    if (previous) state_.log.push_front(*previous);
    state_.log.push_front(format_event());
    state_.log.push_front(rotate_event("binlog.000001"));
    EXPECT_FALSE(next(source));
    return position;
  }

  std::unique_ptr<Io> io_;
  ScriptedMysql state_;
};

}  // namespace lockstep::test
