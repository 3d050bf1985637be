// The kernels in plain C++: two doubles at a time, which every 64-bit processor has.
#include "learn/kernels.h"
#include "learn/units.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <span>

#define LOCKSTEP_LANES 2
#define LOCKSTEP_TILE_ROWS 4
#define LOCKSTEP_TILE_VECTORS 2
#define LOCKSTEP_FMA(a, b, c) ((a) * (b) + (c))
#define LOCKSTEP_NEAREST(x) (nearest_two(x))

namespace lockstep {
namespace {

// SSE2 has no such instruction.
inline __m128d nearest_two(__m128d x) {
  const double halves[2] = {static_cast<double>(rounded(_mm_cvtsd_f64(x))),
                            static_cast<double>(rounded(_mm_cvtsd_f64(_mm_unpackhi_pd(x, x))))};
  return _mm_loadu_pd(halves);
}

#include "learn/residual_body.inc"
#include "learn/sum_body.inc"
#include "learn/to_fixed_body.inc"
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

void portable_residuals(const FormRows& rows, std::span<const double> map, double* out) {
  residuals_body(rows, map, out);
}

void portable_quantise(std::span<const double> numbers,
                       const Quantisation& how,
                       std::int32_t* out,
                       std::ptrdiff_t stride) {
  quantise_body(numbers, how, out, stride);
}

}  // namespace lockstep

bool lockstep::portable_supported() {
  return true;
}
