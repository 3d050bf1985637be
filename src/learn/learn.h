// The learn layer: algorithms that fold signed batches into a state, and solve a state for a model.
//
// A learner sees batches of a dataset's `train` layer and its own state, nothing else. What a model
// means is its definition: the columns, the expansions with everything they have fitted, the
// scales, the learner and its settings, and the steps of the dataset, as one canonical JSON text
// with a SHA-256. Another text is another lineage.
//
// What it promises:
//   learn-1  A sum learner's state is a function of the multiset of rows alone: order, batching,
//   threads, kernel and
//            machine change no bit, and -1 undoes +1 completely. The state is integers
//            (learn/exact_sum.h).
//   learn-2  Whether a row is folded, refused or unlabelled is a pure function of the row and the
//   definition, so the
//            delete of a refused row is refused too.
//   learn-3  solve() is a pure function of the state and the definition, in a fixed order of
//   operations: the same bits
//            from every build type and machine.
//   learn-4  fold() changes nothing when it fails.
//   learn-5  Two states with equal fingerprints were made from the same rows, but for a chance
//   below 2^-100 against
//            anyone without the hub's fingerprint key.
//   learn-6  Missing (null) and NaN are told apart: null is imputed as the definition says, NaN and
//   infinity refused.
//
// What it does not do: read a hub, choose when to train, or judge a version (sync does).
//
//   ModelSpec spec = TRY(parse_model_spec(node, "bp", train_schema));
//   Definition definition = TRY(calibrate(spec, rows, steps_json));
//   auto learner = TRY(make_sum_learner(definition, train_schema));
//   ModelState state = learner->make_state(hash);
//   TRY(learner->fold(state, batch));
//   Solution solution = TRY(learner->solve(state));
#pragma once

#include "base/config.h"
#include "base/hash.h"
#include "base/result.h"
#include "learn/exact_sum.h"
#include "table/batch.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// ---- what the user asks for

// Value. The learner's part of a model in lockstep.yaml, checked against the train layer's schema.
struct ModelSpec {
  std::string name;
  std::vector<std::string> features;
  std::vector<std::string> targets;
  std::string
      split_column;  // text column; rows with "test" in it go to the test sums; empty: no test rows
  std::vector<std::string> key;  // of the train layer: for the fingerprint and the test sample
  Node expand;                   // the list as written
  Node learner;                  // {type: ridge, l2: auto}
  bool reject_outside = false;   // outside: reject | clip (default clip)
  bool per_target = false;
};

// The settings that a model may have for this layer, for the one settings table (name, type,
// default, text).
std::span<const Setting>
model_settings();  // features targets split expand learner outside per_target
std::span<const Setting> learner_settings();  // type l2

struct ExpansionInfo {
  std::string_view name;
  std::span<const Setting> settings;
  std::string_view text;
  std::string_view example;
};

std::span<const ExpansionInfo> expansions();

// `node`: the map with this layer's settings only. Errors carry marks and the nearest column's
// name.
Result<ModelSpec> parse_model_spec(const Node& node,
                                   const std::string& name,
                                   const Schema& train,
                                   const std::vector<std::string>& key);

// ---- the definition

// Value. Canonical JSON and its hash.
struct Definition {
  std::string json;
  std::string sha256;
  bool operator==(const Definition&) const = default;
};

// Fits everything that is pinned: ranges, categories, knots, frequencies, and l2 if it is `auto`
// (generalised cross-validation over the eigenvalues of the sums; Golub, Heath, Wahba 1979). A pure
// function of the rows as a set. `steps_json`: the dataset's steps with their pins, part of the
// definition. Rows of split "test" are not looked at. kInvalid: no usable row, a target that is
// constant.
Result<Definition> calibrate(const ModelSpec& spec,
                             std::span<const Batch> rows,
                             const std::string& steps_json);

// What was written as the spec, from a definition: to see whether a configuration asks for
// something else.
Result<std::string> spec_of_definition(const std::string& definition_json);
std::string spec_json(const ModelSpec& spec, const std::string& steps_json);

// ---- state and solution

struct FoldCounts {
  std::int64_t folded = 0;      // net rows (deletes count -1) into the training sums
  std::int64_t tested = 0;      // net rows into the test sums
  std::int64_t refused = 0;     // net
  std::int64_t unlabelled = 0;  // net
  bool operator==(const FoldCounts&) const = default;
};

// Value. Everything a sum learner knows: named exact sums, counts, and the fingerprint of the rows.
struct ModelState {
  std::map<std::string, ExactSum> sums;  // "train" and "test"; with per_target one of each a target
  FoldCounts counts;
  std::array<std::uint64_t, 2>
      fingerprint{};  // sum of keyed 128-bit hashes of the rows' bytes, modulo 2^128
  bool operator==(const ModelState&) const = default;
};

std::string fingerprint_text(const ModelState& state);  // 32 hex digits
std::string serialize_state(
    const ModelState& state);  // documented in docs/reference/formats.md; with a checksum
Result<ModelState> parse_state(std::string_view bytes);  // kCorrupt
// into + sign * hash, modulo 2^128.
void add_fingerprint(std::array<std::uint64_t, 2>& into,
                     const std::array<std::uint64_t, 2>& hash,
                     int sign);
Result<void> merge_state(ModelState& into, const ModelState& from, int sign);

// Value. A solved model. `columns` are the expanded columns that the weights belong to, in order;
// the last is 1.
struct Solution {
  std::vector<std::string> targets;
  std::vector<std::string> columns;
  std::vector<double>
      weights;  // [target][column], in units of the target per unit of the expanded column
  std::vector<double> standard_errors;  // the same shape
  std::vector<double>
      fills;  // the same shape: what stands for the column where its feature is missing
  std::vector<double>
      residual_deviation;  // [target], of the training rows: sqrt(SSE / degrees_of_freedom)
  std::vector<double>
      degrees_of_freedom;  // [target]: rows less effective parameters (the trace of the hat matrix)
  std::int64_t row_count = 0;  // training rows
  // For intervals; empty in a solution read from bytes. [column][column], and with per_target one
  // of them a target: the upper Cholesky factor of the centred, penalised sums; in the last row the
  // means, and sqrt(rows) at its end.
  std::vector<double> factor;
};

std::string serialize_solution(
    const Solution& solution);  // without the factor; little-endian, documented
Result<Solution> parse_solution(std::string_view bytes);  // kCorrupt

struct TargetMetrics {
  std::string target;
  double rmse = 0;
  double r2 = 0;  // 1 - SSE / SST about the mean of the same rows; NaN when they do not vary
};

struct Metrics {
  std::int64_t row_count = 0;
  std::vector<TargetMetrics> targets;  // empty when there are no rows
};

struct Prediction {
  Batch rows;  // one column a target, <target>; and with intervals <target>_low, <target>_high.
               // Null where refused.
  std::vector<std::string> refused;  // for each input row: empty, or why there is no prediction
};

// What the model in force says about rows that carry their targets: progressive validation, and the
// gate's evidence.
struct BatchErrors {
  std::int64_t row_count = 0;              // +1 rows with prediction and targets
  std::vector<std::int64_t> target_rows;   // [target] of them those with this target
  std::vector<double> absolute_error_sum;  // [target]
  std::vector<double> squared_error_sum;   // [target]
};

// ---- the learner

// Interface; const and safe from many threads. The first of three kinds: a chain learner (replayed)
// and an external one (runs elsewhere) have states of another nature and interfaces of their own.
class SumLearner {
 public:
  virtual ~SumLearner() = default;
  virtual const Definition& definition() const = 0;
  virtual int column_count()
      const = 0;  // d: expanded columns, the constant and the targets included
  virtual ModelState make_state() const = 0;
  // Adds +1 rows, takes away -1 rows. `hash` keys the fingerprint. Schema: the train layer's.
  virtual Result<void> fold(ModelState& state, const Batch& batch, const KeyedHash& hash) const = 0;
  // kUnsupported never; kInvalid when the state cannot be solved (too few rows, a sum that is not
  // positive definite).
  virtual Result<Solution> solve(const ModelState& state) const = 0;
  // From the sums alone, O(d^2). which: "train" or "test".
  virtual Metrics evaluate(const Solution& solution,
                           const ModelState& state,
                           std::string_view which) const = 0;
  // Needs the feature columns only. level: 0 for no intervals, else such as 0.95 (needs the
  // factor).
  virtual Result<Prediction> predict(const Solution& solution,
                                     const Batch& rows,
                                     double level) const = 0;
  virtual Result<BatchErrors> errors(const Solution& solution, const Batch& rows) const = 0;
};

// `kernel`: as for choose_sum_kernel().
Result<std::unique_ptr<SumLearner>> make_sum_learner(const Definition& definition,
                                                     const Schema& train,
                                                     std::string_view kernel = {});

// Resource. At most `row_count_max` test rows, chosen by the hash of their key, expanded once: for
// metrics that are no sums (mean absolute error). Follows inserts and deletes.
class TestSample {
 public:
  virtual ~TestSample() = default;
  virtual Result<void> apply(const Batch& batch) = 0;  // signed rows of the train layer
  virtual std::int64_t row_count() const = 0;
  virtual std::vector<double> mean_absolute_error(
      const Solution& solution) const = 0;  // [target]; empty: no rows
};

Result<std::unique_ptr<TestSample>> make_test_sample(const SumLearner& learner,
                                                     std::int64_t row_count_max);

}  // namespace lockstep
