// From rows of the narrow train layer to rows of fixed-point integers, as a plan says.
#pragma once

#include "learn/layout.h"
#include "learn/random_features.h"
#include "table/batch.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

enum class RowFate : std::uint8_t { kTrain, kTest, kRefused, kUnlabelled };

// Where a plan's columns stand in a schema.
struct Binding {
  std::vector<int> features;
  std::vector<int> targets;  // empty: rows without targets, for prediction
  int split = -1;
  std::vector<int> used;  // key, features, targets, split: what the fingerprint covers
  std::vector<int> key;
};

// Some rows, expanded. Buffers are kept from one block to the next.
struct ExpandedRows {
  int column_count = 0;                      // features and missing columns, constant, targets
  std::vector<std::int32_t> q;               // [row][column]
  std::vector<RowFate> fates;                // [row]
  std::vector<std::uint8_t> target_present;  // [row][target]
  // The caller's choices:
  const SumKernel* kernel = nullptr;  // to quantise with; nullptr: one number at a time
  bool wants_reasons = false;
  std::vector<std::string> reasons;  // [row], when wanted: why it is refused
};

class Expander final {
 public:
  explicit Expander(LearnerPlan plan);

  const LearnerPlan& plan() const { return plan_; }

  const Layout& layout() const { return layout_; }

  // Columns of the expanded rows: features, missing, constant, all targets.
  int column_count() const { return layout_.constant + 1 + static_cast<int>(plan_.targets.size()); }

  // Binds the schema that most batches will have, once.
  Result<void> expect(const Schema& schema);
  // kInvalid: a column is not there, or has another type.
  Result<Binding> bind_for_fold(const Schema& schema) const;
  Result<Binding> bind_for_predict(const Schema& schema) const;

  void expand(const Batch& batch,
              const Binding& binding,
              std::int64_t offset,
              std::int64_t count,
              ExpandedRows& out) const;

 private:
  struct Block;
  void expand_number(const Block& block, std::size_t feature, int column) const;
  bool expand_plain(const Block& block, std::size_t feature, int column) const;
  void expand_categories(const Block& block, std::size_t feature, int column) const;
  void expand_fourier(const Block& block) const;
  void expand_targets(const Block& block, const Binding& binding) const;

  LearnerPlan plan_;
  Layout layout_;
  RandomFeatures fourier_;
  std::optional<std::pair<Schema, Binding>> expected_;
  std::vector<std::map<std::string, int, std::less<>>>
      category_index_;              // [feature]: value to place
  std::vector<int> fourier_place_;  // [feature]: among the columns of the random features, or -1
};

// The fixed point of a number, rounded half to even; the caller has kept it within the scale's
// reach.
std::int32_t fixed_point(double value, const Scale& scale);

}  // namespace lockstep
