// Connections to a PostgreSQL server, as far as the source needs them: what tests replace.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. The answer to a query, as texts.
struct PostgresAnswer {
  using Row = std::vector<std::optional<std::string>>;

  struct Column {
    std::string name;
    std::uint32_t type = 0;  // of a domain what it is made of
    std::int32_t modifier = -1;
  };

  std::vector<Row> rows;
  std::vector<Column> columns = {};

  // The cell's text; null is empty.
  std::string text(std::size_t row, std::size_t column) const {
    return rows.at(row).at(column).value_or("");
  }
};

// Resource. One connection.
class PostgresLink {
 public:
  virtual ~PostgresLink() = default;
  // Waits for the answer. `parameters` ($1 ...) only where the connection is no replication.
  virtual Result<PostgresAnswer> query(const std::string& sql,
                                       const std::vector<std::string>& parameters) = 0;
  // A command that answers with a stream of messages: COPY ... TO STDOUT, START_REPLICATION.
  virtual Result<void> start_stream(const std::string& sql) = 0;

  struct Received {
    bool ended = false;                       // there will be no more
    std::optional<std::string_view> message;  // good until the next call; none: nothing now
  };

  virtual Result<Received> receive() = 0;  // does not wait
  virtual Result<void> send(std::string_view bytes) = 0;
  virtual Result<bool> wait(std::int64_t timeout_us) = 0;  // true: receive() may have something
  // SQLSTATE of the last error: "55006".
  virtual std::string error_code() const = 0;
};

enum class LinkKind { kQueries, kReplication };

// Resource. How to reach the server.
class PostgresServer {
 public:
  virtual ~PostgresServer() = default;
  virtual Result<std::unique_ptr<PostgresLink>> connect(LinkKind kind) = 0;

  virtual bool has_password() const { return false; }  // in the url
};

// By libpq. `url`: postgresql://user:password@host/database?sslmode=verify-full. No error of it
// tells the password.
Result<std::unique_ptr<PostgresServer>> make_postgres_server(const std::string& url);

// As SQL: "vitals" with its quotes, 'it''s'.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);

}  // namespace lockstep
