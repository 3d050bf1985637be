// How far a source of type `mysql` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/mysql/log_state.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <string>

namespace lockstep {

// Value. A place in the server's binary log; files are numbered in their order.
struct LogPlace {
  std::string file = {};
  std::uint64_t offset = 0;

  std::string text() const;  // "binlog.000003:4711"
  std::uint64_t file_number() const;
  bool operator==(const LogPlace&) const = default;
};

bool is_before(const LogPlace& left, const LogPlace& right);

// Value. A table whose rows were copied.
struct CopiedMysqlTable {
  LogState state = {};     // changes up to there are in the copy
  std::string shape = {};  // of the table, as table_shape() has it
  bool operator==(const CopiedMysqlTable&) const = default;
};

// Value. Behind which transactions the log goes on.
struct LogProgress {
  std::string server = {};  // whose log the place is in, as it names itself
  LogState state = {};
  LogPlace place = {};  // of the newest
  bool operator==(const LogProgress&) const = default;
};

// Value. In parts: "" is {"version":1,"server":"3VpH...","client":2847123}, and "table shop.visits"
// is where its copy was taken, with the shape that it had: "0-1-4000 9f86d081884c7d65".
//
// Of MariaDB, version 1, "gtid 0" is the last transaction of domain 0 with its end in the log,
// "0-1-4711 binlog.000003:4711". Of MySQL, version 2, "gtid 3e11fa47-..." is all that happened of
// that source, "1-4711:4713", and "place" the newest one's end and the server in whose log that is,
// "binlog.000003:4711 3e11fa47-...": after a failover another server goes on.
struct MysqlPosition {
  std::string server = {};   // of the newest place
  std::uint32_t client = 0;  // the server id under which it is followed
  LogState state = {};
  LogPlace place = {};                                  // of the newest
  std::map<std::string, CopiedMysqlTable> tables = {};  // by origin

  bool is_empty() const { return server.empty(); }

  LogProgress progress() const { return {server, state, place}; }

  Position parts() const;
  bool operator==(const MysqlPosition&) const = default;
};

// The parts that differ once `gtid` is the newest in `progress`.
void add_gtid(Position& changes, const LogProgress& progress, const LogGtid& gtid);
void add_progress(Position& changes, const LogProgress& progress);  // all of its parts
// The part of a table that was copied.
void add_copied(Position& changes, const std::string& origin, const CopiedMysqlTable& table);
void remove_copied(Position& changes, const std::string& origin);

// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<MysqlPosition> parse_mysql_position(const Position& parts);

}  // namespace lockstep
