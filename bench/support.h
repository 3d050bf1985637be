// What the benchmarks of the hub share.
#pragma once

#include "base/result.h"
#include "hub/hub.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace lockstep {

inline constexpr int kFeatures = 37;
inline constexpr Layer kLayers[] = {Layer::kRaw, Layer::kClean, Layer::kTrain};

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.error().message);
    std::exit(1);
  }
  return std::move(result).value();
}

inline void must(const Result<void>& result) {
  if (result.ok()) return;
  fmt::print(stderr, "{}\n", result.error().message);
  std::exit(1);
}

// rows(id, x0 ... x36) by id.
inline TableDefinition table_of(Layer layer) {
  std::vector<Field> fields = {{"id", Type::kInt}};
  for (int feature = 0; feature < kFeatures; ++feature)
    fields.push_back({fmt::format("x{}", feature), Type::kFloat});
  return {{layer, "rows"}, Schema(std::move(fields)), {"id"}};
}

}  // namespace lockstep
