// A PostgreSQL server that says what a test wrote down.
#pragma once

#include "source/postgres/postgres_link.h"
#include "source/postgres_bytes.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::test {

// Value. What the server is and has; tests change it as the story goes.
struct ScriptedState {
  std::string system = "7329";
  std::string timeline = "1";
  std::string flushed = "0/1000";
  bool has_slot = true;
  std::string wal_status = "reserved";
  std::string confirmed = "0/100";
  std::string held_bytes = "0";
  std::optional<std::string> safe_bytes;
  std::string held_bytes_max = "-1";
  bool silent = false;  // to questions about the slot
  std::string table_id = "7";
  std::string node = "70";
  std::string block_count = "1";
  std::string slot_start = "0/800";     // of the next that is made
  std::vector<std::string> copy_lines;  // of the table, without their newlines

  std::deque<std::string> stream;     // frames that wait
  bool stream_ends = false;           // behind them
  std::vector<std::string> statuses;  // that came back
  std::vector<std::string> commands;  // and queries that change something
};

class ScriptedLink final : public PostgresLink {
 public:
  explicit ScriptedLink(ScriptedState& state) : state_(state) {}

  Result<PostgresAnswer> query(const std::string& sql, const std::vector<std::string>&) override {
    const auto has = [&](std::string_view word) { return sql.find(word) != std::string::npos; };
    if (has("IDENTIFY_SYSTEM"))
      return rows({{state_.system, state_.timeline, state_.flushed, "clinic"}});
    if (has("FROM pg_replication_slots")) {
      if (!state_.has_slot) return rows({});
      if (state_.silent) return make_error(Code::kIo, "no answer");
      return PostgresAnswer{{{"pgoutput",
                              "clinic",
                              "f",
                              "0",
                              state_.wal_status,
                              state_.confirmed,
                              state_.held_bytes,
                              state_.flushed,
                              state_.safe_bytes,
                              state_.held_bytes_max}}};
    }
    if (has("pg_relation_filenode")) return rows({{state_.node, state_.block_count}});
    if (has("c.relkind IN")) return rows({{state_.table_id, "r", "d", "p", "10", "f"}});
    if (has("WITH RECURSIVE base")) {
      return rows({{"id", "20", "-1", "bigint", "b", "N", "f", "t", "t", "20", "-1"},
                   {"sbp", "701", "-1", "double precision", "b", "N", "f", "f", "f", "701", "-1"}});
    }
    if (has("FROM pg_publication WHERE")) return rows({{"1"}});
    if (has("FROM pg_publication_tables")) return rows({{"public.vitals"}});
    if (has("pubviaroot")) return rows({{"t", "t", ""}});
    state_.commands.push_back(sql);
    if (has("CREATE_REPLICATION_SLOT")) {
      state_.has_slot = true;
      return rows({{"slot", state_.slot_start, "snap-1", "pgoutput"}});
    }
    if (has("pg_drop_replication_slot")) state_.has_slot = false;
    return rows({});
  }

  Result<void> start_stream(const std::string& sql) override {
    state_.commands.push_back(sql);
    copies_ = sql.starts_with("COPY");
    line_ = 0;
    return {};
  }

  Result<Received> receive() override {
    Received received;
    if (copies_) {
      received.ended = line_ == state_.copy_lines.size();
      if (!received.ended) message_ = state_.copy_lines[line_++] + "\n";
    } else if (state_.stream.empty()) {
      received.ended = state_.stream_ends;
      return received;
    } else {
      message_ = state_.stream.front();
      state_.stream.pop_front();
    }
    if (!received.ended) received.message = message_;
    return received;
  }

  Result<void> send(std::string_view bytes) override {
    state_.statuses.emplace_back(bytes);
    return {};
  }

  Result<bool> wait(std::int64_t) override { return !state_.stream.empty(); }

  std::string error_code() const override { return ""; }

 private:
  static PostgresAnswer rows(const std::vector<std::vector<std::string>>& texts) {
    PostgresAnswer answer;
    for (const auto& row : texts)
      answer.rows.emplace_back(row.begin(), row.end());
    return answer;
  }

  ScriptedState& state_;
  bool copies_ = false;
  std::size_t line_ = 0;
  std::string message_;
};

class ScriptedServer final : public PostgresServer {
 public:
  explicit ScriptedServer(ScriptedState& state) : state_(state) {}

  Result<std::unique_ptr<PostgresLink>> connect(LinkKind) override {
    return std::unique_ptr<PostgresLink>(std::make_unique<ScriptedLink>(state_));
  }

 private:
  ScriptedState& state_;
};

}  // namespace lockstep::test
