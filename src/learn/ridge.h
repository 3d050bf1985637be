// Ridge regression from exact sums (Hoerl and Kennard 1970), with an intercept that carries no
// penalty.
#pragma once

#include "base/result.h"
#include "learn/dense.h"
#include "learn/layout.h"
#include "learn/learn.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// A sum of a state: the columns of the layout and the constant, then these targets.
struct SumPlan {
  std::string name;          // "train", or "train/sbp" with per_target
  std::vector<int> targets;  // of the plan
};

std::vector<SumPlan> sum_plans(const LearnerPlan& plan, std::string_view which);

// Sums about the mean, with missing values filled: the normal equations in fixed-point units. From
// integers exactly, and rounded once, so that a mean far from zero costs no digits.
struct NormalEquations {
  explicit NormalEquations(int size) : products(size) {}

  double row_count = 0;
  DenseMatrix products;                    // upper triangle, columns with a weight
  std::vector<std::vector<double>> cross;  // [target][column]
  std::vector<double> target_squares;      // [target]
  std::vector<double> means;               // [column]
  std::vector<double> target_means;        // [target]
  std::vector<double> fills;               // [column]
  std::vector<double> penalties;  // [column]: what l2 is multiplied with; 0: the column is constant
};

// kInvalid: too few rows, or integers that no rows could sum to.
Result<NormalEquations> normal_equations(const LearnerPlan& plan,
                                         const Layout& layout,
                                         const ExactSum& sum);

Result<Solution> solve_ridge(const LearnerPlan& plan,
                             const Layout& layout,
                             const ModelState& state);

// The l2 with the least generalised cross-validation error, summed over the targets (Golub, Heath,
// Wahba 1979).
Result<double> choose_l2(const LearnerPlan& plan, const Layout& layout, const ModelState& state);

// Residuals are a linear form of an expanded row with real numbers in it: minus the weights for the
// columns, 1 for the target, which is the one at `target_place` behind the constant.
std::vector<double> residual_map(const LearnerPlan& plan,
                                 const Layout& layout,
                                 const Solution& solution,
                                 int target,
                                 std::size_t target_place);

Metrics evaluate_sums(const LearnerPlan& plan,
                      const Layout& layout,
                      const Solution& solution,
                      const ModelState& state,
                      std::string_view which);

}  // namespace lockstep
