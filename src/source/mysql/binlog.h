// The events of MariaDB's and MySQL's binary log, as a replica is sent them. Pure: bytes in, values
// out; rows are split by binlog_row.h.
//
// All integers are little-endian. An event:
//
//   u32 time, u8 type, u32 server id, u32 length, u32 end in the file, u16 flags, body, [u32
//   CRC-32]
//
//   GTID 162          u64 number, u32 domain, u8 flags, ...; of MySQL see binlog_transaction.h
//   QUERY 2           u32 thread, u32 seconds, u8 length of database, u16 error, u16 length of
//                     status, status, database NUL, statement
//   TABLE_MAP 19      u48 table, u16 flags, u8 length, database NUL, u8 length, table NUL, columns,
//                     u8 type..., length, metadata, nullable bits, {u8 kind, length, bytes}...
//   rows 23-25,30-32  u48 table, u16 flags, [u16 more, ...], columns, bits of the columns that are
//                     there, of UPDATE a second time for the rows after it, rows
//   XID 16            u64            ROTATE 4    u64 position, file       HEARTBEAT 27  file
//   FORMAT 15         ..., the last 5 bytes: u8 checksum algorithm, u32
//
// A count of columns and a length within are 1 to 9 bytes, as in the client protocol.
#pragma once

#include "base/result.h"
#include "source/mysql/gtid.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class BinlogEventType : std::uint8_t {
  kQuery = 2,
  kStop = 3,
  kRotate = 4,
  kIntvar = 5,
  kRand = 13,
  kUserVar = 14,
  kFormat = 15,
  kXid = 16,
  kBeginLoad = 17,
  kExecuteLoad = 18,
  kTableMap = 19,
  kWriteRowsV1 = 23,
  kUpdateRowsV1 = 24,
  kDeleteRowsV1 = 25,
  kIncident = 26,
  kHeartbeat = 27,
  kIgnorable = 28,
  kRowsQuery = 29,
  kWriteRows = 30,
  kUpdateRows = 31,
  kDeleteRows = 32,
  kMysqlGtid = 33,
  kAnonymousGtid = 34,
  kPreviousGtids = 35,
  kTransactionContext = 36,
  kViewChange = 37,
  kXaPrepare = 38,
  kPartialUpdateRows = 39,
  kTransactionPayload = 40,
  kHeartbeatV2 = 41,
  kTaggedGtid = 42,
  kAnnotate = 160,
  kCheckpoint = 161,
  kGtid = 162,
  kGtidList = 163,
  kStartEncryption = 164,
  kQueryCompressed = 165,
  kWriteRowsCompressedV1 = 166,
  kUpdateRowsCompressedV1 = 167,
  kDeleteRowsCompressedV1 = 168,
  kWriteRowsCompressed = 169,
  kUpdateRowsCompressed = 170,
  kDeleteRowsCompressed = 171,
};

// Value. What all events have.
struct BinlogEvent {
  BinlogEventType type = BinlogEventType::kStop;
  std::uint32_t time_s = 0;
  std::uint32_t server = 0;
  std::uint32_t end = 0;  // in its file; 0: it is not in the file
  bool is_ignorable = false;
  std::string_view body;
};

// `has_checksum`: as the last FORMAT event says. kCorrupt: cut short, or another checksum.
Result<BinlogEvent> parse_binlog_event(std::string_view bytes, bool has_checksum);

// Whether its last bytes are its checksum: of an event before the first FORMAT event.
bool ends_in_checksum(std::string_view bytes);

// Of a FORMAT event, whose own checksum is not looked at: whether the events behind it have one.
Result<bool> parse_binlog_format(const BinlogEvent& event);

struct BinlogGtid {
  Gtid gtid;
  bool is_standalone = false;   // one statement, and no end behind it
  bool is_prepared_xa = false;  // it may be committed or rolled back later
};

Result<BinlogGtid> parse_binlog_gtid(const BinlogEvent& event);

struct BinlogQuery {
  std::string database;  // the session's
  std::string statement;
};

Result<BinlogQuery> parse_binlog_query(std::string_view body, bool is_compressed);

struct BinlogRotate {
  std::uint64_t position = 0;
  std::string file;
};

Result<BinlogRotate> parse_binlog_rotate(std::string_view body);

// Value. A column, as the log has it.
struct LogColumn {
  std::uint8_t type = 0;       // MYSQL_TYPE_..., the real one of strings that are ENUM or SET
  std::uint16_t metadata = 0;  // by type: length, precision and scale, digits of a fraction
  bool is_unsigned = false;
  std::string name;                 // empty: the server does not say
  std::vector<std::string> labels;  // of ENUM and SET, in the column's character set
  bool operator==(const LogColumn&) const = default;
};

// Value.
struct LogTable {
  std::uint64_t id = 0;
  std::string database;
  std::string table;
  std::vector<LogColumn> columns;

  // Whether the server tells names and signs (binlog_row_metadata=FULL).
  bool has_names() const { return columns.empty() || !columns.front().name.empty(); }
};

Result<std::uint64_t> table_id_of(std::string_view body);  // of TABLE_MAP and rows
Result<LogTable> parse_table_map(std::string_view body);
// Without its columns, which may be of types that are not known.
Result<LogTable> parse_table_map_name(std::string_view body);

enum class RowsKind : std::uint8_t { kInsert, kUpdate, kDelete };

// Value, used again. Texts point into the event's bytes, or into `inflated`.
struct LogRows {
  RowsKind kind = RowsKind::kInsert;
  std::uint64_t table = 0;
  std::size_t column_count = 0;
  std::string_view before;  // bits: which columns the images have; of an insert those of its row
  std::string_view after;   // of an update
  std::string_view rows;
  std::string inflated;
};

bool is_rows_event(BinlogEventType type);
Result<void> parse_log_rows(const BinlogEvent& event, LogRows& out);

inline bool bit_at(std::string_view bits, std::size_t index) {
  constexpr std::size_t kBits = 8;
  return (static_cast<unsigned char>(bits[index / kBits]) >> (index % kBits) & 1) != 0;
}

}  // namespace lockstep
