// How a transaction begins in the log of either server, and the events with ids that only MySQL
// writes. Pure.
//
//   GTID 162              MariaDB's: see binlog.h
//   GTID 33, ANONYMOUS 34 u8 flags, uuid, u64 number, ...
//   GTID_TAGGED 42        fields of MySQL's serialization library, each with its number in front:
//                         0 flags, 1 the uuid's bytes, 2 number, 3 tag, ...
//   PREVIOUS_GTIDS 35     the set of all transactions in the files before (gtid_set.h)
#pragma once

#include "base/result.h"
#include "source/mysql/binlog.h"
#include "source/mysql/log_state.h"

#include <optional>

namespace lockstep {

// Value.
struct LogTransaction {
  LogGtid gtid;
  // One statement, and no end behind it. nullopt: MySQL does not say; the first statement does.
  std::optional<bool> is_standalone = false;
  bool is_prepared_xa = false;  // it may be committed or rolled back later
};

// kRefused: a transaction without an id.
Result<LogTransaction> parse_log_transaction(const BinlogEvent& event);

Result<GtidSet> parse_previous_gtids(const BinlogEvent& event);

}  // namespace lockstep
