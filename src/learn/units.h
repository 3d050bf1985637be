// From fixed-point units to the units of the user's columns.
#pragma once

#include "learn/exact_sum.h"

#include <bit>
#include <cstdint>

namespace lockstep {

// 2^exponent, exactly; |exponent| < 1000.
inline double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(1023 + exponent) << 52);
}

// The nearest integer, ties to even, in every rounding mode of the thread, and without branches,
// which would be mispredicted half the time. |x| < 2^30.
inline std::int32_t rounded(double x) {
  const auto whole = static_cast<std::int32_t>(x);
  const double rest = x - static_cast<double>(whole);
  const bool odd = (whole & 1) != 0;
  const int up =
      static_cast<int>(rest > 0.5) | (static_cast<int>(rest == 0.5) & static_cast<int>(odd));
  const int down =
      static_cast<int>(rest < -0.5) | (static_cast<int>(rest == -0.5) & static_cast<int>(odd));
  return whole + up - down;
}

// What q stands for.
inline double real_value(double q, double centre, int exponent) {
  return centre + q * power_of_two(exponent - kFixedPointBits);
}

}  // namespace lockstep
