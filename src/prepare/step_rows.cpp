// The steps that choose rows: filter and required.
#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <cmath>

namespace lockstep {

MadeStep make_filter(const Node& arguments, const Schema& input) {
  const std::string text = TRY(arguments.text("step 'filter'"));
  const Expression condition = TRY(at_mark(Expression::parse(text, input), arguments.mark));
  return make_row_step(
      {"filter", input, input, node_of(text), {}},
      [condition](const Batch& batch) -> Result<StepOutput> {
        const std::vector<Value> values = condition.evaluate(batch);
        Sieve sieve(batch.row_count());
        for (std::int64_t row = 0; row < batch.row_count(); ++row) {
          const auto* value = std::get_if<double>(&values[static_cast<std::size_t>(row)]);
          const bool holds = value != nullptr && *value != 0 && !std::isnan(*value);
          if (!holds) sieve.leave_out(row);
        }
        return std::move(sieve).finish(batch);
      });
}

MadeStep make_required(const Node& arguments, const Schema& input) {
  const std::vector<std::string> names = TRY(arguments.texts("step 'required'"));
  const std::vector<int> columns = TRY(columns_at(arguments, names, input));
  return make_row_step({"required", input, input, node_of_texts(names), {}},
                       [columns, names](const Batch& batch) -> Result<StepOutput> {
                         Sieve sieve(batch.row_count());
                         for (std::size_t i = 0; i < columns.size(); ++i) {
                           for (std::int64_t row = 0; row < batch.row_count(); ++row) {
                             if (!batch.is_null(columns[i], row)) continue;
                             sieve.reject(row, fmt::format("{} is null", names[i]));
                           }
                         }
                         return std::move(sieve).finish(batch);
                       });
}

}  // namespace lockstep
