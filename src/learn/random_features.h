// Random Fourier features (Rahimi and Recht 2007): cos(w.x + b), a pure function of the row.
#pragma once

#include "learn/plan.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

// SplitMix64 (Steele, Lea, Flood 2014): the next of a sequence, from its state.
std::uint64_t next_random(std::uint64_t& state);

class RandomFeatures final {
 public:
  // w normal with variance 2 * gamma (Box and Muller 1958, the cosine half), b uniform in [0, 2
  // pi); for each feature its w in the order of the columns, then its b, from one SplitMix64
  // sequence that starts at the seed.
  RandomFeatures(const FourierPlan& plan, int column_count);

  int feature_count() const { return feature_count_; }

  int column_count() const { return column_count_; }

  // out[feature] for one row; sums in the order of the columns.
  void compute(std::span<const double> row, std::span<double> out) const;

 private:
  int feature_count_ = 0;
  int column_count_ = 0;
  std::vector<double> frequencies_;  // [column][feature]
  std::vector<double> phases_;       // [feature]
};

}  // namespace lockstep
