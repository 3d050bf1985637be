#include "learn/random_features.h"

#include "base/exact_math.h"

#include <algorithm>

namespace lockstep {
namespace {

constexpr double kTwoPi = 0x1.921fb54442d18p+2;
constexpr double kArgumentMax = 999'999;  // exact_cos takes a million

// Uniform in (0, 1): 53 bits and a half, so that the logarithm is finite.
double next_uniform(std::uint64_t& state) {
  return (static_cast<double>(next_random(state) >> 11) + 0.5) * 0x1p-53;
}

double next_normal(std::uint64_t& state) {
  const double radius = exact_sqrt(-2 * exact_log(next_uniform(state)));
  return radius * exact_cos(kTwoPi * next_uniform(state));
}

}  // namespace

std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

RandomFeatures::RandomFeatures(const FourierPlan& plan, int column_count)
    : feature_count_(plan.feature_count), column_count_(column_count) {
  const auto features = static_cast<std::size_t>(feature_count_);
  const auto columns = static_cast<std::size_t>(column_count);
  frequencies_.resize(features * columns);
  phases_.resize(features);
  const double deviation = exact_sqrt(2 * plan.gamma);
  std::uint64_t state = plan.seed;
  for (std::size_t k = 0; k < features; ++k) {
    for (std::size_t i = 0; i < columns; ++i)
      frequencies_[i * features + k] = deviation * next_normal(state);
    phases_[k] = kTwoPi * next_uniform(state);
  }
}

void RandomFeatures::compute(std::span<const double> row, std::span<double> out) const {
  const std::size_t features = phases_.size();
  std::copy(phases_.begin(), phases_.end(), out.begin());
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double* w = frequencies_.data() + i * features;
    double* sum = out.data();
    for (std::size_t k = 0; k < features; ++k)
      sum[k] += row[i] * w[k];
  }
  for (double& value : out)
    value = std::clamp(value, -kArgumentMax, kArgumentMax);
  exact_cos_many(out.data(), out.data(), out.size());
}

}  // namespace lockstep
