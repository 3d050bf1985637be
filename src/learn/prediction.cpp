#include "learn/prediction.h"

#include "base/exact_math.h"
#include "learn/column_reader.h"
#include "learn/dense.h"
#include "learn/quantile.h"
#include "learn/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kPredictedRows = 1024;

// Half the width of a prediction's interval: quantile * deviation * sqrt(1 + x'A^-1 x).
class Intervals final {
 public:
  Intervals(const Solution& solution, double level)
      : solution_(solution), width_(solution.columns.size()) {
    for (const double freedom : solution.degrees_of_freedom) {
      quantiles_.push_back(student_quantile((1 + level) / 2, freedom));
    }
  }

  double half_width(std::size_t target, std::span<const double> row) const {
    const std::size_t factors = solution_.factor.size() / (width_ * width_);
    const double* factor = solution_.factor.data() + (factors > 1 ? target : 0) * width_ * width_;
    const double* last = factor + (width_ - 1) * width_;
    std::vector<double> z(width_ - 1);
    for (std::size_t j = 0; j < z.size(); ++j)
      z[j] = row[j] - last[j];
    solve_lower(factor, static_cast<std::ptrdiff_t>(width_), z);
    double spread = 1 / (last[width_ - 1] * last[width_ - 1]);
    for (const double value : z)
      spread += value * value;
    return quantiles_[target] * solution_.residual_deviation[target] * exact_sqrt(1 + spread);
  }

 private:
  const Solution& solution_;
  std::size_t width_;
  std::vector<double> quantiles_;
};

Schema prediction_schema(const Solution& solution, bool intervals) {
  std::vector<Field> fields;
  for (const std::string& target : solution.targets) {
    fields.push_back({target, Type::kFloat});
    if (!intervals) continue;
    fields.push_back({target + "_low", Type::kFloat});
    fields.push_back({target + "_high", Type::kFloat});
  }
  return Schema(std::move(fields));
}

Result<void> check_level(const Solution& solution, double level) {
  if (level == 0) return {};
  if (!(level > 0 && level <= 0.999999)) {
    return invalid("an interval's level lies between 0 and 0.999999", "ask for 0.95");
  }
  const std::size_t size = solution.columns.size() * solution.columns.size();
  if (solution.factor.size() == size || solution.factor.size() == size * solution.targets.size())
    return {};
  return invalid("this solution has no factor, so it gives no intervals", "solve the state again");
}

void append_prediction(const Expander& expander,
                       const Solution& solution,
                       const Intervals* intervals,
                       const std::int32_t* q,
                       BatchBuilder& builder) {
  std::vector<double> row(solution.columns.size());
  int column = 0;
  for (std::size_t target = 0; target < solution.targets.size(); ++target) {
    solution_row(expander.layout(), solution, target, q, row);
    const double value = predicted(solution, target, row);
    builder.append_float(column++, value);
    if (intervals == nullptr) continue;
    const double half = intervals->half_width(target, row);
    builder.append_float(column++, value - half);
    builder.append_float(column++, value + half);
  }
}

}  // namespace

Result<void> check_solution(const Expander& expander, const Solution& solution) {
  const std::size_t cells = solution.targets.size() * solution.columns.size();
  bool fits = solution.targets.size() == expander.plan().targets.size() &&
              solution.weights.size() == cells && solution.fills.size() == cells &&
              solution.columns == expander.layout().names;
  for (std::size_t t = 0; fits && t < solution.targets.size(); ++t) {
    fits = solution.targets[t] == expander.plan().targets[t].name;
  }
  if (fits) return {};
  return invalid("the solution is that of another definition", "solve the model's own state");
}

void solution_row(const Layout& layout,
                  const Solution& solution,
                  std::size_t target,
                  const std::int32_t* row,
                  std::span<double> out) {
  const double* fills = solution.fills.data() + target * solution.columns.size();
  for (std::size_t j = 0; j < layout.shown.size(); ++j) {
    const ExpandedColumn& column = layout.columns[static_cast<std::size_t>(layout.shown[j])];
    const bool filled = column.missing >= 0 && row[column.missing] != 0;
    out[j] = filled ? fills[j] : real_value(row[layout.shown[j]], column.centre, column.exponent);
  }
  out[layout.shown.size()] = 1;
}

double predicted(const Solution& solution, std::size_t target, std::span<const double> row) {
  const double* weights = solution.weights.data() + target * row.size();
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j)
    sum += weights[j] * row[j];
  return sum;
}

Result<Prediction> predict_rows(const Expander& expander,
                                const Solution& solution,
                                const Batch& rows,
                                double level) {
  TRY(check_solution(expander, solution));
  TRY(check_level(solution, level));
  const Binding binding = TRY(expander.bind_for_predict(rows.schema()));
  const Schema schema = prediction_schema(solution, level > 0);
  const Intervals intervals(solution, level > 0 ? level : 0.5);
  BatchBuilder builder(schema);
  Prediction prediction;
  ExpandedRows expanded;
  expanded.wants_reasons = true;
  for (std::int64_t offset = 0; offset < rows.row_count(); offset += kPredictedRows) {
    const std::int64_t count = std::min(kPredictedRows, rows.row_count() - offset);
    expander.expand(rows, binding, offset, count, expanded);
    for (std::int64_t row = 0; row < count; ++row) {
      if (expanded.fates[static_cast<std::size_t>(row)] == RowFate::kRefused) {
        for (int column = 0; column < schema.size(); ++column)
          builder.append_null(column);
      } else {
        const std::int32_t* q = expanded.q.data() + row * expanded.column_count;
        append_prediction(expander, solution, level > 0 ? &intervals : nullptr, q, builder);
      }
    }
    prediction.refused.insert(
        prediction.refused.end(), expanded.reasons.begin(), expanded.reasons.end());
  }
  prediction.rows = TRY(builder.finish());
  return prediction;
}

Result<BatchErrors> batch_errors(const Expander& expander,
                                 const Solution& solution,
                                 const Batch& rows) {
  TRY(check_solution(expander, solution));
  const Binding binding = TRY(expander.bind_for_fold(rows.schema()));
  const std::size_t target_count = solution.targets.size();
  BatchErrors errors;
  errors.target_rows.assign(target_count, 0);
  errors.absolute_error_sum.assign(target_count, 0.0);
  errors.squared_error_sum.assign(target_count, 0.0);
  ExpandedRows expanded;
  std::vector<double> columns(solution.columns.size());
  for (std::int64_t offset = 0; offset < rows.row_count(); offset += kPredictedRows) {
    const std::int64_t count = std::min(kPredictedRows, rows.row_count() - offset);
    expander.expand(rows, binding, offset, count, expanded);
    for (std::int64_t row = 0; row < count; ++row) {
      const RowFate fate = expanded.fates[static_cast<std::size_t>(row)];
      const bool usable = fate == RowFate::kTrain || fate == RowFate::kTest;
      if (!usable || rows.sign(offset + row) < 0) continue;
      ++errors.row_count;
      const std::int32_t* q = expanded.q.data() + row * expanded.column_count;
      for (std::size_t t = 0; t < target_count; ++t) {
        if (expanded.target_present[static_cast<std::size_t>(row) * target_count + t] == 0)
          continue;
        solution_row(expander.layout(), solution, t, q, columns);
        const double truth = rows.number_at(binding.targets[t], offset + row);
        const double error = truth - predicted(solution, t, columns);
        ++errors.target_rows[t];
        errors.absolute_error_sum[t] += std::fabs(error);
        errors.squared_error_sum[t] += error * error;
      }
    }
  }
  return errors;
}

}  // namespace lockstep
