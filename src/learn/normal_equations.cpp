#include "learn/ridge.h"
#include "learn/units.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kRowCountMax = std::int64_t{1}
                                      << 34;  // n * S < 2^(34 + 80), within an Int128

// Below this part of its terms, a filled column's variance is rounding: the column is constant.
constexpr double kConstantPart = 1e-12;

// Every pair of columns about their means, lower triangle; and the sums of the columns.
struct Centred {
  DenseMatrix products;
  std::vector<Int128> totals;  // sum of q

  double at(int i, int j) const { return i >= j ? products.row(i)[j] : products.row(j)[i]; }
};

bool plausible(const ExactSum& sum, int constant) {
  const Int128 limit = static_cast<Int128>(sum.row_count) << 46;
  const bool bounded = std::all_of(sum.triangle.begin(), sum.triangle.end(), [&](Int128 value) {
    return value <= limit && value >= -limit;
  });
  return bounded && sum.at(constant, constant) == static_cast<Int128>(sum.row_count)
                                                      << (2 * kFixedPointBits);
}

Centred centre(const ExactSum& sum, int constant) {
  const int d = sum.column_count;
  Centred result{DenseMatrix(d), {}};
  const Int128 n = sum.row_count;
  for (int i = 0; i < d; ++i)
    result.totals.push_back(sum.at(i, constant) >> kFixedPointBits);
  const double unit = 0x1p-40 / static_cast<double>(sum.row_count);
  const Int128* value = sum.triangle.data();
  for (int i = 0; i < d; ++i) {
    double* row = result.products.row(i);
    const Int128 total = result.totals[static_cast<std::size_t>(i)];
    for (int j = 0; j <= i; ++j, ++value) {
      const Int128 about_mean = n * *value - total * result.totals[static_cast<std::size_t>(j)];
      row[j] = static_cast<double>(about_mean) * unit;
    }
  }
  return result;
}

// One column after filling: itself, and `fill` times its missing column.
struct Filled {
  int column = 0;
  int missing = -1;
  double fill = 0;
};

double product(const Centred& c, const Filled& a, const Filled& b) {
  double value = c.at(a.column, b.column);
  if (a.fill != 0) value += a.fill * c.at(a.missing, b.column);
  if (b.fill != 0) value += b.fill * c.at(a.column, b.missing);
  if (a.fill != 0 && b.fill != 0) value += a.fill * b.fill * c.at(a.missing, b.missing);
  return value;
}

double variance(const Centred& c, const Filled& a) {
  const double value = product(c, a, a);
  double terms = c.at(a.column, a.column);
  if (a.fill != 0) terms += a.fill * a.fill * c.at(a.missing, a.missing);
  return value > kConstantPart * terms ? value : 0.0;
}

double real_total(Int128 total) {
  return static_cast<double>(total) / (1 << kFixedPointBits);
}

// The mean of the rows that have the value, which is what the missing get.
Filled fill_of(const ExpandedColumn& column, int index, const Centred& c, double row_count) {
  Filled filled{index, column.missing, 0};
  if (column.missing < 0) return filled;
  const double missing = real_total(c.totals[static_cast<std::size_t>(column.missing)]);
  if (missing > 0 && missing < row_count) {
    filled.fill = real_total(c.totals[static_cast<std::size_t>(index)]) / (row_count - missing);
  }
  return filled;
}

void fill_columns(const LearnerPlan& plan,
                  const Layout& layout,
                  const Centred& c,
                  const std::vector<Filled>& filled,
                  NormalEquations& result) {
  for (std::size_t i = 0; i < filled.size(); ++i) {
    const Filled& a = filled[i];
    const auto column = static_cast<std::size_t>(a.column);
    double total = real_total(c.totals[column]);
    if (a.fill != 0) total += a.fill * real_total(c.totals[static_cast<std::size_t>(a.missing)]);
    result.means.push_back(total / result.row_count);
    result.fills.push_back(a.fill);
    const double square = variance(c, a);
    result.products.row(static_cast<int>(i))[i] = square;
    // In units of the column, so that a penalty means the same whatever the pinned range.
    const double unit = power_of_two(-2 * layout.columns[column].exponent);
    const double penalty = plan.standardize ? square / result.row_count : unit;
    result.penalties.push_back(square > 0 ? penalty : 0.0);
    for (std::size_t j = 0; j < i; ++j) {
      result.products.row(static_cast<int>(j))[i] = product(c, a, filled[j]);
    }
  }
}

}  // namespace

Result<NormalEquations> normal_equations(const LearnerPlan& plan,
                                         const Layout& layout,
                                         const ExactSum& sum) {
  if (sum.row_count < 2) {
    return invalid(
        "the model has " + std::to_string(sum.row_count) + " rows to learn from, and needs 2",
        "add rows with all features and targets");
  }
  if (sum.row_count > kRowCountMax) return invalid("more than 2^34 rows in one model");
  if (!plausible(sum, layout.constant)) {
    return invalid("the sums are not those of rows", "rebuild the model's state");
  }
  const Centred c = centre(sum, layout.constant);
  NormalEquations result(static_cast<int>(layout.shown.size()));
  result.row_count = static_cast<double>(sum.row_count);
  std::vector<Filled> filled;
  for (const int index : layout.shown) {
    filled.push_back(
        fill_of(layout.columns[static_cast<std::size_t>(index)], index, c, result.row_count));
  }
  fill_columns(plan, layout, c, filled, result);
  for (int target = layout.constant + 1; target < sum.column_count; ++target) {
    result.target_squares.push_back(c.at(target, target));
    result.target_means.push_back(real_total(c.totals[static_cast<std::size_t>(target)]) /
                                  result.row_count);
    std::vector<double> cross;
    for (const Filled& a : filled)
      cross.push_back(product(c, a, {target, -1, 0}));
    result.cross.push_back(std::move(cross));
  }
  return result;
}

}  // namespace lockstep
