// The kernels in plain C++: two doubles at a time, which every 64-bit processor has.
#include "learn/kernels.h"

#include <cstdint>
#include <immintrin.h>
#include <span>

#define LOCKSTEP_LANES 2
#define LOCKSTEP_TILE_ROWS 4
#define LOCKSTEP_TILE_VECTORS 2
#define LOCKSTEP_FMA(a, b, c) ((a) * (b) + (c))

namespace lockstep {
namespace {
#include "learn/sum_body.inc"
#include "learn/update_body.inc"
}  // namespace

void portable_fold(std::span<const std::int32_t> rows,
                   std::int64_t row_count,
                   int sign,
                   ExactSum& sum) {
  fold_body(rows, row_count, sign, sum);
}

void portable_update(const RowUpdate& update) {
  update_body(update);
}

}  // namespace lockstep

bool lockstep::portable_supported() {
  return true;
}
