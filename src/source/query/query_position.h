// How far each table of a source of type `query` was read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lockstep {

// Value. A table, as it was when it was last read. Its part is "table vitals":
// {"version":1,"shape":"9f86d081884c7d65","watermark":"2026-11-26 08:00:00","read":"since",
// "rows":12,"content":"...","compared":1764144000000000}
struct QueryPlace {
  std::string shape;                        // of what was read: query, columns, watermark
  std::optional<std::string> watermark;     // the greatest that was seen; nullopt: none yet
  bool was_compared = false;                // the last look read all rows
  std::int64_t row_count = 0;               // that it read
  std::string content;                      // a hash of them
  std::optional<std::int64_t> compared_us;  // when all were read last, by our clock
  bool operator==(const QueryPlace&) const = default;
};

using QueryPosition = std::map<std::string, QueryPlace>;  // by table

Position query_change(const std::string& table, const QueryPlace& place);

// kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<QueryPosition> parse_query_position(const Position& parts);

std::string describe_query_position(const QueryPosition& position);

}  // namespace lockstep
