// How far a source of type `postgres` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/postgres_lsn.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <string>

namespace lockstep {

// Value. In parts: "" is {"version":1,"system":"7329...","timeline":1,"slot":"lockstep_clinic"},
// "lsn" is the end of the last transaction, and "table public.vitals" where its copy was taken.
struct PostgresPosition {
  std::string system = {};  // the server's identifier
  std::int64_t timeline = 0;
  std::string slot = {};
  Lsn lsn = 0;
  std::map<std::string, Lsn> tables = {};  // by origin: changes up to there are in the copy

  bool is_empty() const { return system.empty(); }

  Position parts() const;
  bool operator==(const PostgresPosition&) const = default;
};

inline constexpr std::string_view kLsnPart = "lsn";

Position lsn_change(Lsn lsn);

// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<PostgresPosition> parse_postgres_position(const Position& parts);

}  // namespace lockstep
