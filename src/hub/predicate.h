// Simple conditions on rows, which files and row groups can be passed over by.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class Comparison { kEqual, kNotEqual, kLess, kAtMost, kGreater, kAtLeast };

// Value. `column` compared with a value of its type that is not null. A null cell never satisfies
// it; NaN is above all numbers and equals itself, as in DuckDB.
struct Predicate {
  std::string column;
  Comparison comparison = Comparison::kEqual;
  Value value;
};

// "age >= 60 and ward = 'A'": comparisons joined by `and`. Values are numbers, texts in quotes (a
// quote in one is doubled), true, false, or in quotes what the column's type reads: '2026-11-25'.
Result<std::vector<Predicate>> parse_predicates(std::string_view text, const Schema& schema);

// Whether left stands to right as the comparison says; both of one type, not null.
bool holds(const Value& left, Comparison comparison, const Value& right);

}  // namespace lockstep
