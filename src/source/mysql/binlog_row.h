// The cells of a row, as the binary log has them. Pure.
//
// An image is the null bits of the columns that are there, and behind them the values of those that
// are not null. A value has a size by its type, or its own in front.
#pragma once

#include "base/result.h"
#include "source/mysql/binlog.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace lockstep {

struct LogCell {
  enum class Kind : std::uint8_t { kAbsent, kNull, kValue };
  Kind kind = Kind::kAbsent;
  std::string_view bytes;  // without their size
};

// Value. How many bytes a column's values have.
struct CellSize {
  std::uint16_t fixed = 0;
  std::uint8_t prefix = 0;  // not 0: so many bytes in front tell the size
};

// kUnsupported: of a type that is not known.
Result<std::vector<CellSize>> cell_sizes(const LogTable& table);

// Takes one image off the front of `rest`. `present`: which columns it has, by bits.
Result<void> take_row_image(std::string_view& rest,
                            std::string_view present,
                            const std::vector<CellSize>& sizes,
                            std::vector<LogCell>& cells);

}  // namespace lockstep
