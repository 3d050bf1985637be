#include "prepare/expression_program.h"
#include "prepare/prepare.h"

namespace lockstep {

struct Expression::State {
  Compiled compiled;
};

Result<Expression> Expression::parse(std::string_view text, const Schema& schema) {
  Expression expression;
  expression.state_ = std::make_shared<const State>(State{TRY(compile(text, schema))});
  return expression;
}

std::vector<Value> Expression::evaluate(const Batch& batch) const {
  std::vector<Value> values;
  values.reserve(static_cast<std::size_t>(batch.row_count()));
  if (batch.row_count() == 0) return values;
  // A machine each call: one cannot be shared between threads.
  Runner runner(*state_->compiled.program);
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    const std::optional<double> value = runner.run(batch, row);
    if (value) {
      values.emplace_back(*value);
    } else {
      values.emplace_back();
    }
  }
  return values;
}

const std::vector<std::string>& Expression::columns() const {
  return state_->compiled.columns;
}

}  // namespace lockstep
