// Watermarks: what is greater, and from where on rows are read again. Pure.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// Value. How far behind the newest watermark rows are read again, as lockstep.yaml has it.
struct WatermarkOverlap {
  std::optional<std::int64_t> us;     // "5m"
  std::optional<std::int64_t> count;  // "1000"; both: as 0 is
};

// Value. Where a watermark stands among others of its type: a number, days, microseconds. A time's
// zone is left out: a database writes all of a column in one.
std::optional<std::int64_t> watermark_number(std::string_view text, Type type);

// The least watermark of the next look: `overlap` behind the greatest one that was seen, or behind
// `now` where that is before. A text that sorts before all others of its second, too, where a
// database compares texts. kInvalid: the overlap is of another type.
Result<std::string> watermark_since(std::string_view seen,
                                    Type type,
                                    const WatermarkOverlap& overlap,
                                    std::optional<Timestamp> now);

}  // namespace lockstep
