#include "learn/dense.h"

#include "base/exact_math.h"
#include "learn/kernels.h"
#include "learn/quantile.h"
#include "learn/sample.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

// A symmetric positive definite matrix: 1 on the diagonal, small elsewhere.
DenseMatrix positive(int size) {
  testing::Numbers numbers(static_cast<std::uint64_t>(size));
  DenseMatrix matrix(size);
  for (int i = 0; i < size; ++i) {
    matrix.row(i)[i] = 1;
    for (int j = 0; j < i; ++j)
      matrix.row(i)[j] = matrix.row(j)[i] = (numbers.uniform() - 0.5) / size;
  }
  return matrix;
}

TEST(Cholesky, SolvesWhatItFactored) {
  for (const int size : {1, 3, 4, 15, 16, 17, 50, 131}) {
    const DenseMatrix matrix = positive(size);
    DenseMatrix upper = matrix;
    factor_cholesky(upper, 1e-12);
    std::vector<double> b(static_cast<std::size_t>(size), 1.0);
    const std::vector<double> x = solve_cholesky(upper, b);
    for (int i = 0; i < size; ++i) {
      double sum = 0;
      for (int j = 0; j < size; ++j)
        sum += matrix.row(i)[j] * x[static_cast<std::size_t>(j)];
      EXPECT_NEAR(sum, 1, 1e-13) << size;
    }
  }
}

TEST(Cholesky, TheDiagonalOfTheInverseIsThatOfItsColumns) {
  for (const int size : {1, 5, 16, 33, 70}) {
    DenseMatrix upper = positive(size);
    factor_cholesky(upper, 1e-12);
    const std::vector<double> diagonal = inverse_diagonal(upper);
    for (int i = 0; i < size; ++i) {
      std::vector<double> unit(static_cast<std::size_t>(size), 0.0);
      unit[static_cast<std::size_t>(i)] = 1;
      const auto column = solve_cholesky(upper, unit);
      EXPECT_NEAR(
          diagonal[static_cast<std::size_t>(i)], column[static_cast<std::size_t>(i)], 1e-14);
    }
  }
}

TEST(Cholesky, AColumnThatOthersExplainTakesNoPart) {
  DenseMatrix matrix(3);
  const double values[3][3] = {{1, 1, 0.5}, {1, 1, 0.5}, {0.5, 0.5, 1}};
  for (int i = 0; i < 3; ++i)
    std::copy(values[i], values[i] + 3, matrix.row(i));
  factor_cholesky(matrix, 1e-12);
  const auto x = solve_cholesky(matrix, {1, 1, 1});
  EXPECT_EQ(x[1], 0);
  EXPECT_NEAR(x[0], 2.0 / 3, 1e-15);
  EXPECT_NEAR(x[2], 2.0 / 3, 1e-15);
}

TEST(RowUpdate, AllInstructionSetsGiveTheSameBits) {
  constexpr int kCount = 37;
  testing::Numbers numbers(3);
  std::vector<double> from(kCount * 16);
  std::vector<double> factor(kCount * 4);
  for (double& value : from)
    value = numbers.uniform() - 0.3;
  for (double& value : factor)
    value = numbers.uniform() - 0.6;
  const auto run = [&](auto update) {
    std::vector<double> target(4 * 16, 0.1);
    update(RowUpdate{target.data(), from.data(), factor.data(), 16, 4, 1, kCount});
    return target;
  };
  const std::vector<double> expected = run(portable_update);
  if (avx2_supported()) {
    EXPECT_EQ(run(avx2_update), expected);
  }
  if (avx512_supported()) {
    EXPECT_EQ(run(avx512_update), expected);
  }
}

TEST(Spectrum, OfAPathIsKnown) {
  // 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)).
  constexpr int kSize = 40;
  DenseMatrix matrix(kSize);
  for (int i = 0; i < kSize; ++i) {
    matrix.row(i)[i] = 2;
    if (i > 0) matrix.row(i)[i - 1] = matrix.row(i - 1)[i] = -1;
  }
  std::vector<std::vector<double>> none;
  auto values = symmetric_spectrum(matrix, none).value();
  std::sort(values.begin(), values.end());
  for (int k = 0; k < kSize; ++k) {
    EXPECT_NEAR(values[static_cast<std::size_t>(k)],
                2 - 2 * exact_cos((k + 1) * 3.14159265358979323846 / (kSize + 1)),
                1e-13);
  }
}

TEST(Spectrum, SolvesShiftedSystemsAsCholeskyDoes) {
  for (const int size : {1, 2, 3, 20, 61}) {
    const DenseMatrix matrix = positive(size);
    std::vector<double> g(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < g.size(); ++i)
      g[i] = static_cast<double>(i % 7) - 2;
    std::vector<std::vector<double>> vectors{g};
    const auto values = symmetric_spectrum(matrix, vectors).value();
    for (const double shift : {0.0, 0.5, 3.0}) {
      DenseMatrix upper = matrix;
      for (int i = 0; i < size; ++i)
        upper.row(i)[i] += shift;
      factor_cholesky(upper, 1e-12);
      const auto x = solve_cholesky(upper, g);
      double expected = 0;
      double found = 0;
      for (std::size_t i = 0; i < g.size(); ++i) {
        expected += g[i] * x[i];
        found += vectors[0][i] * vectors[0][i] / (values[i] + shift);
      }
      EXPECT_NEAR(found, expected, 1e-11 * std::fabs(expected) + 1e-13) << size << " " << shift;
    }
  }
}

TEST(Quantile, FitsTables) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-16);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-13);
  EXPECT_NEAR(normal_quantile(0.999999), 4.753424308822899, 1e-9);
  EXPECT_NEAR(student_quantile(0.975, 10), 2.228138852, 1e-4);
  EXPECT_NEAR(student_quantile(0.975, 3), 3.182446305, 0.03);
  EXPECT_NEAR(student_quantile(0.975, 30), 2.042272456, 1e-6);
}

}  // namespace
}  // namespace lockstep
