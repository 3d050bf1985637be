#include "table/json_cell.h"

namespace lockstep {

namespace {

using Kind = JsonValue::Kind;

// JSON has no NaN and no infinity: they come as "nan", "inf", "-inf".
void read_json_float(const JsonValue& value, Cell& cell) {
  cell.is_good = value.kind == Kind::kInt || value.kind == Kind::kNumber;
  if (value.kind != Kind::kText) return;
  const bool ends_in_digit =
      !value.text.empty() && value.text.back() <= '9';  // then it is a number in quotes
  if (ends_in_digit) return;
  const std::optional<double> special = float_of_text(value.text, false);
  cell.is_good = special.has_value();
  cell.number = special.value_or(0);
}

void read_json_text(const JsonValue& value, Type type, const Spelling& spelling, Cell& cell) {
  cell.is_good = value.kind == Kind::kText && value.text.find('\0') == std::string_view::npos;
  if (cell.is_good) read_cell(value.text, type, spelling, cell);
}

void read_json_time(const JsonValue& value, TimeUnit unit, Cell& cell) {
  const std::optional<std::int64_t> us = us_since_1970(value.whole, unit);
  cell.is_good = us && is_storable(Timestamp{*us});
  cell.whole = us.value_or(0);
}

}  // namespace

std::optional<TimeUnit> time_unit_of_name(std::string_view name) {
  if (name == "s") return TimeUnit::kSeconds;
  if (name == "ms") return TimeUnit::kMilliseconds;
  if (name == "us") return TimeUnit::kMicroseconds;
  if (name == "ns") return TimeUnit::kNanoseconds;
  return std::nullopt;
}

std::optional<std::int64_t> us_since_1970(std::int64_t count, TimeUnit unit) {
  constexpr std::int64_t kThousand = 1'000;
  std::int64_t us = count;
  bool overflows = false;
  switch (unit) {
    case TimeUnit::kSeconds:
      overflows = __builtin_mul_overflow(count, kThousand * kThousand, &us);
      break;
    case TimeUnit::kMilliseconds:
      overflows = __builtin_mul_overflow(count, kThousand, &us);
      break;
    case TimeUnit::kMicroseconds:
      break;
    case TimeUnit::kNanoseconds:  // downwards, also before 1970
      us = count / kThousand - (count % kThousand < 0 ? 1 : 0);
      break;
  }
  return overflows ? std::nullopt : std::optional(us);
}

void read_json_cell(const JsonValue& value,
                    Type type,
                    const Spelling& spelling,
                    std::optional<TimeUnit> unit,
                    Cell& cell) {
  cell.is_good = true;
  cell.is_null = value.kind == Kind::kNull;
  if (cell.is_null) return;
  cell.boolean = value.boolean;
  cell.whole = value.whole;
  cell.number = value.number;
  switch (type) {
    case Type::kBool:
      cell.is_good = value.kind == Kind::kBool;
      return;
    case Type::kInt:
      cell.is_good = value.kind == Kind::kInt;
      return;
    case Type::kFloat:
      return read_json_float(value, cell);
    case Type::kTimestamp:
      if (unit && value.kind == Kind::kInt) return read_json_time(value, *unit, cell);
      return read_json_text(value, type, spelling, cell);
    default:
      return read_json_text(value, type, spelling, cell);
  }
}

std::string json_cell_refusal(const JsonValue& value, Type type) {
  if (value.kind == Kind::kObject || value.kind == Kind::kArray)
    return "a nested value is not taken";
  if (value.text.find('\0') != std::string_view::npos) return "the text holds a NUL";
  const bool other_kind = value.kind == Kind::kText &&
                          (type == Type::kBool || type == Type::kInt || type == Type::kFloat);
  return (other_kind ? "the text " : "") + not_a(value.spelling(), type);
}

}  // namespace lockstep
