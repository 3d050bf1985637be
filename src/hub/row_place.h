// Where a row lies.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <string_view>

namespace lockstep {

// Value. Where a current row lies: in the inlined table under its row id, or at a position of a
// data file.
struct RowPlace {
  static constexpr std::int64_t kInlined = -1;

  std::int64_t row_id = 0;
  std::int64_t file_id = kInlined;
  std::int64_t position = 0;  // in the file

  bool is_inlined() const { return file_id == kInlined; }

  bool operator==(const RowPlace&) const = default;
};

// Takes the row of a key, which has the bytes of encode_key.
using TakePlace = std::function<Result<void>(std::string_view key, const RowPlace& place)>;

}  // namespace lockstep
