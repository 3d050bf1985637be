// Exact sums of products: X'X over signed rows of fixed-point numbers, in integers. See
// docs/design.md, "Exact sums".
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep {

__extension__ using Int128 = __int128;

// Fixed point of every column: q = round_half_even(x * 2^20), |q| < 2^23, so |x| < 8.
inline constexpr int kFixedPointBits = 20;
inline constexpr std::int32_t kFixedPointMax = (1 << 23) - 1;

// Value. A symmetric matrix of exact sums, lower triangle by rows: sum of q_i * q_j over rows, and
// the number of rows.
struct ExactSum {
  int column_count = 0;
  std::int64_t row_count = 0;    // +1 rows less -1 rows
  std::vector<Int128> triangle;  // column_count * (column_count + 1) / 2

  static ExactSum zero(int column_count);
  Int128 at(int row, int column) const;
  // As a real number: at() / 2^40, rounded once.
  double real(int row, int column) const;
  void add(const ExactSum& other, int sign);

  bool operator==(const ExactSum&) const = default;
};

// Value. How the numbers of a column become fixed point: kept within [low, high], then
// (x - centre) * factor, rounded half to even; the result stays below 2^30.
struct Quantisation {
  double low = 0;
  double high = 0;
  double centre = 0;
  double factor = 1;
};

// Value. Rows for linear forms, row-major; a form may be of their first columns only.
struct FormRows {
  const std::int32_t* q = nullptr;
  std::size_t count = 0;
  std::size_t stride = 0;  // from one row to the next
};

// One way to compute the sums. All give the same bits; tests run every one against the same table.
struct SumKernel {
  const char* name;     // "portable", "avx2", "avx512"
  bool (*supported)();  // by this processor
  // Adds sign * (rows' products). rows: row-major, row_count x column_count, each |q| <=
  // kFixedPointMax.
  void (*fold)(std::span<const std::int32_t> rows, std::int64_t row_count, int sign, ExactSum& sum);
  // Of numbers that are not NaN; one goes `stride` after the other.
  void (*quantise)(std::span<const double> numbers,
                   const Quantisation& how,
                   std::int32_t* out,
                   std::ptrdiff_t stride);
  // out[row] = sum over columns of map[column] * q[row][column].
  void (*residuals)(const FormRows& rows, std::span<const double> map, double* out);
};

// Best first.
std::span<const SumKernel> sum_kernels();
// The first that is supported, or the one of that name (from LOCKSTEP_KERNEL, handed down by main);
// kInvalid: none such.
Result<const SumKernel*> choose_sum_kernel(std::string_view name = {});

}  // namespace lockstep
