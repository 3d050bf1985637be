#include "learn/exact_sum.h"
#include "learn/expander.h"
#include "learn/prediction.h"
#include "learn/ridge.h"
#include "learn/units.h"
#include "table/columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace lockstep {
namespace {

// Errors are added in fixed point, so that no order of the rows shows in their mean.
constexpr int kErrorBits = 30;        // of a target's scale
constexpr double kErrorMax = 0x1p62;  // a prediction so far off is as good as any such

// The rows with the smallest hashes of their keys. When there are too many the limit falls, and it
// does not rise again: a row that was let go could only be found by reading all rows.
class KeySample final : public TestSample {
 public:
  KeySample(LearnerPlan plan, const SumKernel& kernel, std::int64_t row_count_max)
      : expander_(std::move(plan)), kernel_(kernel), row_count_max_(row_count_max) {}

  Result<void> apply(const Batch& batch) override {
    TRY(expander_.expect(batch.schema()));
    const Binding binding = TRY(expander_.bind_for_fold(batch.schema()));
    const Batch used = batch.select_columns(binding.used);
    ExpandedRows expanded;
    std::string key;
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      if (!may_be_test(batch, binding, row)) continue;
      key.clear();
      append_key(batch, binding.key, row, key);
      const std::uint64_t hash = hash64(key);
      if (hash > limit_) continue;
      expander_.expand(batch, binding, row, 1, expanded);
      if (expanded.fates[0] != RowFate::kTest) continue;
      Place place{hash, {}};
      append_row_bytes(used, row, place.second);
      change(std::move(place), batch.sign(row), expanded);
    }
    return {};
  }

  std::int64_t row_count() const override { return row_count_; }

  std::vector<double> mean_absolute_error(const Solution& solution) const override {
    if (row_count_ == 0 || !check_solution(expander_, solution).ok()) return {};
    std::vector<double> means;
    for (std::size_t target = 0; target < target_count(); ++target)
      means.push_back(mean_absolute_error(solution, target));
    return means;
  }

 private:
  // By hash of the key, then by the bytes of the row.
  using Place = std::pair<std::uint64_t, std::string>;

  std::size_t target_count() const { return expander_.plan().targets.size(); }

  std::size_t width() const { return static_cast<std::size_t>(expander_.column_count()); }

  static bool may_be_test(const Batch& batch, const Binding& binding, std::int64_t row) {
    return binding.split >= 0 && !batch.is_null(binding.split, row) &&
           batch.text_at(binding.split, row) == "test";
  }

  // All rows are looked at for each version: side by side, and one linear form each.
  double mean_absolute_error(const Solution& solution, std::size_t target) const {
    const int exponent = expander_.plan().targets[target].scale.exponent;
    std::vector<double> map = residual_map(
        expander_.plan(), expander_.layout(), solution, static_cast<int>(target), target);
    const double unit = power_of_two(kErrorBits - kFixedPointBits) / power_of_two(exponent);
    for (double& part : map)
      part *= unit;
    // In parts of the target's scale; the slots of rows that are gone go along.
    std::vector<double> residuals(counts_.size());
    kernel_.residuals({q_.data(), counts_.size(), width()}, map, residuals.data());
    const ErrorSum sum = sum_of(residuals, target);
    if (sum.is_nan) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(sum.errors) / static_cast<double>(sum.count) *
           power_of_two(-kErrorBits) * power_of_two(exponent);
  }

  struct ErrorSum {
    Int128 errors = 0;  // in parts of 2^-kErrorBits
    std::int64_t count = 0;
    bool is_nan = false;
  };

  // Errors of the usual size are added by blocks in 64 bits: so many of them cannot overflow.
  ErrorSum sum_of(const std::vector<double>& residuals, std::size_t target) const {
    constexpr std::size_t kBlock = 4096;
    constexpr double kUsual = 0x1p44;
    constexpr int kUsualCount = 64;
    ErrorSum sum;
    const std::size_t targets = target_count();
    for (std::size_t first = 0; first < residuals.size(); first += kBlock) {
      const std::size_t last = std::min(first + kBlock, residuals.size());
      std::int64_t usual = 0;
      for (std::size_t slot = first; slot < last; ++slot) {
        const int count = present_[slot * targets + target] != 0 ? std::max(counts_[slot], 0) : 0;
        const double error = std::fabs(residuals[slot]);
        sum.count += count;
        if (error < kUsual && count <= kUsualCount) {
          usual += static_cast<std::int64_t>(error + 0.5) * count;
        } else if (count > 0) {
          sum.is_nan = sum.is_nan || std::isnan(error);
          const double bounded = error < kErrorMax ? error : kErrorMax;
          sum.errors += static_cast<Int128>(static_cast<std::int64_t>(bounded + 0.5)) * count;
        }
      }
      sum.errors += usual;
    }
    return sum;
  }

  void change(Place place, int sign, const ExpandedRows& expanded) {
    const auto [found, is_new] = slots_.try_emplace(std::move(place), 0);
    if (is_new) found->second = take_slot(expanded);
    int& count = counts_[found->second];
    row_count_ -= std::max(0, count);
    count += sign;
    row_count_ += std::max(0, count);
    if (count == 0) {
      free_.push_back(found->second);
      slots_.erase(found);
      return;
    }
    if (is_new) keep_to_size();
  }

  std::size_t take_slot(const ExpandedRows& expanded) {
    std::size_t slot = counts_.size();
    if (free_.empty()) {
      counts_.push_back(0);
      q_.resize(q_.size() + width());
      present_.resize(present_.size() + target_count());
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    std::copy_n(expanded.q.begin(), width(), q_.begin() + offset(slot * width()));
    std::copy_n(expanded.target_present.begin(),
                target_count(),
                present_.begin() + offset(slot * target_count()));
    return slot;
  }

  static std::ptrdiff_t offset(std::size_t place) { return static_cast<std::ptrdiff_t>(place); }

  // Whole keys go, so that what stays is a function of the keys below the limit.
  void keep_to_size() {
    while (static_cast<std::int64_t>(slots_.size()) > row_count_max_) {
      const std::uint64_t largest = std::prev(slots_.end())->first.first;
      limit_ = largest - 1;
      const auto first = slots_.lower_bound({largest, {}});
      for (auto gone = first; gone != slots_.end(); ++gone) {
        row_count_ -= std::max(0, counts_[gone->second]);
        counts_[gone->second] = 0;
        free_.push_back(gone->second);
      }
      slots_.erase(first, slots_.end());
    }
  }

  Expander expander_;
  const SumKernel& kernel_;
  std::int64_t row_count_max_;
  std::uint64_t limit_ = ~std::uint64_t{0};
  std::int64_t row_count_ = 0;
  std::map<Place, std::size_t> slots_;
  std::vector<std::size_t> free_;
  // By slot.
  std::vector<int> counts_;  // below 0 for a moment, when a delete stands before its insert
  std::vector<std::int32_t> q_;
  std::vector<std::uint8_t> present_;  // [slot][target]
};

}  // namespace

Result<std::unique_ptr<TestSample>> make_test_sample(const SumLearner& learner,
                                                     std::int64_t row_count_max) {
  if (row_count_max < 1) return invalid("a test sample has at least 1 row");
  LearnerPlan plan = TRY(parse_plan(learner.definition().json));
  const SumKernel* kernel = TRY(choose_sum_kernel());
  return std::unique_ptr<TestSample>(
      std::make_unique<KeySample>(std::move(plan), *kernel, row_count_max));
}

}  // namespace lockstep
