// The prepare layer: cleaning and feature steps, from raw rows to clean and train rows.
//
// A pipeline is the list of a dataset's `clean` steps and then its `train` steps. Steps are pure:
// the same row gives the same result whenever, wherever and in whatever batch. So a row that leaves
// is prepared like a row that enters, and what it left in clean and train is known without looking.
//
// What it promises:
//   prepare-1  apply() is a pure function of its rows (and of the rows that needs() named): no
//   clock, no randomness,
//              no libm, no state between calls.
//   prepare-2  Signs go through: each output row has the sign of the input row that it came from.
//   prepare-3  Every input row ends in exactly one place: clean (and train), left out by a filter,
//   or rejected with
//              the step and the reason.
//   prepare-4  The key is kept: key columns may be renamed, not dropped, changed or cast.
//   prepare-5  A step states its reach before it runs: needs() names the old rows it must see.
//   Steps that look at
//              their row alone need nothing.
//
// What it does not do: fit anything (that is the model's calibration), or fetch rows (sync does).
//
//   Pipeline pipeline = TRY(Pipeline::make(clean_node, train_node, raw_schema, {"patient",
//   "hour"})); Prepared prepared = TRY(pipeline.apply(raw_rows));
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "table/batch.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Rows of the layer that a step must see beside its batch: those of the named groups.
struct Need {
  std::vector<std::string> group_columns;
  std::vector<std::string> order_columns;
  Batch groups;  // one row a group: the group columns
};

struct Needs {
  std::vector<Need> items;  // empty: nothing
};

struct StepReject {
  std::int64_t row = 0;  // of the step's input
  std::string reason;    // "sbp is 900, above 300"
};

struct StepOutput {
  Batch rows;
  std::vector<std::int64_t> from;  // input row of each output row
  std::vector<StepReject> rejects;
};

// Interface; const and safe from many threads. One cleaning or feature operation, made for one
// input schema.
class Step {
 public:
  virtual ~Step() = default;
  virtual std::string_view name() const = 0;  // "range"
  virtual const Schema& output() const = 0;
  virtual Needs needs(const Batch& batch) const = 0;
  // `seen`: for each need, its rows. Rows that appear in neither `rows` nor `rejects` are left out.
  virtual Result<StepOutput> apply(const Batch& batch, std::span<const Batch> seen) const = 0;
  // The name that an input column has afterwards; nothing: the step drops it or may change its
  // values.
  virtual std::optional<std::string> kept_as(std::string_view column) const = 0;
  virtual std::string json() const = 0;  // what it does, in full, for definitions
};

struct StepInfo {
  std::string_view name;
  std::string_view text;
  std::string_view example;  // one YAML line
  Result<std::unique_ptr<Step>> (*make)(const Node& arguments, const Schema& input);
};

// Every step there is, in the order of the manual.
std::span<const StepInfo> steps();

struct PreparedReject {
  std::int64_t row = 0;  // of the pipeline's input
  std::string step;      // "clean[1] range"
  std::string reason;
};

struct Prepared {
  Batch clean;
  std::vector<std::int64_t> clean_from;  // input row of each
  Batch train;  // after all steps; a row that a train step rejects stays in clean
  std::vector<std::int64_t> train_from;
  std::vector<PreparedReject> rejects;
};

// Value; cheap to copy; const and safe from many threads.
class Pipeline final {
 public:
  // clean, train: lists of steps as in lockstep.yaml, or null for none. Errors carry marks.
  static Result<Pipeline> make(const Node& clean,
                               const Node& train,
                               const Schema& input,
                               const std::vector<std::string>& key);

  const Schema& clean_schema() const;
  const Schema& train_schema() const;
  const std::vector<std::string>& clean_key() const;  // the key's names after the clean steps
  const std::vector<std::string>& train_key() const;
  std::string clean_json() const;  // canonical: the clean steps and the input schema
  std::string json() const;        // canonical: all steps; part of every model's definition

  Result<Prepared> apply(const Batch& rows) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

// An expression over columns: arithmetic, comparison, and/or/not, `cond ? a : b`, exp log pow sqrt
// abs min max floor round, coalesce and is_null. Column names that are no identifiers stand in
// double quotes. Null in any column that is used gives null (but for coalesce and is_null). Text
// compares with == and != to a literal in single quotes.
class Expression final {
 public:
  // Errors: position in the text, and the nearest column's name.
  static Result<Expression> parse(std::string_view text, const Schema& schema);
  // null, or a number (comparisons give 1 and 0). Division by zero and logarithms of negatives give
  // NaN or infinity.
  std::vector<Value> evaluate(const Batch& batch) const;
  const std::vector<std::string>& columns() const;  // that it uses, in order of first use

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace lockstep
