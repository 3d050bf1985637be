// The messages of PostgreSQL's logical replication: the envelope of the stream, and within it the
// output plugin pgoutput, protocol version 1. Pure: bytes in, values out.
//
// All integers are big-endian, a text ends in NUL, a time is in microseconds since 2000-01-01:
//
//   'w' i64 start, i64 end of the log, i64 time, message      'k' i64 end, i64 time, u8 reply now
//   B i64 commit, i64 time, i32 xid         C u8 flags, i64 commit, i64 end, i64 time
//   R i32 id, schema, table, u8 identity, i16 columns: {u8 flags, name, i32 type, i32 modifier}
//   I i32 id 'N' tuple     U i32 id ['K'|'O' tuple] 'N' tuple     D i32 id 'K'|'O' tuple
//   T i32 tables, u8 flags, i32 id...       Y, O, M: types, origins, messages of applications
//   tuple: i16 cells: 'n' null | 'u' unchanged | 't' i32 length, text
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_lsn.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. What the walsender wraps around each message.
struct StreamFrame {
  char kind = 0;             // 'w' or 'k'
  Lsn log_end = 0;           // how far the server has read its log
  std::int64_t time_us = 0;  // of the server's clock, since 1970
  bool wants_reply = false;  // of 'k'
  std::string_view message;  // of 'w'
};

Result<StreamFrame> parse_frame(std::string_view bytes);

// The answer: everything before `flushed` is durable here.
struct StandbyStatus {
  Lsn flushed = 0;
  std::int64_t now_us = 0;  // since 1970
  bool asks_reply = false;
};

std::string status_bytes(const StandbyStatus& status);

struct TupleCell {
  char kind = 'n';  // 'n' null, 'u' unchanged, 't' text
  std::string_view text;
};

struct RelationColumn {
  bool in_identity = false;
  std::string name;
  std::uint32_t type = 0;
  std::int32_t modifier = -1;
  bool operator==(const RelationColumn&) const = default;
};

struct Relation {
  std::uint32_t id = 0;
  std::string schema;
  std::string table;
  char identity = 'd';  // 'd' primary key, 'n' nothing, 'f' full, 'i' index
  std::vector<RelationColumn> columns;
  bool operator==(const Relation&) const = default;
};

// Value, used again for each message: what of it holds says the kind. Texts point into the bytes.
struct PgoutputMessage {
  char kind = 0;                    // 'B' 'C' 'R' 'I' 'U' 'D' 'T'; others are not looked into
  Lsn commit = 0;                   // of B and C
  Lsn end = 0;                      // of C: behind the commit
  std::int64_t commit_time_us = 0;  // of B and C, since 1970
  std::uint32_t relation_id = 0;    // of I, U and D
  char old_kind = 0;                // of U and D: 'K' the identity's cells, 'O' all, 0 none
  std::vector<TupleCell> old_cells;
  std::vector<TupleCell> new_cells;
  std::vector<std::uint32_t> truncated;  // of T
  Relation relation;                     // of R
};

// kCorrupt: cut short, or not of this protocol.
Result<void> parse_pgoutput(std::string_view bytes, PgoutputMessage& out);

}  // namespace lockstep
