// How a server is asked for its log over a connection of libmariadb, and gives it: a MariaDB by
// the library's own replication functions, a MySQL by the command that takes a set of ids, which
// the library does not know.
#pragma once

#include "base/result.h"
#include "source/mysql/binlog_payload.h"
#include "source/mysql/mysql_link.h"

#include <functional>
#include <memory>

struct st_mysql;  // NOLINT(readability-identifier-naming): the library's MYSQL

namespace lockstep {

// Resource. The log's events, one after another; each waits for the server.
class MysqlLogStream {
 public:
  virtual ~MysqlLogStream() = default;
  virtual Result<SentEvent> fetch() = 0;  // good until the next call
};

// What the connection's last error is.
using MysqlFailure = std::function<Error()>;

// The connection is the stream's from here on, and outlives it.
Result<std::unique_ptr<MysqlLogStream>> start_log_stream(st_mysql* connection,
                                                         const LogRequest& request,
                                                         const MysqlFailure& failure);

}  // namespace lockstep
