#include "source/mysql/binlog_json.h"

#include "source/mysql/binlog_bytes.h"
#include "source/mysql/binlog_decimal.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/binlog_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <vector>

namespace lockstep {
namespace {

enum class JsonType : std::uint8_t {
  kSmallObject = 0,
  kLargeObject = 1,
  kSmallArray = 2,
  kLargeArray = 3,
  kLiteral = 4,
  kInt16 = 5,
  kUint16 = 6,
  kInt32 = 7,
  kUint32 = 8,
  kInt64 = 9,
  kUint64 = 10,
  kDouble = 11,
  kString = 12,
  kOpaque = 15,
};

constexpr std::size_t kJsonDepthMax = 100;  // MySQL's own

// Values may point to the same bytes in a document that was made to do harm; then its text is far
// longer than any of its bytes could be.
constexpr std::size_t kJsonTextMin = 1'024;
constexpr std::size_t kJsonTextPerByte = 16;

void append_json_string(std::string_view text, std::string& out) {
  constexpr unsigned char kFirstPlain = 0x20;
  out += '"';
  for (const char letter : text) {
    switch (letter) {
      case '"':
      case '\\':
        out += '\\';
        out += letter;
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(letter) >= kFirstPlain) {
          out += letter;
        } else {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(letter));
        }
    }
  }
  out += '"';
}

// With a line end behind each 76 letters, as the server's own has.
std::string base64_lines(std::string_view bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t kLine = 76;
  std::string out;
  std::size_t in_line = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    if (in_line == kLine) {
      out += '\n';
      in_line = 0;
    }
    const std::string_view three = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t byte = 0; byte < 3; ++byte)
      bits = bits << 8 | (byte < three.size() ? static_cast<unsigned char>(three[byte]) : 0U);
    for (std::size_t letter = 0; letter < 4; ++letter)
      out += letter <= three.size() ? kLetters[bits >> (18 - 6 * letter) & 0x3F] : '=';
    in_line += 4;
  }
  return out;
}

// A date and a time in one number: in its low 24 bits the microseconds.
std::string packed_clock_text(std::uint64_t packed, LogType type) {
  constexpr unsigned kFraction = 24;
  constexpr std::uint64_t kMonths = 13;
  const auto is_negative = static_cast<std::int64_t>(packed) < 0;
  if (is_negative) packed = 0 - packed;
  const std::uint64_t us = packed & ((std::uint64_t{1} << kFraction) - 1);
  const std::uint64_t whole = packed >> kFraction;
  const std::uint64_t day = whole >> 17;
  std::string date =
      fmt::format("{:04}-{:02}-{:02}", (day >> 5) / kMonths, (day >> 5) % kMonths, day & 0x1F);
  if (type == LogType::kDate) return date;
  const std::uint64_t hour = type == LogType::kOldTime ? whole >> 12 & 0x3FF : whole >> 12 & 0x1F;
  const std::string time =
      fmt::format("{:02}:{:02}:{:02}.{:06}", hour, whole >> 6 & 0x3F, whole & 0x3F, us);
  if (type == LogType::kOldTime) return (is_negative ? "-" : "") + time;
  return date + " " + time;
}

// false: it is none.
bool append_json_decimal(std::string_view bytes, std::string& out) {
  constexpr std::size_t kHead = 2;
  constexpr unsigned kDigitsMax = 65;
  if (bytes.size() < kHead) return false;
  LogColumn column;
  column.type = static_cast<std::uint8_t>(LogType::kDecimal);
  const unsigned precision = static_cast<unsigned char>(bytes[0]);
  const unsigned scale = static_cast<unsigned char>(bytes[1]);
  column.metadata = static_cast<std::uint16_t>(precision << 8 | scale);
  LogTable table;
  table.columns.push_back(column);
  const Result<std::vector<CellSize>> sizes = cell_sizes(table);
  if (precision > kDigitsMax || !sizes.ok()) return false;
  if (bytes.size() - kHead != sizes.value().front().fixed) return false;
  out += LogDecimal(bytes.substr(kHead), precision, scale).text();
  return true;
}

// Writes a document's text from its front, with the containers that are open on a stack.
class JsonWriter final {
 public:
  explicit JsonWriter(std::size_t text_max) : text_max_(text_max) {}

  std::optional<std::string> text_of(std::string_view document) {
    if (!value(static_cast<JsonType>(document.front()), document.substr(1))) return std::nullopt;
    while (!open_.empty()) {
      if (text_.size() > text_max_ || !step()) return std::nullopt;
    }
    return std::move(text_);
  }

 private:
  struct Container {
    std::string_view bytes;
    std::size_t width = 0;  // of its offsets
    bool is_object = false;
    std::size_t count = 0;
    std::size_t next = 0;

    std::size_t keys_at() const { return 2 * width; }

    std::size_t values_at() const { return keys_at() + (is_object ? count * (width + 2) : 0); }

    std::size_t end_of_head() const { return values_at() + count * (width + 1); }
  };

  // One element of the innermost container, or its end.
  bool step() {
    Container& top = open_.back();
    if (top.next == top.count) {
      text_ += top.is_object ? '}' : ']';
      open_.pop_back();
      return true;
    }
    const std::size_t index = top.next++;
    if (index > 0) text_ += ", ";
    if (top.is_object && !key(top, index)) return false;
    return element(top, index);
  }

  bool key(const Container& in, std::size_t index) {
    BinlogBytes entry(in.bytes.substr(in.keys_at() + index * (in.width + 2)));
    const std::uint64_t at = entry.number(in.width);
    const std::uint64_t size = entry.number(2);
    if (at > in.bytes.size() || size > in.bytes.size() - at) return false;
    append_json_string(in.bytes.substr(static_cast<std::size_t>(at), size), text_);
    text_ += ": ";
    return true;
  }

  bool element(const Container& in, std::size_t index) {
    const std::size_t at = in.values_at() + index * (in.width + 1);
    const auto type = static_cast<JsonType>(in.bytes[at]);
    const std::string_view slot = in.bytes.substr(at + 1, in.width);
    const bool is_short =
        type == JsonType::kLiteral || type == JsonType::kInt16 || type == JsonType::kUint16;
    const bool is_long = type == JsonType::kInt32 || type == JsonType::kUint32;
    if (is_short || (is_long && in.width == sizeof(std::uint32_t))) return value(type, slot);
    const std::uint64_t offset = BinlogBytes(slot).number(in.width);
    if (offset < in.end_of_head() || offset > in.bytes.size()) return false;
    return value(type, in.bytes.substr(static_cast<std::size_t>(offset)));
  }

  bool value(JsonType type, std::string_view bytes) {
    BinlogBytes in(bytes);
    switch (type) {
      case JsonType::kSmallObject:
      case JsonType::kSmallArray:
        return open(bytes, sizeof(std::uint16_t), type == JsonType::kSmallObject);
      case JsonType::kLargeObject:
      case JsonType::kLargeArray:
        return open(bytes, sizeof(std::uint32_t), type == JsonType::kLargeObject);
      case JsonType::kLiteral:
        return literal(in.number(1)) && in.is_good();
      case JsonType::kInt16:
        text_ += fmt::format_int(static_cast<std::int16_t>(in.number(2))).str();
        break;
      case JsonType::kUint16:
        text_ += fmt::format_int(in.number(2)).str();
        break;
      case JsonType::kInt32:
        text_ += fmt::format_int(static_cast<std::int32_t>(in.number(4))).str();
        break;
      case JsonType::kUint32:
        text_ += fmt::format_int(in.number(4)).str();
        break;
      case JsonType::kInt64:
        text_ += fmt::format_int(static_cast<std::int64_t>(in.number(8))).str();
        break;
      case JsonType::kUint64:
        text_ += fmt::format_int(in.number(8)).str();
        break;
      case JsonType::kDouble: {
        const auto number = std::bit_cast<double>(in.number(8));
        if (!std::isfinite(number)) return false;
        append_mysql_double(number, text_);
        break;
      }
      case JsonType::kString:
        append_json_string(in.take(length(in)), text_);
        break;
      case JsonType::kOpaque:
        return opaque(in);
      default:
        return false;
    }
    return in.is_good();
  }

  bool open(std::string_view bytes, std::size_t width, bool is_object) {
    BinlogBytes in(bytes);
    Container one;
    one.width = width;
    one.is_object = is_object;
    one.count = static_cast<std::size_t>(in.number(width));
    const auto size = static_cast<std::size_t>(in.number(width));
    if (!in.is_good() || size > bytes.size() || open_.size() == kJsonDepthMax) return false;
    one.bytes = bytes.substr(0, size);
    if (one.end_of_head() > size) return false;
    text_ += is_object ? '{' : '[';
    open_.push_back(one);
    return true;
  }

  bool literal(std::uint64_t number) {
    constexpr std::array<std::string_view, 3> kLiterals = {"null", "true", "false"};
    if (number >= kLiterals.size()) return false;
    text_ += kLiterals[static_cast<std::size_t>(number)];
    return true;
  }

  // More than there are bytes where it does not end.
  static std::uint64_t length(BinlogBytes& in) {
    constexpr unsigned kBytesMax = 5;
    constexpr unsigned kBits = 7;
    constexpr std::uint64_t kMore = 0x80;
    std::uint64_t out = 0;
    for (unsigned at = 0; at < kBytesMax; ++at) {
      const std::uint64_t byte = in.number(1);
      out |= (byte & (kMore - 1)) << (kBits * at);
      if ((byte & kMore) == 0) return out;
    }
    return ~std::uint64_t{0};
  }

  bool opaque(BinlogBytes& in) {
    const auto type = static_cast<LogType>(in.number(1));
    const std::string_view bytes = in.take(length(in));
    if (!in.is_good()) return false;
    switch (type) {
      case LogType::kDecimal:
        return append_json_decimal(bytes, text_);
      case LogType::kDate:
      case LogType::kOldTime:
      case LogType::kOldDatetime:
      case LogType::kOldTimestamp:
        if (bytes.size() != sizeof(std::uint64_t)) return false;
        append_json_string(packed_clock_text(BinlogBytes(bytes).number(bytes.size()), type), text_);
        return true;
      default:
        append_json_string(
            fmt::format("base64:type{}:{}", static_cast<int>(type), base64_lines(bytes)), text_);
        return true;
    }
  }

  const std::size_t text_max_;
  std::string text_;
  std::vector<Container> open_;
};

}  // namespace

// With the digits that tell it from its neighbours. Written out while the point is at most 14
// places in front of them, and not behind place 15; else with an exponent.
void append_mysql_double(double number, std::string& out) {
  constexpr int kFirstPoint = -14;
  constexpr int kLastPoint = 15;
  std::array<char, 32> buffer{};
  const auto written = std::to_chars(
      buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::scientific);
  std::string_view text(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
  if (text.starts_with('-')) {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t mark = text.find('e');
  int exponent = 0;
  const std::size_t exponent_at = mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + exponent_at, text.data() + text.size(), exponent);
  std::string digits;
  std::ranges::copy_if(
      text.substr(0, mark), std::back_inserter(digits), [](char one) { return one != '.'; });
  const int point = exponent + 1;  // how many of the digits are in front of it
  const int count = static_cast<int>(digits.size());
  if (point < kFirstPoint || (point > kLastPoint && count <= point)) {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    out += fmt::format("e{}", exponent);
  } else if (point <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  } else if (count <= point) {
    out += digits + std::string(static_cast<std::size_t>(point - count), '0') + ".0";
  } else {
    out += digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
  }
}

std::optional<std::string> mysql_json_text(std::string_view bytes) {
  if (bytes.empty()) return "null";
  return JsonWriter(kJsonTextMin + kJsonTextPerByte * bytes.size()).text_of(bytes);
}

std::optional<std::string> read_mysql_json(std::string_view bytes,
                                           const MysqlReading& how,
                                           ReadCell& out,
                                           std::string& scratch) {
  std::optional<std::string> text = mysql_json_text(bytes);
  if (!text) return "its bytes are no JSON as MySQL stores it";
  scratch = *std::move(text);
  return read_mysql_text(scratch, how, out, scratch);
}

}  // namespace lockstep
