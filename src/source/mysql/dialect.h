// What MariaDB and MySQL do differently where they are asked: what a server must have set, where
// its log is, how a snapshot of its tables is taken, which rights a follower needs. How the log's
// bytes differ is in binlog_transaction.h, how a log is asked for in mysql_log_stream.h; all else
// is the same for both.
#pragma once

#include "base/result.h"
#include "source/mysql/mysql_catalog.h"
#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_position.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// What is missing for the log to tell all changes, with the statement that mends it.
struct MysqlLack {
  std::string text;
  std::string remedy;
};

class MysqlDialect {
 public:
  virtual ~MysqlDialect() = default;

  virtual std::string name() const = 0;  // "MariaDB"

  virtual std::vector<MysqlLack> lacks_of_log(const MysqlServerState& state) const = 0;
  // What does no harm now, but may.
  virtual std::vector<MysqlLack> doubts_of_log(const MysqlServerState& state) const = 0;
  // Of a replica that does not log what it replicates; nullopt: it is none, for all that it says.
  virtual std::optional<MysqlLack> lack_of_replica(const MysqlServerState& state) const = 0;

  // Rights on all of the server that a user's grants, in capitals, do not give.
  virtual std::vector<std::string> missing_rights(std::string_view grants) const = 0;
  // Its answer is the log's file, place, and the databases that are alone, or not, in it.
  virtual std::string log_status_query() const = 0;

  virtual Result<LogState> read_log_end(MysqlLink& link) const = 0;
  // From here on the connection sees what the log has up to that place, and nothing behind it.
  virtual Result<LogProgress> begin_snapshot(MysqlLink& link) const = 0;

  // Whether a position can only be of this very server.
  virtual bool stays_on_server() const = 0;
  // Why the log, whose end has all that was followed, does not go on there; nullopt: it does.
  virtual Result<std::optional<std::string>> break_behind(
      MysqlLink& link, const LogProgress& position, std::span<const LogPlace> files) const = 0;
};

std::unique_ptr<MysqlDialect> make_mariadb_dialect();
std::unique_ptr<MysqlDialect> make_mysql_dialect(const MysqlServerState& state);
std::unique_ptr<MysqlDialect> make_dialect(const MysqlServerState& state);

}  // namespace lockstep
