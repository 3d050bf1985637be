// What the steps that look at their row alone have in common.
#pragma once

#include "base/config.h"
#include "prepare/prepare.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

inline constexpr double kIntEnd = 9223372036854775808.0;  // 2^63

struct RowStepInfo {
  std::string_view name;
  Schema input;
  Schema output;
  Node arguments;  // in full, with defaults: what definitions hold
  // Input columns that are not kept as they are: their new name, or nothing where dropped or
  // changed.
  std::map<std::string, std::optional<std::string>> moved;
};

// Const and safe from many threads, as the step is.
using RowWork = std::function<Result<StepOutput>(const Batch&)>;

std::unique_ptr<Step> make_row_step(RowStepInfo info, RowWork work);

// Value. Which rows of a batch go on.
class Sieve final {
 public:
  explicit Sieve(std::int64_t row_count);

  void leave_out(std::int64_t row);
  void reject(std::int64_t row, std::string reason);  // the first reason of a row stays

  bool goes_on(std::int64_t row) const { return goes_on_[static_cast<std::size_t>(row)]; }

  // `rows`: all of them, with the step's output columns.
  StepOutput finish(const Batch& rows) &&;

 private:
  std::vector<bool> goes_on_;
  std::vector<StepReject> rejects_;
};

// Resource. A column that is written cell by cell, then put into a batch.
class ColumnWriter final {
 public:
  explicit ColumnWriter(Field field);

  void append(const Value& value) { builder_.append(0, value); }

  void append_null() { builder_.append_null(0); }

  Result<Batch> put_into(const Batch& batch) &&;

 private:
  BatchBuilder builder_;
};

// The value in another type, if it is exactly one there; text is read strictly.
std::optional<Value> cast_exactly(const Value& value, Type type);

// `schema` with the field in place of one of its name, or behind the last one.
Schema with_field(const Schema& schema, Field field);

// Errors of a library call or of another layer, at the place in the configuration.
template <typename T>
Result<T> at_mark(Result<T> result, const Mark& mark) {
  if (result.ok()) return result;
  return invalid_at(mark, result.error().message, result.error().hint);
}

// Columns that must exist, with the marks of their names.
Result<std::vector<int>> columns_at(const Node& node,
                                    const std::vector<std::string>& names,
                                    const Schema& schema);

// The same settings, where a bare `null` of one of them, which YAML reads as no value, is the word.
Node with_null_as_word(const Node& arguments, std::string_view setting);

Node node_of_texts(const std::vector<std::string>& texts);

// "17", "1.5", "'text'", "null": a value in a reason.
std::string shown(const Value& value);

}  // namespace lockstep
