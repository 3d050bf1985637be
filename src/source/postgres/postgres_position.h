// How far a source of type `postgres` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_lsn.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lockstep {

// Value. A table whose rows were copied.
struct CopiedTable {
  Lsn lsn = 0;             // changes up to there are in the copy
  std::string shape = {};  // of the table, as table_shape() has it
  bool operator==(const CopiedTable&) const = default;
};

// Value. How far the first copy is, while it is not whole: what it goes on with on another day.
struct CopyProgress {
  std::string origin = {};  // of the table that is being copied; empty: all are
  std::int64_t node = 0;    // of its storage: another one has its rows in other places
  std::int64_t block = 0;   // rows in those before it have been given
  bool operator==(const CopyProgress&) const = default;
};

// Value. In parts: "" is {"version":1,"system":"7329...","timeline":1,"slot":"lockstep_clinic"},
// "lsn" is the end of the last transaction, and "table public.vitals" where its copy was taken,
// with the shape that it had: "0/16B3748 9f86d081884c7d65". While the first copy is staged and not
// whole there is "copy": {"table":"public.vitals","node":16402,"block":2048}; no commit has it.
struct PostgresPosition {
  std::string system = {};  // the server's identifier
  std::int64_t timeline = 0;
  std::string slot = {};
  Lsn lsn = 0;
  std::map<std::string, CopiedTable> tables = {};  // by origin
  std::optional<CopyProgress> copy = {};

  bool is_empty() const { return system.empty(); }

  Position parts() const;
  bool operator==(const PostgresPosition&) const = default;
};

inline constexpr std::string_view kLsnPart = "lsn";

Position lsn_change(Lsn lsn);
// The part of the first copy; nullopt: it is whole.
void add_progress(Position& changes, const std::optional<CopyProgress>& copy);
// The part of a table that was copied.
void add_copied(Position& changes, const std::string& origin, const CopiedTable& table);

// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<PostgresPosition> parse_postgres_position(const Position& parts);

}  // namespace lockstep
