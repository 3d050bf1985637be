// The cells of a row, as the binary log has them. Pure.
//
// An image is the null bits of the columns that are there, and behind them the values of those that
// are not null. A value has a size by its type, or its own in front.
#pragma once

#include "base/result.h"
#include "source/mysql/binlog.h"

#include <cstddef>
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

// Value. Which columns the images of an event have, by bits.
class PresentColumns final {
 public:
  PresentColumns() = default;
  PresentColumns(std::string_view bits, std::size_t column_count);

  std::size_t count() const { return count_; }

  bool has(std::size_t column) const { return has_all_ || bit_at(bits_, column); }

 private:
  std::string_view bits_;
  std::size_t count_ = 0;
  bool has_all_ = false;
};

// Takes one image off the front of `rest`.
Result<void> take_row_image(std::string_view& rest,
                            const PresentColumns& present,
                            const std::vector<CellSize>& sizes,
                            std::vector<LogCell>& cells);

}  // namespace lockstep
