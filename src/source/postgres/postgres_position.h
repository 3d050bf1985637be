// How far a source of type `postgres` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_lsn.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <string>

namespace lockstep {

// Value. A table whose rows were copied.
struct CopiedTable {
  Lsn lsn = 0;             // changes up to there are in the copy
  std::string shape = {};  // of the table, as table_shape() has it
  bool operator==(const CopiedTable&) const = default;
};

// Value. In parts: "" is {"version":1,"system":"7329...","timeline":1,"slot":"lockstep_clinic"},
// "lsn" is the end of the last transaction, and "table public.vitals" where its copy was taken,
// with the shape that it had: "0/16B3748 9f86d081884c7d65".
struct PostgresPosition {
  std::string system = {};  // the server's identifier
  std::int64_t timeline = 0;
  std::string slot = {};
  Lsn lsn = 0;
  std::map<std::string, CopiedTable> tables = {};  // by origin

  bool is_empty() const { return system.empty(); }

  Position parts() const;
  bool operator==(const PostgresPosition&) const = default;
};

inline constexpr std::string_view kLsnPart = "lsn";

Position lsn_change(Lsn lsn);
// The part of a table that was copied.
void add_copied(Position& changes, const std::string& origin, const CopiedTable& table);

// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<PostgresPosition> parse_postgres_position(const Position& parts);

}  // namespace lockstep
