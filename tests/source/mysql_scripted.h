// A MariaDB server that says what a test wrote down.
#pragma once

#include "source/mysql/mysql_link.h"
#include "source/mysql_bytes.h"

#include <deque>
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
  std::optional<std::string> state_at = "0-1-10";  // at any place of it
  std::string type_of_hr = "double";
  std::string engine_is_transactional = "YES";
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
    if (has("VERSION()")) return rows({{state_.version}});
    if (has("SHOW GLOBAL VARIABLES")) {
      return rows({{"log_bin", "ON"},
                   {"server_id", "1"},
                   {"server_uid", state_.server},
                   {"binlog_format", state_.format},
                   {"binlog_row_image", "FULL"},
                   {"binlog_row_metadata", "FULL"},
                   {"gtid_strict_mode", "ON"}});
    }
    if (has("gtid_binlog_pos")) return rows({{state_.log_end}});
    if (has("SHOW BINARY LOGS")) return rows({{state_.log_file, "5000"}});
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

  Result<std::optional<std::string_view>> receive() override {
    if (state_.log.empty()) {
      if (state_.log_breaks) return make_error(Code::kIo, "the connection ended");
      return std::optional<std::string_view>();
    }
    event_ = std::move(state_.log.front());
    state_.log.pop_front();
    return std::optional<std::string_view>(event_);
  }

  Result<bool> wait(std::int64_t) override { return !state_.log.empty(); }

  std::uint64_t waiting_bytes() override { return state_.log.empty() ? 0 : 1'000; }

 private:
  static MysqlAnswer rows(const std::vector<std::vector<std::string>>& texts) {
    MysqlAnswer answer;
    for (const auto& row : texts)
      answer.rows.emplace_back(row.begin(), row.end());
    return answer;
  }

  ScriptedMysql& state_;
  std::size_t row_ = 0;
  std::string event_;
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

}  // namespace lockstep::test
