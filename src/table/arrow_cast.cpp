#include "table/arrow_cast.h"

#include "table/scalar_text.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {

namespace {

constexpr std::int64_t kFloatIntMax = std::int64_t{1} << 53;
constexpr std::size_t kFloatDigits = 15;  // that many decimal digits survive in any float
constexpr std::int64_t kMsPerDay = 86'400'000;
constexpr std::int64_t kUsPerMinute = 60'000'000;

// One value of an array, or why it has no exact form.
struct Taken {
  Value value;
  std::string problem;
};

Taken problem(std::string text) {
  return {Value(), std::move(text)};
}

template <typename ArrayType>
const ArrayType& as(const arrow::Array& array) {
  return static_cast<const ArrayType&>(array);
}

Taken take_text(std::string_view text) {
  if (first_invalid_utf8(text)) return problem("the text is not utf-8");
  if (text.find('\0') != std::string_view::npos) return problem("the text holds a NUL");
  return {std::string(text), {}};
}

Taken take_unsigned(std::uint64_t value) {
  const auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value > limit) return problem(not_a(fmt::format("{}", value), Type::kInt));
  return {static_cast<std::int64_t>(value), {}};
}

Taken take_date(std::int32_t days) {
  if (!is_storable(Date{days})) return problem("the date is out of range");
  return {Date{days}, {}};
}

Taken take_date64(std::int64_t ms) {
  if (ms % kMsPerDay != 0) return problem("the date has a time of day");
  const std::int64_t days = ms / kMsPerDay;
  if (days != static_cast<std::int32_t>(days)) return problem("the date is out of range");
  return take_date(static_cast<std::int32_t>(days));
}

Taken take_timestamp(std::int64_t value, const arrow::DataType& type, int utc_offset_minutes) {
  const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
  std::int64_t us = value;
  bool overflow = false;
  switch (timestamp.unit()) {
    case arrow::TimeUnit::SECOND:
      overflow = __builtin_mul_overflow(value, std::int64_t{1'000'000}, &us);
      break;
    case arrow::TimeUnit::MILLI:
      overflow = __builtin_mul_overflow(value, std::int64_t{1'000}, &us);
      break;
    case arrow::TimeUnit::MICRO:
      break;
    case arrow::TimeUnit::NANO:
      if (value % 1000 != 0) return problem("the timestamp is finer than a microsecond");
      us = value / 1000;
      break;
  }
  const std::int64_t shift_us =
      timestamp.timezone().empty() ? utc_offset_minutes * kUsPerMinute : 0;
  overflow = overflow || __builtin_sub_overflow(us, shift_us, &us);
  if (overflow || !is_storable(Timestamp{us})) return problem("the timestamp is out of range");
  return {Timestamp{us}, {}};
}

Taken take_decimal(const std::string& text, Type to) {
  if (to == Type::kInt) {
    const std::size_t point = std::min(text.find('.'), text.size());
    const bool whole = text.find_first_not_of(".0", point) == std::string::npos;
    const auto value = whole ? int_of_text(text.substr(0, point)) : std::nullopt;
    return value ? Taken{*value, {}} : problem(not_a(text, to));
  }
  std::string digits;
  std::ranges::copy_if(
      text, std::back_inserter(digits), [](char c) { return c >= '0' && c <= '9'; });
  digits.erase(0, digits.find_first_not_of('0'));
  const auto value = float_of_text(text, false);
  if (!value || digits.size() > kFloatDigits) {
    return problem(fmt::format("'{}' has more digits than a float keeps", text));
  }
  return {*value, {}};
}

template <typename ArrayType>
Taken take_decimal_at(const arrow::Array& array, std::int64_t row, Type to) {
  return take_decimal(as<ArrayType>(array).FormatValue(row), to);
}

struct Want {
  Type type;
  int utc_offset_minutes;
};

Taken take(const arrow::Array& array, std::int64_t row, const Want& want) {
  if (array.IsNull(row)) return {};
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return {as<arrow::BooleanArray>(array).Value(row), {}};
    case arrow::Type::INT8:
      return {std::int64_t{as<arrow::Int8Array>(array).Value(row)}, {}};
    case arrow::Type::INT16:
      return {std::int64_t{as<arrow::Int16Array>(array).Value(row)}, {}};
    case arrow::Type::INT32:
      return {std::int64_t{as<arrow::Int32Array>(array).Value(row)}, {}};
    case arrow::Type::INT64:
      return {as<arrow::Int64Array>(array).Value(row), {}};
    case arrow::Type::UINT8:
      return {std::int64_t{as<arrow::UInt8Array>(array).Value(row)}, {}};
    case arrow::Type::UINT16:
      return {std::int64_t{as<arrow::UInt16Array>(array).Value(row)}, {}};
    case arrow::Type::UINT32:
      return {std::int64_t{as<arrow::UInt32Array>(array).Value(row)}, {}};
    case arrow::Type::UINT64:
      return take_unsigned(as<arrow::UInt64Array>(array).Value(row));
    case arrow::Type::FLOAT:
      return {double{as<arrow::FloatArray>(array).Value(row)}, {}};
    case arrow::Type::DOUBLE:
      return {as<arrow::DoubleArray>(array).Value(row), {}};
    case arrow::Type::DECIMAL32:
      return take_decimal_at<arrow::Decimal32Array>(array, row, want.type);
    case arrow::Type::DECIMAL64:
      return take_decimal_at<arrow::Decimal64Array>(array, row, want.type);
    case arrow::Type::DECIMAL128:
      return take_decimal_at<arrow::Decimal128Array>(array, row, want.type);
    case arrow::Type::DECIMAL256:
      return take_decimal_at<arrow::Decimal256Array>(array, row, want.type);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return take_text(as<arrow::BinaryArray>(array).GetView(row));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return take_text(as<arrow::LargeBinaryArray>(array).GetView(row));
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return take_text(as<arrow::BinaryViewArray>(array).GetView(row));
    case arrow::Type::DATE32:
      return take_date(as<arrow::Date32Array>(array).Value(row));
    case arrow::Type::DATE64:
      return take_date64(as<arrow::Date64Array>(array).Value(row));
    case arrow::Type::TIMESTAMP:
      return take_timestamp(
          as<arrow::TimestampArray>(array).Value(row), *array.type(), want.utc_offset_minutes);
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = as<arrow::DictionaryArray>(array);
      return take(*dictionary.dictionary(), dictionary.GetValueIndex(row), want);
    }
    default:
      return {};
  }
}

// An int as a float, where it is one exactly.
Taken widened(Taken taken, Type to) {
  const auto* whole = std::get_if<std::int64_t>(&taken.value);
  if (to != Type::kFloat || whole == nullptr) return taken;
  const std::int64_t value = *whole;
  if (value > kFloatIntMax || value < -kFloatIntMax) {
    return problem(fmt::format("'{}' has more digits than a float keeps", value));
  }
  return {static_cast<double>(value), {}};
}

// Lives as long as `type`.
const arrow::DataType* inner_type(const arrow::DataType& type) {
  return type.id() == arrow::Type::DICTIONARY
             ? static_cast<const arrow::DictionaryType&>(type).value_type().get()
             : &type;
}

bool can_cast(const arrow::DataType& from, Type to) {
  const arrow::DataType& inner = *inner_type(from);
  if (inner.id() == arrow::Type::NA) return true;
  if (arrow::is_decimal(inner.id())) return to == Type::kInt || to == Type::kFloat;
  const std::optional<Type> natural = type_of_arrow(inner);
  return natural == to || (natural == Type::kInt && to == Type::kFloat);
}

}  // namespace

std::optional<Type> type_of_arrow(const arrow::DataType& type) {
  const arrow::DataType& inner = *inner_type(type);
  if (arrow::is_integer(inner.id())) return Type::kInt;
  if (arrow::is_decimal(inner.id())) {
    return static_cast<const arrow::DecimalType&>(inner).scale() == 0 ? Type::kInt : Type::kFloat;
  }
  switch (inner.id()) {
    case arrow::Type::BOOL:
      return Type::kBool;
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return Type::kFloat;
    case arrow::Type::NA:
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return Type::kText;
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return Type::kDate;
    case arrow::Type::TIMESTAMP:
      return Type::kTimestamp;
    default:
      return std::nullopt;
  }
}

Result<CastColumn> cast_exactly(const std::shared_ptr<arrow::Array>& array,
                                const Field& field,
                                int utc_offset_minutes) {
  if (!can_cast(*array->type(), field.type)) {
    return make_error(Code::kUnsupported,
                      fmt::format("column '{}' is of the type {}, which is not read as {}",
                                  field.name,
                                  array->type()->ToString(),
                                  type_name(field.type)));
  }
  // Texts are looked through in any case: nothing has checked that they are UTF-8.
  const bool same = array->type()->Equals(*arrow_type(field.type));
  if (same && field.type != Type::kText) return CastColumn{array, {}};
  CastColumn out;
  BatchBuilder builder(Schema({field}));
  for (std::int64_t row = 0; row < array->length(); ++row) {
    Taken taken = widened(take(*array, row, {field.type, utc_offset_minutes}), field.type);
    if (!taken.problem.empty()) out.bad.emplace_back(row, std::move(taken.problem));
    builder.append(0, taken.value);
  }
  const Batch column = TRY(builder.finish());
  out.values = column.column(0);
  return out;
}

}  // namespace lockstep
