#include "learn/exact_sum.h"

#include "learn/sample.h"
#include "learn/units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfenv>

namespace lockstep {
namespace {

// Every product one after another: what the kernels are held to.
ExactSum naive(const std::vector<std::int32_t>& rows, int columns, int sign) {
  ExactSum sum = ExactSum::zero(columns);
  const std::size_t d = static_cast<std::size_t>(columns);
  for (std::size_t row = 0; row < rows.size() / d; ++row) {
    std::size_t place = 0;
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        sum.triangle[place++] += static_cast<Int128>(sign) * rows[row * d + i] * rows[row * d + j];
      }
    }
  }
  sum.row_count = sign * static_cast<std::int64_t>(rows.size() / d);
  return sum;
}

enum class Fill { kRandom, kLargest, kSmallest, kAlternating };

std::vector<std::int32_t> values(std::size_t count, Fill fill) {
  testing::Numbers numbers(count);
  std::vector<std::int32_t> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    switch (fill) {
      case Fill::kRandom:
        result[i] =
            static_cast<std::int32_t>(numbers.below(2 * kFixedPointMax + 1)) - kFixedPointMax;
        break;
      case Fill::kLargest:
        result[i] = kFixedPointMax;
        break;
      case Fill::kSmallest:
        result[i] = -kFixedPointMax;
        break;
      case Fill::kAlternating:
        result[i] = i % 3 == 0 ? -kFixedPointMax : kFixedPointMax;
        break;
    }
  }
  return result;
}

struct Case {
  int columns;
  std::int64_t rows;
  Fill fill;
};

const Case kCases[] = {
    {1, 1, Fill::kRandom},
    {1, 300, Fill::kLargest},
    {7, 8, Fill::kRandom},
    {8, 128, Fill::kLargest},
    {16, 129, Fill::kSmallest},
    {23, 127, Fill::kRandom},
    {24, 256, Fill::kAlternating},
    {25, 1000, Fill::kRandom},
    {39, 4097, Fill::kRandom},
    {64, 700, Fill::kAlternating},
    {3, 70'000, Fill::kLargest},
    {100, 5, Fill::kRandom},
};

TEST(SumKernels, AllGiveTheIntegersOfTheNaiveSum) {
  for (const SumKernel& kernel : sum_kernels()) {
    if (!kernel.supported()) continue;
    for (const Case& each : kCases) {
      const auto rows = values(static_cast<std::size_t>(each.columns * each.rows), each.fill);
      for (const int sign : {1, -1}) {
        ExactSum sum = ExactSum::zero(each.columns);
        kernel.fold(rows, each.rows, sign, sum);
        EXPECT_TRUE(sum == naive(rows, each.columns, sign))
            << kernel.name << ": " << each.columns << " columns, " << each.rows << " rows, sign "
            << sign;
      }
    }
  }
}

TEST(SumKernels, PartsInAnyOrderAddUpToTheWhole) {
  constexpr int kColumns = 30;
  const auto rows = values(kColumns * 1000, Fill::kRandom);
  const ExactSum whole = naive(rows, kColumns, 1);
  for (const SumKernel& kernel : sum_kernels()) {
    if (!kernel.supported()) continue;
    ExactSum sum = ExactSum::zero(kColumns);
    const std::span<const std::int32_t> all(rows);
    for (const int part : {7, 2, 9, 0, 4, 1, 8, 3, 6, 5}) {
      kernel.fold(all.subspan(static_cast<std::size_t>(part) * 100 * kColumns, 100 * kColumns),
                  100,
                  1,
                  sum);
    }
    EXPECT_TRUE(sum == whole) << kernel.name;
    kernel.fold(rows, 1000, -1, sum);
    EXPECT_TRUE(sum == ExactSum::zero(kColumns)) << kernel.name;
  }
}

TEST(SumKernels, AllQuantiseAsOneNumberAtATime) {
  const Quantisation how = {.low = -3.5, .high = 7.25, .centre = 0.5, .factor = 0x1p18};
  testing::Numbers numbers(7);
  std::vector<double> values = {-3.5, 7.25, -100, 1e300, -1e300, 0.5, -0.0};
  // Ties, on both sides of even ones.
  for (int i = -9; i < 9; ++i)
    values.push_back(0.5 + (i + 0.5) * 0x1p-18);
  while (values.size() < 1001)
    values.push_back(numbers.uniform() * 12 - 4);
  constexpr std::ptrdiff_t kStride = 3;
  for (const SumKernel& kernel : sum_kernels()) {
    if (!kernel.supported()) continue;
    std::vector<std::int32_t> out(values.size() * kStride, 77);
    kernel.quantise(values, how, out.data(), kStride);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double within = std::clamp(values[i], how.low, how.high);
      EXPECT_EQ(out[i * kStride], rounded((within - how.centre) * how.factor))
          << kernel.name << ": " << values[i];
      EXPECT_EQ(out[i * kStride + 1], 77) << kernel.name;
    }
  }
}

TEST(SumKernels, AllGiveTheSameBitsOfLinearForms) {
  testing::Numbers numbers(8);
  for (const std::size_t width : {1U, 4U, 7U, 39U}) {
    for (const std::size_t count : {1U, 3U, 4U, 101U}) {
      std::vector<double> map(width);
      for (double& factor : map)
        factor = numbers.uniform() - 0.5;
      const std::size_t stride = width + 2;
      std::vector<std::int32_t> q(stride * count);
      for (std::int32_t& cell : q)
        cell = static_cast<std::int32_t>((numbers.uniform() - 0.5) * kFixedPointMax);
      std::vector<double> first;
      for (const SumKernel& kernel : sum_kernels()) {
        if (!kernel.supported()) continue;
        std::vector<double> out(count, 77);
        kernel.residuals({q.data(), count, stride}, map, out.data());
        if (first.empty()) first = out;
        EXPECT_EQ(out, first) << kernel.name;
        for (std::size_t row = 0; row < count; ++row) {
          double sum = 0;
          for (std::size_t column = 0; column < width; ++column)
            sum += map[column] * q[row * stride + column];
          EXPECT_NEAR(out[row], sum, 1e-6) << kernel.name << ": " << width << " columns";
        }
      }
    }
  }
}

TEST(SumKernels, QuantiseInEveryRoundingModeOfTheThread) {
  const Quantisation how = {.low = -8, .high = 8, .centre = 0, .factor = 0x1p20};
  const std::vector<double> values = {0.3, -0.3, 1.1, -1.1, 0x1.8p-20, 0x1p-21, -0x1.8p-20, 5.7};
  for (const SumKernel& kernel : sum_kernels()) {
    if (!kernel.supported()) continue;
    std::vector<std::int32_t> usual(values.size());
    kernel.quantise(values, how, usual.data(), 1);
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
      std::vector<std::int32_t> other(values.size());
      std::fesetround(mode);
      kernel.quantise(values, how, other.data(), 1);
      std::fesetround(FE_TONEAREST);
      EXPECT_EQ(other, usual) << kernel.name << ", mode " << mode;
    }
  }
}

TEST(SumKernels, ANameThatIsNotThereIsAnErrorWithTheOthersAsHint) {
  EXPECT_TRUE(choose_sum_kernel("portable").ok());
  const auto missing = choose_sum_kernel("abacus");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("abacus"), std::string::npos);
  EXPECT_NE(missing.error().hint.find("portable"), std::string::npos);
}

TEST(ExactSum, AddsAndTakesAwayAnother) {
  const auto rows = values(5 * 40, Fill::kRandom);
  const ExactSum one = naive(rows, 5, 1);
  ExactSum sum = one;
  sum.add(one, 1);
  EXPECT_EQ(sum.row_count, 80);
  EXPECT_EQ(sum.real(4, 2), 2 * one.real(2, 4));
  sum.add(one, -1);
  EXPECT_TRUE(sum == one);
}

}  // namespace
}  // namespace lockstep
