// Columns of a batch as plain arrays: the one place of this layer that knows Arrow's arrays.
#pragma once

#include "table/batch.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace lockstep {

struct NumberColumn {
  std::vector<double> values;         // as Batch::number_at; anything where missing
  std::vector<std::uint8_t> missing;  // 1 where null
};

void read_numbers(
    const Batch& batch, int column, std::int64_t offset, std::int64_t count, NumberColumn& out);

}  // namespace lockstep
