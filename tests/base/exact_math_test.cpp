#include "base/exact_math.h"

#include "base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <vector>

namespace lockstep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

// SplitMix64, so that the sweep is the same everywhere.
class Numbers {
 public:
  double between(double low, double high) {
    return low + (high - low) * (static_cast<double>(next() >> 11U) * 0x1p-53);
  }

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31U);
  }

 private:
  std::uint64_t state_ = 1;
};

// Units in the last place of `got` by which it misses the true value.
double ulps(double got, long double truth) {
  const double rounded = static_cast<double>(truth);
  if (std::isnan(rounded) || std::isnan(got))
    return std::isnan(rounded) && std::isnan(got) ? 0 : 1e9;
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : 1e9;
  const double size = std::fabs(rounded);
  const double ulp = std::nextafter(size, kInfinity) - size;
  return static_cast<double>(std::fabs(static_cast<long double>(got) - truth) / ulp);
}

template <typename Exact, typename Truth>
double worst(double low, double high, Exact exact, Truth truth) {
  Numbers numbers;
  double most = 0;
  for (int round = 0; round < 200'000; ++round) {
    const double x = numbers.between(low, high);
    most = std::max(most, ulps(exact(x), truth(static_cast<long double>(x))));
  }
  return most;
}

TEST(ExactMath, StaysWithinTwoUnitsOfTheTruth) {
  const auto exp_true = [](long double x) { return std::exp(x); };
  EXPECT_LE(worst(-745.2, 709.8, exact_exp, exp_true), 2);
  EXPECT_LE(worst(-1, 1, exact_exp, exp_true), 1);
  const auto log_true = [](long double x) { return std::log(x); };
  EXPECT_LE(worst(0, 1e-300, exact_log, log_true), 1);
  EXPECT_LE(worst(0.5, 2, exact_log, log_true), 1);
  EXPECT_LE(worst(0, 1e300, exact_log, log_true), 1);
  EXPECT_LE(worst(0, 1e-310, exact_log, log_true), 1);
  const auto cos_true = [](long double x) { return std::cos(x); };
  const auto sin_true = [](long double x) { return std::sin(x); };
  for (const double high : {0.8, 7.0, 1000.0, 1e6}) {
    EXPECT_LE(worst(-high, high, exact_cos, cos_true), 1) << high;
    EXPECT_LE(worst(-high, high, exact_sin, sin_true), 1) << high;
  }
}

TEST(ExactMath, PowersStayWithinTwoUnitsOfTheTruth) {
  Numbers numbers;
  double most = 0;
  for (int round = 0; round < 200'000; ++round) {
    const double base = std::exp(numbers.between(-200, 200));
    const double exponent = numbers.between(-3.5, 3.5);
    const long double truth =
        std::pow(static_cast<long double>(base), static_cast<long double>(exponent));
    most = std::max(most, ulps(exact_pow(base, exponent), truth));
    const double near = numbers.between(0.5, 1.5);
    const double large = numbers.between(-1000, 1000);
    const long double far =
        std::pow(static_cast<long double>(near), static_cast<long double>(large));
    if (far > 1e-300L) most = std::max(most, ulps(exact_pow(near, large), far));
  }
  EXPECT_LE(most, 2);
}

TEST(ExactMath, CosineIsRightBesideItsZeros) {
  double most = 0;
  for (int n = 1; n < 600'000; n += 7) {
    const double x = static_cast<double>(n * 1.57079632679489661923132169163975144L);
    const auto wide = static_cast<long double>(x);
    most = std::max(most, ulps(exact_cos(x), std::cos(wide)));
    most = std::max(most, ulps(exact_sin(x), std::sin(wide)));
  }
  EXPECT_LE(most, 1);
}

bool same(double left, double right) {
  if (std::isnan(left) || std::isnan(right)) return std::isnan(left) && std::isnan(right);
  return std::bit_cast<std::uint64_t>(left) == std::bit_cast<std::uint64_t>(right);
}

TEST(ExactMath, KeepsTheSpecialCases) {
  EXPECT_TRUE(same(exact_exp(0), 1));
  EXPECT_TRUE(same(exact_exp(-0.0), 1));
  EXPECT_TRUE(same(exact_exp(709.79), kInfinity));
  EXPECT_TRUE(same(exact_exp(kInfinity), kInfinity));
  EXPECT_TRUE(same(exact_exp(-kInfinity), 0));
  EXPECT_TRUE(same(exact_exp(-1e300), 0));
  EXPECT_TRUE(same(exact_exp(kNan), kNan));
  EXPECT_TRUE(same(exact_log(1), 0));
  EXPECT_TRUE(same(exact_log(0), -kInfinity));
  EXPECT_TRUE(same(exact_log(-0.0), -kInfinity));
  EXPECT_TRUE(same(exact_log(-1), kNan));
  EXPECT_TRUE(same(exact_log(-kInfinity), kNan));
  EXPECT_TRUE(same(exact_log(kInfinity), kInfinity));
  EXPECT_TRUE(same(exact_log(kNan), kNan));
  EXPECT_TRUE(same(exact_cos(0), 1));
  EXPECT_TRUE(same(exact_sin(0), 0));
  EXPECT_TRUE(same(exact_sin(-0.0), -0.0));
  EXPECT_TRUE(same(exact_sin(kTiny), kTiny));
  for (const double x : {std::nextafter(1e6, 2e6), -1.1e6, 1e300, kInfinity, -kInfinity, kNan}) {
    EXPECT_TRUE(std::isnan(exact_cos(x))) << x;
    EXPECT_TRUE(std::isnan(exact_sin(x))) << x;
  }
  EXPECT_FALSE(std::isnan(exact_cos(1e6)));
  EXPECT_FALSE(std::isnan(exact_cos(-1e6)));
  EXPECT_TRUE(same(exact_sqrt(2), std::sqrt(2.0)));
  EXPECT_TRUE(same(exact_sqrt(-0.0), -0.0));
  EXPECT_TRUE(std::isnan(exact_sqrt(-1)));
}

TEST(ExactMath, PowHasTheSpecialCasesOfTheStandard) {
  const double values[] = {0.0,       -0.0,       1.0,  -1.0,  2.0,    -2.0,  0.5,
                           -0.5,      3.0,        -3.0, 1e300, -1e300, kTiny, -kTiny,
                           kInfinity, -kInfinity, kNan, 0.3,   64.0,   1e18};
  for (const double base : values) {
    for (const double exponent : values) {
      const double truth = std::pow(base, exponent);
      const double got = exact_pow(base, exponent);
      const bool is_special = truth == 0 || !std::isfinite(truth);
      EXPECT_TRUE(is_special ? same(got, truth) : ulps(got, static_cast<long double>(truth)) <= 2)
          << base << " ^ " << exponent << ": " << got << ", not " << truth;
    }
  }
}

TEST(ExactMath, WholePowersOfWholeNumbersAreExact) {
  for (int base = 2; base <= 30; ++base) {
    double truth = 1;
    for (int exponent = 0; truth < 0x1p53; ++exponent, truth *= base) {
      EXPECT_EQ(exact_pow(base, exponent), truth) << base << " ^ " << exponent;
      EXPECT_EQ(exact_pow(-base, exponent), exponent % 2 == 0 ? truth : -truth);
    }
  }
}

TEST(ExactMath, ManyCosinesHaveTheBitsOfEach) {
  Numbers numbers;
  for (std::size_t count = 0; count < 40; ++count) {
    std::vector<double> x(count);
    for (double& value : x)
      value = numbers.between(-1.1e6, 1.1e6);
    if (count > 3) x[2] = kNan;
    if (count > 5) x[5] = kInfinity;
    std::vector<double> out(count);
    exact_cos_many(x.data(), out.data(), count);
    for (std::size_t index = 0; index < count; ++index) {
      EXPECT_TRUE(same(out[index], exact_cos(x[index]))) << x[index];
    }
    exact_cos_many(x.data(), x.data(), count);
    for (std::size_t index = 0; index < count; ++index)
      EXPECT_TRUE(same(out[index], x[index]));
  }
}

TEST(ExactMath, RoundsHalfToEvenInEveryRoundingMode) {
  for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const double got[] = {round_half_even(0.5),
                          round_half_even(1.5),
                          round_half_even(-2.5),
                          round_half_even(-3.5),
                          round_half_even(0.49999999999999994),
                          round_half_even(-0.2),
                          round_half_even(4503599627370495.5),
                          round_half_even(kInfinity)};
    std::fesetround(FE_TONEAREST);
    const double expected[] = {0, 2, -2, -4, 0, -0.0, 4503599627370496.0, kInfinity};
    for (std::size_t index = 0; index < std::size(expected); ++index) {
      EXPECT_TRUE(same(got[index], expected[index])) << mode << " " << index;
    }
  }
}

// The promise that matters most: the same bits from every compiler, build type and machine. NaN is
// left out, whose sign and payload IEEE 754 does not fix.
// base-8
TEST(ExactMath, GivesTheSameBitsEverywhere) {
  Numbers numbers;
  Sha256 hash;
  const auto note = [&](double value) {
    const auto bits = std::bit_cast<std::array<char, 8>>(std::isnan(value) ? 0.125 : value);
    hash.add({bits.data(), bits.size()});
  };
  for (int round = 0; round < 20'000; ++round) {
    note(exact_exp(numbers.between(-750, 711)));
    note(exact_exp(numbers.between(-1, 1)));
    note(exact_log(std::bit_cast<double>(numbers.next() >> 1U)));
    note(exact_log(numbers.between(0.5, 2)));
    note(exact_cos(numbers.between(-1e6, 1e6)));
    note(exact_sin(numbers.between(-10, 10)));
    note(exact_pow(numbers.between(0, 100), numbers.between(-20, 20)));
    note(exact_pow(numbers.between(-2, 2), static_cast<double>(round % 64)));
    note(exact_sqrt(numbers.between(0, 1e9)));
    note(round_half_even(numbers.between(-1e9, 1e9)));
  }
  EXPECT_EQ(hash.hex(), "9487a9b49c724e0c0f3ee308febb69b283bacceb52a52994788043810d403f6a");
}

}  // namespace
}  // namespace lockstep
