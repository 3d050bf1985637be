// The expanded columns of a plan: what each row becomes before it is folded.
#pragma once

#include "learn/plan.h"

#include <string>
#include <vector>

namespace lockstep {

// A fixed-point column: value = centre + q * 2^(exponent - 20).
struct ExpandedColumn {
  std::string name;
  double centre = 0;
  int exponent = 0;
  int missing = -1;   // the column that is 1 where this one's feature is missing; there q is 0, and
                      // the solve fills in the mean of the others. -1: nothing to fill
  bool shown = true;  // has a weight; else it serves the filling alone
};

// Columns of the sums: these, then the constant 1, then the targets.
struct Layout {
  std::vector<ExpandedColumn> columns;
  std::vector<int> shown;               // indices of those with a weight
  std::vector<int> first_of_feature;    // [feature]: its first column
  std::vector<int> missing_of_feature;  // [feature]: its missing column, or -1
  int first_fourier = 0;
  int constant = 0;                // == columns.size()
  std::vector<std::string> names;  // of those with a weight, and "1": a solution's columns
};

Layout layout_of(const LearnerPlan& plan);

}  // namespace lockstep
