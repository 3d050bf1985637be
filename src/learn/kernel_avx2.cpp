// The kernels for AVX2 and FMA: four doubles at a time.
#include "learn/kernels.h"
#include "learn/units.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <span>

#define LOCKSTEP_LANES 4
#define LOCKSTEP_TILE_ROWS 4
#define LOCKSTEP_TILE_VECTORS 3
#define LOCKSTEP_FMA(a, b, c) (_mm256_fmadd_pd(_mm256_set1_pd(a), (b), (c)))
#define LOCKSTEP_NEAREST(x) (_mm256_round_pd((x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))

#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace lockstep {
namespace {
#include "learn/residual_body.inc"
#include "learn/sum_body.inc"
#include "learn/to_fixed_body.inc"
#include "learn/update_body.inc"
}  // namespace

void avx2_fold(std::span<const std::int32_t> rows,
               std::int64_t row_count,
               int sign,
               ExactSum& sum) {
  fold_body(rows, row_count, sign, sum);
}

void avx2_update(const RowUpdate& update) {
  update_body(update);
}

void avx2_residuals(const FormRows& rows, std::span<const double> map, double* out) {
  residuals_body(rows, map, out);
}

void avx2_quantise(std::span<const double> numbers,
                   const Quantisation& how,
                   std::int32_t* out,
                   std::ptrdiff_t stride) {
  quantise_body(numbers, how, out, stride);
}

}  // namespace lockstep

#pragma GCC pop_options

bool lockstep::avx2_supported() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
