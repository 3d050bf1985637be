// What a solution says about rows.
#pragma once

#include "base/result.h"
#include "learn/expander.h"
#include "learn/learn.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

// kInvalid: the solution has other columns than the expander, or too few numbers.
Result<void> check_solution(const Expander& expander, const Solution& solution);

// The columns of a solution for one expanded row, in units of the columns, filled for one target;
// out: columns.size().
void solution_row(const Layout& layout,
                  const Solution& solution,
                  std::size_t target,
                  const std::int32_t* row,
                  std::span<double> out);

// Weights times columns, in the order of the columns.
double predicted(const Solution& solution, std::size_t target, std::span<const double> row);

Result<Prediction> predict_rows(const Expander& expander,
                                const Solution& solution,
                                const Batch& rows,
                                double level);
Result<BatchErrors> batch_errors(const Expander& expander,
                                 const Solution& solution,
                                 const Batch& rows);

}  // namespace lockstep
