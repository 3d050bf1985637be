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

// What q stands for.
inline double real_value(double q, double centre, int exponent) {
  return centre + q * power_of_two(exponent - kFixedPointBits);
}

}  // namespace lockstep
