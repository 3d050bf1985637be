#include "source/messages/connect_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

using FieldKind = ConnectField::Kind;

// What a source sends in place of a value that did not change and that it does not have; of binary
// columns in base64.
constexpr std::string_view kUnavailable = "__debezium_unavailable_value";
constexpr std::string_view kUnavailableBytes = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";

constexpr std::size_t kDecimalBytesMax = 512;
constexpr int kScaleMax = 1'000;

struct NamedField {
  std::string_view name;
  FieldKind kind;
  TimeUnit unit = TimeUnit::kMilliseconds;
};

constexpr std::array<NamedField, 11> kNamedFields = {{
    {"io.debezium.time.Date", FieldKind::kDays},
    {"org.apache.kafka.connect.data.Date", FieldKind::kDays},
    {"io.debezium.time.Timestamp", FieldKind::kTime, TimeUnit::kMilliseconds},
    {"org.apache.kafka.connect.data.Timestamp", FieldKind::kTime, TimeUnit::kMilliseconds},
    {"io.debezium.time.MicroTimestamp", FieldKind::kTime, TimeUnit::kMicroseconds},
    {"io.debezium.time.NanoTimestamp", FieldKind::kTime, TimeUnit::kNanoseconds},
    {"io.debezium.time.ZonedTimestamp", FieldKind::kText},
    {"io.debezium.time.IsoTimestamp", FieldKind::kText},
    {"io.debezium.time.IsoDate", FieldKind::kText},
    {"org.apache.kafka.connect.data.Decimal", FieldKind::kDecimal},
    {"io.debezium.data.VariableScaleDecimal", FieldKind::kVariableDecimal},
}};

// How PostgreSQL's connector writes infinite days and times. No server has such a day, and none
// such a time before the year 294247.
constexpr std::int64_t kInfiniteDay = -2'147'472'692;
constexpr std::int64_t kMinusInfiniteDay = -2'147'472'691;
constexpr std::int64_t kInfiniteTime = 9'223'372'036'825'200'000;
constexpr std::int64_t kMinusInfiniteTime = -9'223'372'036'832'400'000;

// Takes the absolute of a number in two's complement; whether it was negative.
bool make_absolute(std::vector<std::uint8_t>& bytes) {
  const bool negative = (bytes.front() & 0x80) != 0;
  if (!negative) return false;
  unsigned carry = 1;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    const unsigned sum = static_cast<unsigned>(static_cast<std::uint8_t>(~*byte)) + carry;
    *byte = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  return true;
}

// Its decimal digits, the last first.
std::string digits_backwards(std::vector<std::uint8_t> bytes) {
  std::string digits;
  std::size_t first = 0;
  while (first < bytes.size()) {
    unsigned rest = 0;
    for (std::size_t at = first; at < bytes.size(); ++at) {
      const unsigned whole = rest * 256 + bytes[at];
      bytes[at] = static_cast<std::uint8_t>(whole / 10);
      rest = whole % 10;
    }
    digits += static_cast<char>('0' + rest);
    while (first < bytes.size() && bytes[first] == 0)
      ++first;
  }
  return digits;
}

int base64_digit(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '+') return 62;
  return letter == '/' ? 63 : -1;
}

// 5 and 5.00, but not 5.5.
std::string_view without_zeros(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return text;
  return text.find_first_not_of('0', point + 1) == std::string_view::npos ? text.substr(0, point)
                                                                          : text;
}

// ISO 8601 before the year 1 and after 9999, as the hub spells it: "+12024-..." as "12024-...", and
// "-0043-03-15T..." as "0044-03-15 (BC)T...". The year 0 is 1 BC.
std::string spelled_year(std::string_view text) {
  constexpr std::size_t kMonthAndDay = 6;
  constexpr std::int64_t kYearMax = 999'999'999;  // of Java's times, which the connector writes
  if (text.front() == '+') return std::string(text.substr(1));
  const std::size_t year_begin = text.front() == '-' ? 1 : 0;
  const std::size_t year_end = text.find('-', year_begin);
  if (year_end == std::string_view::npos || text.size() < year_end + kMonthAndDay)
    return std::string(text);
  const std::optional<std::int64_t> year =
      int_of_text(text.substr(year_begin, year_end - year_begin));
  if (!year || *year < 0 || *year > kYearMax) return std::string(text);
  return fmt::format("{:04}{} (BC){}",
                     *year + 1,
                     text.substr(year_end, kMonthAndDay),
                     text.substr(year_end + kMonthAndDay));
}

bool has_far_year(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') || text.starts_with("0000-");
}

bool is_time(Type type) {
  return type == Type::kTimestamp || type == Type::kDate;
}

std::string cannot_be_infinity(Type type, bool is_minus) {
  return fmt::format("a {} cannot be {}infinity", type_name(type), is_minus ? "-" : "");
}

}  // namespace

ConnectField connect_field(std::string_view name, std::string_view type, int scale) {
  const auto* const known = std::ranges::find(kNamedFields, name, &NamedField::name);
  if (known != kNamedFields.end()) return {known->kind, known->unit, scale};
  return {type == "string" ? FieldKind::kText : FieldKind::kPlain, TimeUnit::kMilliseconds, 0};
}

std::optional<std::string> decimal_text(std::string_view bytes, int scale) {
  const bool is_sane = !bytes.empty() && bytes.size() <= kDecimalBytesMax && scale <= kScaleMax &&
                       scale >= -kScaleMax;
  if (!is_sane) return std::nullopt;
  std::vector<std::uint8_t> number(bytes.begin(), bytes.end());
  const bool negative = make_absolute(number);
  std::string digits = digits_backwards(std::move(number));
  const auto places = static_cast<std::size_t>(std::max(scale, 0));
  while (digits.size() <= places)
    digits += '0';
  if (places > 0) digits.insert(places, ".");
  if (negative) digits += '-';
  std::ranges::reverse(digits);
  const bool is_zero = digits == "0";
  if (scale < 0 && !is_zero) digits.append(static_cast<std::size_t>(-scale), '0');
  return digits;
}

std::optional<std::string> bytes_of_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char letter : text) {
    const int digit = base64_digit(letter);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

void ConnectCells::read(const JsonDocument& document,
                        const JsonValue& value,
                        const ConnectField& field,
                        int column,
                        RowCells& out) const {
  const bool is_text = value.kind == JsonValue::Kind::kText;
  if (is_text && (value.text == kUnavailable || value.text == kUnavailableBytes))
    return out.set_unchanged(column);
  switch (field.kind) {
    case FieldKind::kUnknown:
      if (is_text && is_time(schema_.field(column).type)) return read_text(value.text, column, out);
      return read_plain(value, time_unit_, column, out);
    case FieldKind::kText:
      if (is_text) return read_text(value.text, column, out);
      return read_plain(value, std::nullopt, column, out);
    case FieldKind::kDays:
      return read_days(value, column, out);
    case FieldKind::kTime:
      return read_plain(value, field.unit, column, out);
    case FieldKind::kPlain:
      return read_plain(value, std::nullopt, column, out);
    default:
      break;
  }
  const bool varies = field.kind == FieldKind::kVariableDecimal;
  const JsonValue* const coded = varies ? document.find(value, "value") : &value;
  const JsonValue* const scale = varies ? document.find(value, "scale") : nullptr;
  if (coded == nullptr || coded->kind != JsonValue::Kind::kText || (varies && scale == nullptr))
    return read_plain(value, std::nullopt, column, out);
  const std::optional<std::string> bytes = bytes_of_base64(coded->text);
  const std::int64_t places = varies ? scale->whole : field.scale;
  const bool fits = places >= -kScaleMax && places <= kScaleMax;
  std::optional<std::string> text =
      bytes && fits ? decimal_text(*bytes, static_cast<int>(places)) : std::nullopt;
  if (text) return read_decimal(*std::move(text), column, out);
  static_cast<void>(out.take(column));
  out.refuse(column, fmt::format("'{}' is not a decimal", coded->text));
}

void ConnectCells::read_plain(const JsonValue& value,
                              std::optional<TimeUnit> unit,
                              int column,
                              RowCells& out) const {
  const Type type = schema_.field(column).type;
  Cell& cell = out.take(column);
  read_json_cell(value, type, spelling_, unit, cell);
  const bool counts = unit && value.kind == JsonValue::Kind::kInt && type == Type::kTimestamp;
  if (counts && (value.whole == kInfiniteTime || value.whole == kMinusInfiniteTime))
    return out.refuse(column, cannot_be_infinity(type, value.whole < 0));
  if (cell.is_good) return;
  std::string reason = json_cell_refusal(value, type);
  const bool is_number = value.kind == JsonValue::Kind::kInt;
  if (is_number && !unit && (type == Type::kTimestamp || type == Type::kDate))
    reason += "; without a schema nobody knows what it counts: let the connector write schemas";
  out.refuse(column, std::move(reason));
}

void ConnectCells::read_days(const JsonValue& value, int column, RowCells& out) const {
  const bool is_day =
      value.kind == JsonValue::Kind::kInt && schema_.field(column).type == Type::kDate;
  if (!is_day) return read_plain(value, std::nullopt, column, out);
  Cell& cell = out.take(column);
  if (value.whole == kInfiniteDay || value.whole == kMinusInfiniteDay)
    return out.refuse(column, cannot_be_infinity(Type::kDate, value.whole == kMinusInfiniteDay));
  const bool fits = value.whole >= INT32_MIN && value.whole <= INT32_MAX &&
                    is_storable(Date{static_cast<std::int32_t>(value.whole)});
  cell.is_null = false;
  cell.is_good = fits;
  cell.whole = value.whole;
  if (!fits) out.refuse(column, json_cell_refusal(value, Type::kDate));
}

void ConnectCells::read_decimal(std::string text, int column, RowCells& out) const {
  const Type type = schema_.field(column).type;
  const std::string_view kept = out.keep(std::move(text));
  Cell& cell = out.take(column);
  if (type == Type::kInt || type == Type::kFloat || type == Type::kText)
    return read_spelled(type == Type::kInt ? without_zeros(kept) : kept, column, cell, out);
  out.refuse(column, not_a(kept, type));
}

void ConnectCells::read_text(std::string_view text, int column, RowCells& out) const {
  Cell& cell = out.take(column);
  if (text.find('\0') != std::string_view::npos) return out.refuse(column, "the text holds a NUL");
  const Type type = schema_.field(column).type;
  // Days of time.precision.mode=isostring have the zone that a day has not.
  if (type == Type::kDate && text.ends_with('Z')) text.remove_suffix(1);
  const bool is_far = is_time(type) && has_far_year(text);
  read_spelled(is_far ? out.keep(spelled_year(text)) : text, column, cell, out);
}

void ConnectCells::read_spelled(std::string_view text,
                                int column,
                                Cell& cell,
                                RowCells& out) const {
  const Type type = schema_.field(column).type;
  read_cell(text, type, spelling_, cell);
  if (!cell.is_good) out.refuse(column, not_a(text, type));
}

}  // namespace lockstep
