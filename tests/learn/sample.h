// Rows for the tests of the learn layer.
#pragma once

#include "learn/learn.h"
#include "learn/random_features.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace lockstep::testing {

inline Schema sample_schema() {
  return Schema({{"id", Type::kInt},
                 {"age", Type::kFloat},
                 {"visits", Type::kInt},
                 {"ward", Type::kText},
                 {"split", Type::kText},
                 {"sbp", Type::kFloat},
                 {"dbp", Type::kFloat}});
}

// Numbers from a fixed sequence: the same in every build.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return next_random(state_) % bound; }

  double uniform() { return static_cast<double>(below(1 << 20)) / (1 << 20); }

 private:
  std::uint64_t state_;
};

// Rows with missing values, a bent relation, and one in five for testing; every sum below is exact
// in decimal.
inline Batch sample_rows(std::int64_t count, std::uint64_t seed = 1) {
  Numbers numbers(seed);
  BatchBuilder builder(sample_schema());
  const char* wards[] = {"east", "west", "icu", "icu"};
  for (std::int64_t id = 0; id < count; ++id) {
    const double age = 18 + static_cast<double>(numbers.below(6000)) / 100;
    const auto visits = static_cast<std::int64_t>(numbers.below(9));
    const std::uint64_t ward = numbers.below(4);
    const double noise = numbers.uniform() - 0.5;
    const double bend = age > 50 ? (age - 50) * 0.75 : 0;
    builder.append(0, id);
    builder.append(1, numbers.below(10) == 0 ? Value{} : Value{age});
    builder.append(2, numbers.below(12) == 0 ? Value{} : Value{visits});
    builder.append(3, numbers.below(15) == 0 ? Value{} : Value{std::string(wards[ward])});
    builder.append(4, std::string(numbers.below(5) == 0 ? "test" : "train"));
    builder.append(5, numbers.below(20) == 0 ? Value{} : Value{100 + bend + 4 * noise});
    builder.append(6, 60 + static_cast<double>(visits) + (ward > 1 ? 3 : 0) + 2 * noise);
  }
  return std::move(builder.finish()).value();
}

inline ModelSpec sample_spec(const std::string& yaml, const Schema& schema = sample_schema()) {
  const Node node = parse_yaml(yaml, "lockstep.yaml").value();
  return parse_model_spec(node, "bp", schema, {"id"}).value();
}

inline Batch permuted(const Batch& rows, std::uint64_t seed) {
  Numbers numbers(seed);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.row_count()));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[numbers.below(i)]);
  return rows.select_rows(order);
}

}  // namespace lockstep::testing
