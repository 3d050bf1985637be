// The types of a column, single values, and their text forms.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep {

// A column's type. The name is what the configuration says; the third column what the hub stores
// (DuckLake).
enum class Type {
  kBool,       // bool       boolean
  kInt,        // int        int64
  kFloat,      // float      float64
  kText,       // text       varchar        UTF-8, without NUL
  kDate,       // date       date           days since 1970
  kTimestamp,  // timestamp  timestamptz    microseconds since 1970, UTC
};

std::string_view type_name(Type type);                    // "int"
std::optional<Type> type_of_name(std::string_view name);  // nullopt: no such type

struct Date {
  std::int32_t days = 0;
  auto operator<=>(const Date&) const = default;
};

struct Timestamp {
  std::int64_t us = 0;
  auto operator<=>(const Timestamp&) const = default;
};

// Whether every reader of the hub can show it: DuckDB takes the outermost values for infinity, and
// fails on a whole column for one beyond. Text and files give no others.
bool is_storable(Date date);
bool is_storable(Timestamp time);

// Value. One cell; monostate is null.
using Value =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Date, Timestamp>;

bool is_null(const Value& value);

// The text of a value, as exports, messages and DuckDB's casts want it: true/false, shortest round
// trip for float (nan, inf, -inf), 2026-01-31, 2026-01-31 08:00:00.5+00. Null is the empty string.
std::string value_text(const Value& value);

// The value that `text` spells in `type`, strictly: nothing before or after, no overflow. Float
// takes nan and inf in any case. Timestamps take `T` or a space, an optional fraction to
// microseconds, and Z, +hh, +hh:mm or nothing, which means `utc_offset_minutes`. Dates are ISO
// 8601. Errors name the text and the type.
Result<Value> parse_value(std::string_view text, Type type, int utc_offset_minutes = 0);

struct Field {
  std::string name;
  Type type = Type::kText;
  bool operator==(const Field&) const = default;
};

// Value: immutable and cheap to copy. Named, typed columns in order. Every column may hold null.
class Schema final {
 public:
  Schema();
  explicit Schema(std::vector<Field> fields);

  const std::vector<Field>& fields() const { return *fields_; }

  int size() const { return static_cast<int>(fields_->size()); }

  const Field& field(int index) const { return fields_->at(static_cast<std::size_t>(index)); }

  std::optional<int> index_of(std::string_view name) const;  // exact match
  // As index_of; the error names the nearest column.
  Result<int> require(std::string_view name) const;
  Result<std::vector<int>> require_all(const std::vector<std::string>& names) const;
  std::vector<std::string> names() const;

  bool operator==(const Schema& other) const;

 private:
  std::shared_ptr<const std::vector<Field>> fields_;
};

// Names that DuckLake keeps for itself, or that differ from another only in case: refused, with a
// renaming offered.
Result<void> check_column_names(const Schema& schema);

}  // namespace lockstep
