#include "learn/fold_rows.h"

#include "learn/ridge.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace lockstep {
namespace {

constexpr std::int64_t kFoldedRows = 2048;

// Rows for one sum with one sign, gathered side by side as the kernels want them.
class Gatherer final {
 public:
  Gatherer(const Expander& expander, const SumPlan& sum_plan)
      : targets_(sum_plan.targets),
        shared_(expander.layout().constant + 1),
        target_count_(expander.plan().targets.size()) {}

  void add(const ExpandedRows& rows, std::size_t row) {
    const std::int32_t* q = rows.q.data() + row * static_cast<std::size_t>(rows.column_count);
    for (const int target : targets_) {
      if (rows.target_present[row * target_count_ + static_cast<std::size_t>(target)] == 0) return;
    }
    q_.insert(q_.end(), q, q + shared_);
    for (const int target : targets_)
      q_.push_back(q[shared_ + target]);
    ++row_count_;
  }

  void fold(const SumKernel& kernel, int sign, ExactSum& sum) {
    if (row_count_ > 0) kernel.fold(q_, row_count_, sign, sum);
    q_.clear();
    row_count_ = 0;
  }

 private:
  std::vector<int> targets_;
  int shared_;
  std::size_t target_count_;
  std::vector<std::int32_t> q_;
  std::int64_t row_count_ = 0;
};

void count_row(RowFate fate, int sign, FoldCounts& counts) {
  switch (fate) {
    case RowFate::kTrain:
      counts.folded += sign;
      return;
    case RowFate::kTest:
      counts.tested += sign;
      return;
    case RowFate::kRefused:
      counts.refused += sign;
      return;
    case RowFate::kUnlabelled:
      counts.unlabelled += sign;
      return;
  }
}

ModelState state_with(const Expander& expander, bool numbers) {
  ModelState state;
  for (const char* which : {"train", "test"}) {
    for (const SumPlan& sum_plan : sum_plans(expander.plan(), which)) {
      const int columns =
          expander.layout().constant + 1 + static_cast<int>(sum_plan.targets.size());
      ExactSum sum;
      sum.column_count = columns;
      state.sums.emplace(sum_plan.name, numbers ? ExactSum::zero(columns) : std::move(sum));
    }
  }
  return state;
}

}  // namespace

ModelState empty_state(const Expander& expander) {
  return state_with(expander, true);
}

ModelState empty_shape(const Expander& expander) {
  return state_with(expander, false);
}

void fold_rows(const Expander& expander,
               const SumKernel& kernel,
               const Binding& binding,
               const Batch& batch,
               ModelState& state) {
  ExpandedRows rows;
  rows.kernel = &kernel;
  for (std::int64_t offset = 0; offset < batch.row_count(); offset += kFoldedRows) {
    const std::int64_t count = std::min(kFoldedRows, batch.row_count() - offset);
    expander.expand(batch, binding, offset, count, rows);
    for (std::int64_t row = 0; row < count; ++row) {
      count_row(rows.fates[static_cast<std::size_t>(row)], batch.sign(offset + row), state.counts);
    }
    for (const RowFate fate : {RowFate::kTrain, RowFate::kTest}) {
      for (const SumPlan& sum_plan :
           sum_plans(expander.plan(), fate == RowFate::kTrain ? "train" : "test")) {
        Gatherer gatherer(expander, sum_plan);
        for (const int sign : {1, -1}) {
          for (std::int64_t row = 0; row < count; ++row) {
            const auto index = static_cast<std::size_t>(row);
            if (rows.fates[index] == fate && batch.sign(offset + row) == sign)
              gatherer.add(rows, index);
          }
          gatherer.fold(kernel, sign, state.sums.at(sum_plan.name));
        }
      }
    }
  }
}

}  // namespace lockstep
