#include "learn/expander.h"
#include "learn/prediction.h"
#include "table/columns.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace lockstep {
namespace {

// The rows with the smallest hashes of their keys. When there are too many the limit falls, and it
// does not rise again: a row that was let go could only be found by reading all rows.
class KeySample final : public TestSample {
 public:
  KeySample(LearnerPlan plan, std::int64_t row_count_max)
      : expander_(std::move(plan)), row_count_max_(row_count_max) {}

  Result<void> apply(const Batch& batch) override {
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
      std::vector<double> targets;
      for (const int column : binding.targets)
        targets.push_back(batch.number_at(column, row));
      change(std::move(place), std::move(targets), batch.sign(row), expanded);
    }
    return {};
  }

  std::int64_t row_count() const override {
    std::int64_t count = 0;
    for (const auto& [place, entry] : entries_)
      count += std::max(0, entry.count);
    return count;
  }

  std::vector<double> mean_absolute_error(const Solution& solution) const override {
    const std::size_t target_count = expander_.plan().targets.size();
    if (row_count() == 0 || !check_solution(expander_, solution).ok()) return {};
    std::vector<double> sums(target_count, 0.0);
    std::vector<std::int64_t> counts(target_count, 0);
    std::vector<double> columns(solution.columns.size());
    for (const auto& [place, entry] : entries_) {
      for (std::size_t t = 0; t < target_count; ++t) {
        if (entry.count <= 0 || std::isnan(entry.targets[t])) continue;
        solution_row(expander_.layout(), solution, t, entry.q.data(), columns);
        sums[t] += entry.count * std::fabs(entry.targets[t] - predicted(solution, t, columns));
        counts[t] += entry.count;
      }
    }
    for (std::size_t t = 0; t < target_count; ++t)
      sums[t] /= static_cast<double>(counts[t]);
    return sums;
  }

 private:
  struct Entry {
    int count = 0;  // below 0 for a moment, when a delete stands before its insert
    std::vector<std::int32_t> q;
    std::vector<double> targets;  // NaN: missing
  };

  // By hash of the key, then by the bytes of the row.
  using Place = std::pair<std::uint64_t, std::string>;

  static bool may_be_test(const Batch& batch, const Binding& binding, std::int64_t row) {
    return binding.split >= 0 && !batch.is_null(binding.split, row) &&
           batch.text_at(binding.split, row) == "test";
  }

  void change(Place place, std::vector<double> targets, int sign, const ExpandedRows& expanded) {
    const auto [found, is_new] = entries_.try_emplace(std::move(place));
    Entry& entry = found->second;
    entry.count += sign;
    if (entry.count == 0) {
      entries_.erase(found);
      return;
    }
    if (!is_new) return;
    entry.q = expanded.q;
    entry.targets = std::move(targets);
    // Whole keys go, so that what stays is a function of the keys below the limit.
    while (static_cast<std::int64_t>(entries_.size()) > row_count_max_) {
      const std::uint64_t largest = std::prev(entries_.end())->first.first;
      limit_ = largest - 1;
      entries_.erase(entries_.lower_bound({largest, {}}), entries_.end());
    }
  }

  Expander expander_;
  std::int64_t row_count_max_;
  std::uint64_t limit_ = ~std::uint64_t{0};
  std::map<Place, Entry> entries_;
};

}  // namespace

Result<std::unique_ptr<TestSample>> make_test_sample(const SumLearner& learner,
                                                     std::int64_t row_count_max) {
  if (row_count_max < 1) return invalid("a test sample has at least 1 row");
  LearnerPlan plan = TRY(parse_plan(learner.definition().json));
  return std::unique_ptr<TestSample>(std::make_unique<KeySample>(std::move(plan), row_count_max));
}

}  // namespace lockstep
