// The least that has a model: for tests in which the disk or the power is what matters.
#pragma once

namespace lockstep::test {

inline constexpr const char* kSmallModel = R"(
sources:
  a: {type: files, path: "in/*.csv", mode: upsert}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, y: float}
    train: [split: {by: id, test: 0.2}]
models:
  m:
    dataset: d
    features: [x]
    targets: [y]
    expand: [standardize]
    learner: {type: ridge, l2: 1}
    calibrate_after: 20 rows
)";

}  // namespace lockstep::test
