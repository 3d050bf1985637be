#include "learn/expander.h"
#include "learn/fold_rows.h"
#include "learn/prediction.h"
#include "learn/ridge.h"
#include "table/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

class RidgeLearner final : public SumLearner {
 public:
  RidgeLearner(Definition definition, LearnerPlan plan, const SumKernel& kernel)
      : definition_(std::move(definition)),
        expander_(std::move(plan)),
        kernel_(kernel),
        shape_(empty_shape(expander_)) {}

  Result<void> expect(const Schema& train) { return expander_.expect(train); }

  const Definition& definition() const override { return definition_; }

  int column_count() const override { return expander_.column_count(); }

  ModelState make_state() const override { return empty_state(expander_); }

  Result<void> fold(ModelState& state, const Batch& batch, const KeyedHash& hash) const override {
    TRY(check_state(state));
    const Binding binding = TRY(expander_.bind_for_fold(batch.schema()));
    // Nothing below can fail: a fold is done as a whole or not at all.
    fold_rows(expander_, kernel_, binding, batch, state);
    const Batch used = batch.select_columns(binding.used);
    const RowBytes row_bytes(used);
    std::string bytes;
    for (std::int64_t row = 0; row < used.row_count(); ++row) {
      bytes.clear();
      row_bytes.append(row, bytes);
      add_fingerprint(state.fingerprint, hash.hash128(bytes), used.sign(row));
    }
    return {};
  }

  Result<Solution> solve(const ModelState& state) const override {
    TRY(check_state(state));
    return solve_ridge(expander_.plan(), expander_.layout(), state);
  }

  Metrics evaluate(const Solution& solution,
                   const ModelState& state,
                   std::string_view which) const override {
    if (!check_state(state).ok() || !check_solution(expander_, solution).ok()) return {};
    return evaluate_sums(expander_.plan(), expander_.layout(), solution, state, which);
  }

  Result<Prediction> predict(const Solution& solution,
                             const Batch& rows,
                             double level) const override {
    return predict_rows(expander_, solution, rows, level);
  }

  Result<BatchErrors> errors(const Solution& solution, const Batch& rows) const override {
    return batch_errors(expander_, solution, rows);
  }

 private:
  Result<void> check_state(const ModelState& state) const {
    const auto fits = [](const auto& left, const auto& right) {
      return left.first == right.first && left.second.column_count == right.second.column_count;
    };
    if (std::equal(
            state.sums.begin(), state.sums.end(), shape_.sums.begin(), shape_.sums.end(), fits))
      return {};
    return invalid("the state is that of another definition", "rebuild the model's state");
  }

  Definition definition_;
  Expander expander_;
  const SumKernel& kernel_;
  ModelState shape_;  // the sums that there are, without their numbers
};

}  // namespace

Result<std::unique_ptr<SumLearner>> make_sum_learner(const Definition& definition,
                                                     const Schema& train,
                                                     std::string_view kernel_name) {
  if (sha256_hex(definition.json) != definition.sha256) {
    return make_error(Code::kCorrupt, "the definition does not fit its hash");
  }
  LearnerPlan plan = TRY(parse_plan(definition.json));
  const SumKernel* kernel = TRY(choose_sum_kernel(kernel_name));
  auto learner = std::make_unique<RidgeLearner>(definition, std::move(plan), *kernel);
  TRY(learner->expect(train));
  return std::unique_ptr<SumLearner>(std::move(learner));
}

}  // namespace lockstep
