// Connections to a MariaDB or MySQL server, as far as the source needs them: what tests replace.
#pragma once

#include "base/result.h"
#include "source/mysql/binlog_payload.h"
#include "source/mysql/log_state.h"
#include "source/mysql/mysql_types.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. The answer to a query, as texts.
struct MysqlAnswer {
  using Row = std::vector<std::optional<std::string>>;

  struct Column {
    std::string name;
    MysqlType type;  // its texts come in UTF-8, whatever the table has
  };

  std::vector<Row> rows;
  std::vector<Column> columns = {};

  // The cell's text; null is empty.
  std::string text(std::size_t row, std::size_t column) const {
    return rows.at(row).at(column).value_or("");
  }
};

// What a replica asks for.
struct LogRequest {
  LogState after;            // transactions behind these
  std::uint32_t client = 0;  // a server id of its own
};

// Resource. One connection, for queries; or, once a log was started, for that.
class MysqlLink {
 public:
  virtual ~MysqlLink() = default;
  // Waits for the answer. Each `?` of `sql` is one of `parameters`, as a text.
  virtual Result<MysqlAnswer> query(const std::string& sql,
                                    const std::vector<std::string>& parameters) = 0;
  // The same, of an answer that is taken row by row.
  virtual Result<void> start_rows(const std::string& sql) = 0;
  using Cells = std::vector<std::optional<std::string_view>>;
  // false: there are no more. Into `cells`, good until the next call.
  virtual Result<bool> next_row(Cells& cells) = 0;

  virtual Result<void> start_log(const LogRequest& request) = 0;
  // The oldest event that has come, good until the next call; nullopt: none now.
  virtual Result<std::optional<SentEvent>> receive() = 0;
  virtual Result<bool> wait(std::int64_t timeout_us) = 0;  // true: receive() may have something
  virtual std::uint64_t waiting_bytes() = 0;               // that have come and were not received
};

// A connection that waits for a log notices sooner that its server is gone.
enum class MysqlLinkKind { kQueries, kLog };

// Resource. How to reach the server.
class MysqlServer {
 public:
  virtual ~MysqlServer() = default;
  virtual Result<std::unique_ptr<MysqlLink>> connect(MysqlLinkKind kind) = 0;

  virtual std::string database() const { return ""; }  // that the url names

  virtual bool has_password() const { return false; }  // in the url
};

// By libmariadb. `url`: mysql://user:password@host:3306/database?ssl-mode=verify-identity. No error
// of it tells the password.
Result<std::unique_ptr<MysqlServer>> make_mysql_server(const std::string& url);

// As SQL: `visits` with its quotes, 'it''s'.
std::string quote_mysql_name(std::string_view name);
std::string quote_mysql_text(std::string_view text);

}  // namespace lockstep
