// The proleptic Gregorian calendar, by H. Hinnant, "chrono-compatible low-level date algorithms":
// eras of 400 years that begin in March, so that a leap day comes last.
#pragma once

#include <cstdint>

namespace lockstep {

struct Civil {
  std::int64_t year = 0;  // astronomical: 0 is 1 BC
  int month = 0;          // 1 to 12
  int day = 0;            // 1 to 31
};

std::int64_t days_of_civil(const Civil& civil);  // since 1970
Civil civil_of_days(std::int64_t days);

// Towards minus infinity; `by` is above 0.
constexpr std::int64_t floor_divide(std::int64_t number, std::int64_t by) {
  return number / by - (number % by < 0 ? 1 : 0);
}

}  // namespace lockstep
