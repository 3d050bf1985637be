// Opening a source of type `mysql`: the copy of its tables, and its place in the server's log.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/mysql/mysql_changes.h"
#include "source/mysql/mysql_copy.h"
#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_position.h"
#include "source/mysql/mysql_settings.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// What opening needs. Holds for a call.
struct MysqlOpening {
  Io& io;
  MysqlServer& server;
  const MysqlSettings& settings;
  const std::vector<TableTarget>& targets;
};

// The copy of tables as they are at one moment.
struct BegunMysqlCopy {
  std::unique_ptr<MysqlCopy> copy;
  std::vector<FollowedTable> tables;
  std::map<std::string, CopiedMysqlTable> copied;  // what it moves their positions to
  MysqlPosition position;                          // of a copy of all: where the log goes on
};

// `before`: the position so far, of which the client's id stays.
Result<BegunMysqlCopy> begin_mysql_copy(const MysqlOpening& opening, const MysqlPosition& before);

// Of some tables, while the log of all goes on: of those that came later, or are others now.
Result<BegunMysqlCopy> begin_mysql_copy_of(const MysqlOpening& opening,
                                           const std::set<std::string>& origins);

// The tables, and those that are not as they were when they were copied, or never were.
struct MysqlTablesNow {
  std::vector<FollowedTable> tables;
  std::set<std::string> stale;
};

Result<MysqlTablesNow> look_at_mysql_tables(const MysqlOpening& opening,
                                            const std::map<std::string, CopiedMysqlTable>& copied);

// The log behind a position, as it comes.
struct StartedLog {
  std::unique_ptr<MysqlLink> link;
  std::string server;           // as it names itself
  LogState end;                 // of the log, now
  std::vector<LogPlace> files;  // each with its size
};

// kRefused: changes behind the position would be missing.
Result<StartedLog> start_mysql_log(const MysqlOpening& opening, const MysqlPosition& position);

}  // namespace lockstep
