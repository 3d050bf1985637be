#include "learn/ridge.h"

#include "base/exact_math.h"
#include "learn/units.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lockstep {
namespace {

// Of columns scaled to length 1: a column that the others explain but for this part takes no part.
constexpr double kPivotMin = 1e-11;

// The solve of one sum: its equations in columns of length 1, factored.
struct Factored {
  NormalEquations equations;
  std::vector<double> lengths;  // [column]; 0: constant
  std::vector<double> added;    // [column]: the penalty after scaling
  DenseMatrix upper;
  std::vector<double> inverse_diagonal;
};

Factored factor(NormalEquations equations, double l2) {
  const int p = equations.products.size();
  Factored result{std::move(equations), {}, {}, DenseMatrix(p), {}};
  for (int j = 0; j < p; ++j) {
    const double square = result.equations.products.row(j)[j];
    const double penalty = l2 * result.equations.penalties[static_cast<std::size_t>(j)];
    result.lengths.push_back(exact_sqrt(square));
    result.added.push_back(square > 0 ? penalty / square : 0.0);
  }
  std::vector<double> inverse;
  for (const double length : result.lengths)
    inverse.push_back(length > 0 ? 1 / length : 0.0);
  for (int i = 0; i < p; ++i) {
    const double* from = result.equations.products.row(i);
    double* to = result.upper.row(i);
    for (int j = i; j < p; ++j) {
      to[j] = from[j] * inverse[static_cast<std::size_t>(i)] * inverse[static_cast<std::size_t>(j)];
    }
    to[i] = inverse[static_cast<std::size_t>(i)] > 0 ? 1 + result.added[static_cast<std::size_t>(i)]
                                                     : 0.0;
  }
  factor_cholesky(result.upper, kPivotMin);
  result.inverse_diagonal = inverse_diagonal(result.upper);
  return result;
}

double effective_parameters(const Factored& f) {
  double count = 1;
  for (std::size_t j = 0; j < f.added.size(); ++j) {
    if (f.inverse_diagonal[j] > 0) count += 1 - f.added[j] * f.inverse_diagonal[j];
  }
  return count;
}

const ExpandedColumn& shown_column(const Layout& layout, std::size_t index) {
  return layout.columns[static_cast<std::size_t>(layout.shown[index])];
}

std::vector<double> real_means(const Layout& layout, const NormalEquations& equations) {
  std::vector<double> means;
  for (std::size_t j = 0; j < equations.means.size(); ++j) {
    const ExpandedColumn& column = shown_column(layout, j);
    means.push_back(column.centre + equations.means[j] * power_of_two(column.exponent));
  }
  return means;
}

// As Solution::factor says, in units of the columns.
std::vector<double> real_factor(const Layout& layout,
                                const Factored& f,
                                const std::vector<double>& means) {
  const std::size_t p = f.lengths.size();
  std::vector<double> factor((p + 1) * (p + 1), 0.0);
  for (std::size_t j = 0; j < p; ++j) {
    const double unit = f.lengths[j] * power_of_two(shown_column(layout, j).exponent);
    for (std::size_t i = 0; i <= j; ++i) {
      factor[i * (p + 1) + j] = f.upper.row(static_cast<int>(i))[j] * unit;
    }
    factor[p * (p + 1) + j] = means[j];
  }
  factor[p * (p + 1) + p] = exact_sqrt(f.equations.row_count);
  return factor;
}

// One target of a factored sum.
Result<void> solve_target(const LearnerPlan& plan,
                          const Layout& layout,
                          const Factored& f,
                          std::size_t index,
                          Solution& solution) {
  const std::size_t p = f.lengths.size();
  const TargetPlan& target = plan.targets[solution.residual_deviation.size()];
  const double unit = power_of_two(target.scale.exponent);
  std::vector<double> right(p, 0.0);
  for (std::size_t j = 0; j < p; ++j) {
    if (f.lengths[j] > 0) right[j] = f.equations.cross[index][j] / f.lengths[j];
  }
  const std::vector<double> beta = solve_cholesky(f.upper, right);
  double squares = f.equations.target_squares[index];
  for (std::size_t j = 0; j < p; ++j)
    squares -= beta[j] * (right[j] + f.added[j] * beta[j]);
  const double freedom = f.equations.row_count - effective_parameters(f);
  if (!(freedom > 1e-6)) {
    return invalid("the rows of target '" + target.name + "' are too few for the model's columns",
                   "wait for more rows, ask for fewer columns, or set l2 above 0");
  }
  const double deviation = exact_sqrt(std::max(0.0, squares) / freedom) * unit;
  const std::vector<double> means = real_means(layout, f.equations);
  double intercept = target.scale.centre + f.equations.target_means[index] * unit;
  for (std::size_t j = 0; j < p; ++j) {
    const ExpandedColumn& column = shown_column(layout, j);
    const double per_unit = f.lengths[j] > 0 ? power_of_two(-column.exponent) / f.lengths[j] : 0.0;
    const double weight = beta[j] * per_unit * unit;
    intercept -= weight * means[j];
    solution.weights.push_back(weight);
    solution.standard_errors.push_back(deviation * exact_sqrt(f.inverse_diagonal[j]) * per_unit);
    solution.fills.push_back(column.centre + f.equations.fills[j] * power_of_two(column.exponent));
  }
  std::vector<double> at_zero = means;
  for (std::size_t j = 0; j < p; ++j) {
    at_zero[j] *= f.lengths[j] > 0 ? power_of_two(-shown_column(layout, j).exponent) : 0.0;
    if (f.lengths[j] > 0) at_zero[j] /= f.lengths[j];
  }
  solve_lower(f.upper.row(0), f.upper.stride(), at_zero);
  double spread = 1 / f.equations.row_count;
  for (const double value : at_zero)
    spread += value * value;
  solution.weights.push_back(intercept);
  solution.standard_errors.push_back(deviation * exact_sqrt(spread));
  solution.fills.push_back(1);
  solution.residual_deviation.push_back(deviation);
  solution.degrees_of_freedom.push_back(freedom);
  return {};
}

// As ExactSum::real(): most sums fit 64 bits, and those are converted by one instruction.
double real_of(Int128 value) {
  const auto low = static_cast<std::int64_t>(value);
  return (low == value ? static_cast<double>(low) : static_cast<double>(value)) * 0x1p-40;
}

double quadratic_form(const ExactSum& sum, const std::vector<double>& v) {
  LOCKSTEP_ASSERT(v.size() <= static_cast<std::size_t>(sum.column_count), "learn: a form too wide");
  const Int128* value = sum.triangle.data();
  double result = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    double row = 0;
    for (std::size_t j = 0; j < i; ++j, ++value)
      row += v[j] * real_of(*value);
    result += v[i] * (2 * row + v[i] * real_of(*value++));
  }
  return std::max(0.0, result);
}

// Squares of a target about its mean, exactly centred.
double total_squares(const ExactSum& sum, int constant, int column) {
  const Int128 total = sum.at(column, constant) >> kFixedPointBits;
  const Int128 about_mean =
      static_cast<Int128>(sum.row_count) * sum.at(column, column) - total * total;
  return static_cast<double>(about_mean) * 0x1p-40 / static_cast<double>(sum.row_count);
}

// The spectrum of one sum, in columns of penalty 1.
struct Spectrum {
  double row_count = 0;
  std::vector<double> values;
  std::vector<std::vector<double>> cross;  // [target][eigenvector]
  std::vector<double> target_squares;
};

Result<Spectrum> spectrum_of(const NormalEquations& equations) {
  const int p = equations.products.size();
  DenseMatrix scaled(p);
  std::vector<double> inverse;
  for (const double penalty : equations.penalties)
    inverse.push_back(penalty > 0 ? 1 / exact_sqrt(penalty) : 0.0);
  for (int i = 0; i < p; ++i) {
    for (int j = i; j < p; ++j) {
      const double value = equations.products.row(i)[j] * inverse[static_cast<std::size_t>(i)] *
                           inverse[static_cast<std::size_t>(j)];
      scaled.row(i)[j] = value;
      scaled.row(j)[i] = value;
    }
  }
  Spectrum result{equations.row_count, {}, equations.cross, equations.target_squares};
  for (std::vector<double>& cross : result.cross) {
    for (std::size_t j = 0; j < cross.size(); ++j)
      cross[j] *= inverse[j];
  }
  result.values = TRY(symmetric_spectrum(std::move(scaled), result.cross));
  for (double& value : result.values)
    value = std::max(0.0, value);
  return result;
}

// GCV of each target in parts of its variance, summed.
double gcv(const Spectrum& spectrum, double l2) {
  double parameters = 1;
  for (const double value : spectrum.values)
    parameters += value / (value + l2);
  const double free = 1 - parameters / spectrum.row_count;
  if (free <= 0) return std::numeric_limits<double>::infinity();
  double sum = 0;
  for (std::size_t t = 0; t < spectrum.cross.size(); ++t) {
    double squares = spectrum.target_squares[t];
    if (!(squares > 0)) continue;
    for (std::size_t j = 0; j < spectrum.values.size(); ++j) {
      const double u = spectrum.cross[t][j];
      const double e = spectrum.values[j];
      squares -= u * u * (e + 2 * l2) / ((e + l2) * (e + l2));
    }
    sum += std::max(0.0, squares) / spectrum.target_squares[t] / (free * free);
  }
  return sum;
}

}  // namespace

std::vector<SumPlan> sum_plans(const LearnerPlan& plan, std::string_view which) {
  std::vector<SumPlan> plans;
  if (!plan.per_target) {
    plans.push_back({std::string(which), {}});
    for (std::size_t t = 0; t < plan.targets.size(); ++t)
      plans[0].targets.push_back(static_cast<int>(t));
    return plans;
  }
  for (std::size_t t = 0; t < plan.targets.size(); ++t) {
    plans.push_back({std::string(which) + "/" + plan.targets[t].name, {static_cast<int>(t)}});
  }
  return plans;
}

Result<Solution> solve_ridge(const LearnerPlan& plan,
                             const Layout& layout,
                             const ModelState& state) {
  Solution solution;
  solution.columns = layout.names;
  for (const TargetPlan& target : plan.targets)
    solution.targets.push_back(target.name);
  for (const SumPlan& sum_plan : sum_plans(plan, "train")) {
    const ExactSum& sum = state.sums.at(sum_plan.name);
    NormalEquations equations = TRY(normal_equations(plan, layout, sum));
    const Factored f = factor(std::move(equations), plan.l2);
    for (std::size_t i = 0; i < sum_plan.targets.size(); ++i)
      TRY(solve_target(plan, layout, f, i, solution));
    const std::vector<double> factor = real_factor(layout, f, real_means(layout, f.equations));
    solution.factor.insert(solution.factor.end(), factor.begin(), factor.end());
  }
  solution.row_count = state.counts.folded;
  return solution;
}

Result<double> choose_l2(const LearnerPlan& plan, const Layout& layout, const ModelState& state) {
  constexpr int kStepsDown = 40;  // from 2^-20 in steps of sqrt(2)
  constexpr int kStepsUp = 60;    // to 2^30
  std::vector<Spectrum> spectra;
  for (const SumPlan& sum_plan : sum_plans(plan, "train")) {
    const NormalEquations equations =
        TRY(normal_equations(plan, layout, state.sums.at(sum_plan.name)));
    spectra.push_back(TRY(spectrum_of(equations)));
  }
  double best = std::numeric_limits<double>::infinity();
  double best_l2 = 1;
  for (int step = -kStepsDown; step <= kStepsUp; ++step) {
    const int whole = step >= 0 ? step / 2 : -((1 - step) / 2);
    const double l2 = power_of_two(whole) * (step - 2 * whole == 1 ? 0x1.6a09e667f3bcdp+0 : 1.0);
    double error = 0;
    for (const Spectrum& spectrum : spectra)
      error += gcv(spectrum, l2);
    if (error <= best) {
      best = error;
      best_l2 = l2;
    }
  }
  return best_l2;
}

std::vector<double> residual_map(const LearnerPlan& plan,
                                 const Layout& layout,
                                 const Solution& solution,
                                 int target,
                                 std::size_t target_place) {
  const std::size_t width = solution.columns.size();
  const double* weights = solution.weights.data() + static_cast<std::size_t>(target) * width;
  const double* fills = solution.fills.data() + static_cast<std::size_t>(target) * width;
  const auto constant = static_cast<std::size_t>(layout.constant);
  const Scale& scale = plan.targets[static_cast<std::size_t>(target)].scale;
  std::vector<double> map(constant + 2 + target_place, 0.0);
  map[constant] = scale.centre - weights[width - 1];
  for (std::size_t j = 0; j + 1 < width; ++j) {
    const ExpandedColumn& column = shown_column(layout, j);
    map[static_cast<std::size_t>(layout.shown[j])] -= weights[j] * power_of_two(column.exponent);
    map[constant] -= weights[j] * column.centre;
    if (column.missing >= 0) {
      map[static_cast<std::size_t>(column.missing)] -= weights[j] * (fills[j] - column.centre);
    }
  }
  map[constant + 1 + target_place] = power_of_two(scale.exponent);
  return map;
}

Metrics evaluate_sums(const LearnerPlan& plan,
                      const Layout& layout,
                      const Solution& solution,
                      const ModelState& state,
                      std::string_view which) {
  Metrics metrics;
  for (const SumPlan& sum_plan : sum_plans(plan, which)) {
    const ExactSum& sum = state.sums.at(sum_plan.name);
    metrics.row_count = std::max(metrics.row_count, sum.row_count);
    for (std::size_t i = 0; sum.row_count > 0 && i < sum_plan.targets.size(); ++i) {
      const int target = sum_plan.targets[i];
      const std::vector<double> map = residual_map(plan, layout, solution, target, i);
      const double squares = quadratic_form(sum, map);
      const double unit =
          power_of_two(plan.targets[static_cast<std::size_t>(target)].scale.exponent);
      const double total =
          total_squares(sum, layout.constant, layout.constant + 1 + static_cast<int>(i)) * unit *
          unit;
      const double nan = std::numeric_limits<double>::quiet_NaN();
      metrics.targets.push_back({solution.targets[static_cast<std::size_t>(target)],
                                 exact_sqrt(squares / static_cast<double>(sum.row_count)),
                                 total > 0 ? 1 - squares / total : nan});
    }
  }
  return metrics;
}

}  // namespace lockstep
