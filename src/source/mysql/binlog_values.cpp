#include "source/mysql/binlog_values.h"

#include "source/mysql/binlog_decimal.h"
#include "source/mysql/binlog_json.h"
#include "source/mysql/binlog_types.h"
#include "table/calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace lockstep {
namespace {

using Failure = std::optional<std::string>;

constexpr unsigned kByteBits = 8;
constexpr std::int64_t kUsPerLogSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

std::uint64_t unsigned_little(std::string_view bytes) {
  std::uint64_t value = 0;
  if (bytes.size() == sizeof(value)) {
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  for (std::size_t at = bytes.size(); at > 0; --at)
    value = value << kByteBits | static_cast<unsigned char>(bytes[at - 1]);
  return value;
}

std::uint64_t unsigned_big(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes)
    value = value << kByteBits | static_cast<unsigned char>(byte);
  return value;
}

struct Clock {
  std::int64_t year = 0;
  int month = 0;
  int day = 0;
  std::int64_t hour = 0;
  int minute = 0;
  int second = 0;
  std::int64_t us = 0;
  bool is_negative = false;
};

bool is_real_date(const Clock& clock) {
  constexpr int kShortest = 28;
  if (clock.year < 1 || clock.month < 1 || clock.month > 12 || clock.day < 1) return false;
  if (clock.day <= kShortest) return true;
  const Civil back = civil_of_days(days_of_civil({clock.year, clock.month, clock.day}));
  return back.day == clock.day;
}

std::int64_t us_of_fraction(std::uint64_t stored, unsigned digits) {
  constexpr std::array<std::int64_t, 7> kScale = {0, 10'000, 10'000, 100, 100, 1, 1};
  return static_cast<std::int64_t>(stored) * kScale[digits];
}

// ".120" of three digits.
void append_fraction(std::int64_t us, unsigned digits, std::string& out) {
  if (digits == 0) return;
  out += fmt::format(".{:06}", us).substr(0, digits + 1);
}

std::string date_text(const Clock& clock) {
  return fmt::format("{:04}-{:02}-{:02}", clock.year, clock.month, clock.day);
}

std::string clock_text(const Clock& clock, unsigned digits) {
  std::string text =
      fmt::format("{} {:02}:{:02}:{:02}", date_text(clock), clock.hour, clock.minute, clock.second);
  append_fraction(clock.us, digits, text);
  return text;
}

// Of a date with a time that is in its range; else as its text.
Failure read_clock(const Clock& clock,
                   unsigned digits,
                   const MysqlReading& how,
                   ReadCell& out,
                   std::string& scratch) {
  if (how.type != Type::kTimestamp || !is_real_date(clock)) {
    scratch = clock_text(clock, digits);
    return read_mysql_text(scratch, how, out, scratch);
  }
  const std::int64_t seconds =
      days_of_civil({clock.year, clock.month, clock.day}) * kSecondsPerDay + clock.hour * 3600 +
      clock.minute * 60 + clock.second;
  out.value = Timestamp{seconds * kUsPerLogSecond + clock.us};
  return std::nullopt;
}

// Seconds since 1970; 0 is the zero date.
Failure read_seconds(std::int64_t seconds,
                     std::int64_t us,
                     const LogReading& reading,
                     ReadCell& out,
                     std::string& scratch) {
  const bool is_zero = seconds == 0 && us == 0;
  if (!is_zero && reading.how.type == Type::kTimestamp) {
    out.value = Timestamp{seconds * kUsPerLogSecond + us};
    return std::nullopt;
  }
  Clock clock;
  if (!is_zero) {
    const Civil civil = civil_of_days(floor_divide(seconds, kSecondsPerDay));
    const std::int64_t of_day = seconds % kSecondsPerDay;
    clock = {.year = civil.year,
             .month = civil.month,
             .day = civil.day,
             .hour = of_day / 3600,
             .minute = static_cast<int>(of_day / 60 % 60),
             .second = static_cast<int>(of_day % 60),
             .us = us};
  }
  const bool has_fraction = reading.column.type == static_cast<std::uint8_t>(LogType::kTimestamp);
  scratch = clock_text(clock, has_fraction ? reading.column.metadata : 0);
  return read_mysql_text(scratch, reading.how, out, scratch);
}

// Seconds in their own bytes, and a fraction with half as many bytes as digits behind them.
struct Packed {
  std::uint64_t whole = 0;
  std::int64_t us = 0;
};

Packed unpack(std::string_view bytes, std::size_t whole_size, unsigned digits) {
  return {unsigned_big(bytes.substr(0, whole_size)),
          us_of_fraction(unsigned_big(bytes.substr(whole_size)), digits)};
}

Clock clock_of_packed(const Packed& packed) {
  constexpr std::uint64_t kOffset = 0x8000000000;
  constexpr std::uint64_t kMonths = 13;
  const std::uint64_t value = packed.whole - kOffset;
  const std::uint64_t months = value >> 22;
  return {.year = static_cast<std::int64_t>(months / kMonths),
          .month = static_cast<int>(months % kMonths),
          .day = static_cast<int>(value >> 17 & 0x1F),
          .hour = static_cast<std::int64_t>(value >> 12 & 0x1F),
          .minute = static_cast<int>(value >> 6 & 0x3F),
          .second = static_cast<int>(value & 0x3F),
          .us = packed.us};
}

// YYYYMMDDhhmmss
Clock clock_of_digits(std::uint64_t digits) {
  const auto take = [&](std::uint64_t by) {
    const std::uint64_t part = digits % by;
    digits /= by;
    return static_cast<int>(part);
  };
  Clock clock;
  clock.second = take(100);
  clock.minute = take(100);
  clock.hour = take(100);
  clock.day = take(100);
  clock.month = take(100);
  clock.year = static_cast<std::int64_t>(digits);
  return clock;
}

std::string time_text(const Clock& clock, unsigned digits) {
  std::string text = fmt::format(
      "{}{:02}:{:02}:{:02}", clock.is_negative ? "-" : "", clock.hour, clock.minute, clock.second);
  append_fraction(clock.us, digits, text);
  return text;
}

// One number with its fraction in the low bytes, less than its half is negative.
std::string packed_time_text(std::string_view bytes, unsigned digits) {
  constexpr std::size_t kWholeSize = 3;
  const auto fraction_bits = static_cast<unsigned>((bytes.size() - kWholeSize) * kByteBits);
  auto value =
      static_cast<std::int64_t>(unsigned_big(bytes)) - (std::int64_t{0x800000} << fraction_bits);
  Clock clock;
  clock.is_negative = value < 0;
  if (value < 0) value = -value;
  const std::int64_t whole = value >> fraction_bits;
  const auto fraction =
      static_cast<std::uint64_t>(value & ((std::int64_t{1} << fraction_bits) - 1));
  clock.hour = whole >> 12 & 0x3FF;
  clock.minute = static_cast<int>(whole >> 6 & 0x3F);
  clock.second = static_cast<int>(whole & 0x3F);
  clock.us = us_of_fraction(fraction, digits);
  return time_text(clock, digits);
}

// hhmmss in three bytes.
std::string old_time_text(std::string_view bytes) {
  constexpr std::int64_t kHalf = 0x800000;
  auto value = static_cast<std::int64_t>(unsigned_little(bytes));
  if (value >= kHalf) value -= 2 * kHalf;
  Clock clock;
  clock.is_negative = value < 0;
  if (value < 0) value = -value;
  clock.hour = value / 10'000;
  clock.minute = static_cast<int>(value / 100 % 100);
  clock.second = static_cast<int>(value % 100);
  return time_text(clock, 0);
}

Failure read_date(std::string_view bytes,
                  const MysqlReading& how,
                  ReadCell& out,
                  std::string& scratch) {
  const std::uint64_t packed = unsigned_little(bytes);
  const Clock clock = {.year = static_cast<std::int64_t>(packed >> 9),
                       .month = static_cast<int>(packed >> 5 & 0xF),
                       .day = static_cast<int>(packed & 0x1F)};
  if (how.type != Type::kDate || !is_real_date(clock)) {
    scratch = date_text(clock);
    return read_mysql_text(scratch, how, out, scratch);
  }
  out.value = Date{static_cast<std::int32_t>(days_of_civil({clock.year, clock.month, clock.day}))};
  return std::nullopt;
}

Failure read_int(std::string_view bytes,
                 const LogReading& reading,
                 ReadCell& out,
                 std::string& scratch) {
  const std::uint64_t value = unsigned_little(bytes);
  constexpr std::size_t kWidest = 8;
  if (!reading.column.is_unsigned) {
    const auto shift = static_cast<unsigned>((kWidest - bytes.size()) * kByteBits);
    const std::int64_t number = static_cast<std::int64_t>(value << shift) >> shift;
    return read_mysql_int(number, reading.how, out, scratch);
  }
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return read_mysql_int(static_cast<std::int64_t>(value), reading.how, out, scratch);
  scratch = fmt::format_int(value).str();
  return read_mysql_text(scratch, reading.how, out, scratch);
}

Failure read_bits(std::string_view bytes,
                  const MysqlReading& how,
                  ReadCell& out,
                  std::string& scratch) {
  const std::uint64_t value = unsigned_big(bytes);
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return read_mysql_int(static_cast<std::int64_t>(value), how, out, scratch);
  scratch = fmt::format_int(value).str();
  return read_mysql_text(scratch, how, out, scratch);
}

Failure read_decimal(std::string_view bytes,
                     const LogReading& reading,
                     ReadCell& out,
                     std::string& scratch) {
  const LogDecimal decimal(bytes, reading.column.metadata >> 8, reading.column.metadata & 0xFF);
  if (reading.how.type == Type::kFloat) {
    if (const std::optional<double> number = decimal.exact_double()) {
      out.value = *number;
      return std::nullopt;
    }
  }
  scratch = decimal.text();
  return read_mysql_text(scratch, reading.how, out, scratch);
}

Failure read_labels(std::string_view bytes,
                    const LogReading& reading,
                    ReadCell& out,
                    std::string& scratch) {
  const std::uint64_t value = unsigned_little(bytes);
  scratch.clear();
  if (reading.column.type == static_cast<std::uint8_t>(LogType::kEnum)) {
    // 0: what was written is none of its values.
    if (value > reading.labels.size()) return fmt::format("it has no value with number {}", value);
    if (value > 0) scratch = reading.labels[static_cast<std::size_t>(value - 1)];
  } else {
    for (std::size_t label = 0; label < reading.labels.size(); ++label) {
      if ((value >> label & 1) == 0) continue;
      if (!scratch.empty()) scratch += ',';
      scratch += reading.labels[label];
    }
  }
  return read_mysql_text(scratch, reading.how, out, scratch);
}

// A uuid of versions 1 to 5 is stored from behind, so that its index follows the time.
std::string uuid_text(std::string_view bytes) {
  constexpr unsigned kVariant = 0x80;
  const bool is_turned = (static_cast<unsigned char>(bytes[6]) & kVariant) != 0;
  const std::string_view turned = bytes;
  std::string plain(bytes);
  if (is_turned) {
    plain.clear();
    plain += turned.substr(12, 4);
    plain += turned.substr(10, 2);
    plain += turned.substr(8, 2);
    plain += turned.substr(6, 2);
    plain += turned.substr(0, 6);
  }
  std::string text;
  for (std::size_t at = 0; at < plain.size(); ++at) {
    if (at == 4 || at == 6 || at == 8 || at == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(plain[at]));
  }
  return text;
}

std::string address_text(std::string_view bytes, int family) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* done =
      inet_ntop(family, bytes.data(), text.data(), static_cast<socklen_t>(text.size()));
  return done == nullptr ? "" : done;
}

Failure read_bytes_kind(std::string_view bytes,
                        const MysqlReading& how,
                        ReadCell& out,
                        std::string& scratch) {
  constexpr std::size_t kLong = 16;
  constexpr std::size_t kShort = 4;
  const std::size_t wanted = how.kind == MysqlKind::kInet4 ? kShort : kLong;
  if (bytes.size() > wanted) return "it has too many bytes";
  std::string whole(bytes);  // the log leaves out zero bytes at the end
  whole.resize(wanted, '\0');
  if (how.kind == MysqlKind::kUuid) {
    scratch = uuid_text(whole);
  } else {
    scratch = address_text(whole, how.kind == MysqlKind::kInet4 ? AF_INET : AF_INET6);
  }
  return read_mysql_text(scratch, how, out, scratch);
}

Failure read_text(std::string_view bytes,
                  const LogReading& reading,
                  ReadCell& out,
                  std::string& scratch) {
  const MysqlReading& how = reading.how;
  if (how.kind != MysqlKind::kText) return read_bytes_kind(bytes, how, out, scratch);
  if (how.charset == MysqlCharset::kUtf8) return read_mysql_text(bytes, how, out, scratch);
  std::optional<std::string> converted = utf8_of(bytes, how.charset);
  if (!converted) return "its bytes are not of its character set";
  scratch = *std::move(converted);
  return read_mysql_text(scratch, how, out, scratch);
}

Failure read_time_type(std::string_view bytes,
                       const LogReading& reading,
                       ReadCell& out,
                       std::string& scratch) {
  const unsigned digits = reading.column.metadata;
  const MysqlReading& how = reading.how;
  switch (static_cast<LogType>(reading.column.type)) {
    case LogType::kDatetime:
      return read_clock(clock_of_packed(unpack(bytes, 5, digits)), digits, how, out, scratch);
    case LogType::kOldDatetime:
      return read_clock(clock_of_digits(unsigned_little(bytes)), 0, how, out, scratch);
    case LogType::kTimestamp: {
      const Packed packed = unpack(bytes, 4, digits);
      return read_seconds(
          static_cast<std::int64_t>(packed.whole), packed.us, reading, out, scratch);
    }
    case LogType::kOldTimestamp:
      return read_seconds(
          static_cast<std::int64_t>(unsigned_little(bytes)), 0, reading, out, scratch);
    case LogType::kTime:
      scratch = packed_time_text(bytes, digits);
      return read_mysql_text(scratch, how, out, scratch);
    default:
      scratch = old_time_text(bytes);
      return read_mysql_text(scratch, how, out, scratch);
  }
}

bool is_one_of(const LogColumn& column, std::initializer_list<LogType> types) {
  for (const LogType type : types) {
    if (column.type == static_cast<std::uint8_t>(type)) return true;
  }
  return false;
}

// A double as it is, and whole numbers with a sign: what else there is may not fit.
LogReading::Plain plain_of(const MysqlReading& how, const LogColumn& column) {
  const bool is_double = is_one_of(column, {LogType::kDouble});
  if (is_double && how.kind == MysqlKind::kDouble && how.type == Type::kFloat)
    return LogReading::Plain::kDouble;
  if (column.is_unsigned || how.kind != MysqlKind::kInt || how.type != Type::kInt)
    return LogReading::Plain::kNone;
  if (is_one_of(column, {LogType::kLongLong})) return LogReading::Plain::kInt64;
  return is_one_of(column, {LogType::kLong}) ? LogReading::Plain::kInt32 : LogReading::Plain::kNone;
}

}  // namespace

LogReading make_log_reading(const MysqlReading& how, const LogColumn& column) {
  LogReading reading{how, column, {}, plain_of(how, column)};
  for (const std::string& label : column.labels)
    reading.labels.push_back(utf8_of(label, how.charset).value_or("?"));
  return reading;
}

bool can_be(const LogColumn& column, MysqlKind kind) {
  switch (kind) {
    case MysqlKind::kInt:
      return is_one_of(
          column,
          {LogType::kTiny, LogType::kShort, LogType::kInt24, LogType::kLong, LogType::kLongLong});
    case MysqlKind::kYear:
      return is_one_of(column, {LogType::kYear});
    case MysqlKind::kBit:
      return is_one_of(column, {LogType::kBit});
    case MysqlKind::kFloat:
      return is_one_of(column, {LogType::kFloat});
    case MysqlKind::kDouble:
      return is_one_of(column, {LogType::kDouble});
    case MysqlKind::kDecimal:
      return is_one_of(column, {LogType::kDecimal});
    case MysqlKind::kDate:
      return is_one_of(column, {LogType::kDate, LogType::kNewDate});
    case MysqlKind::kDatetime:
      return is_one_of(column, {LogType::kDatetime, LogType::kOldDatetime});
    case MysqlKind::kTimestamp:
      return is_one_of(column, {LogType::kTimestamp, LogType::kOldTimestamp});
    case MysqlKind::kTime:
      return is_one_of(column, {LogType::kTime, LogType::kOldTime});
    case MysqlKind::kText:
      return is_one_of(column,
                       {LogType::kVarchar,
                        LogType::kVarString,
                        LogType::kString,
                        LogType::kBlob,
                        LogType::kEnum,
                        LogType::kSet});
    case MysqlKind::kUuid:
    case MysqlKind::kInet4:
    case MysqlKind::kInet6:
      return is_one_of(column, {LogType::kString});
    case MysqlKind::kJson:
      return is_one_of(column, {LogType::kJson});
    case MysqlKind::kNone:
      return false;
  }
  return false;
}

Failure read_log_cell(std::string_view bytes,
                      const LogReading& reading,
                      ReadCell& out,
                      std::string& scratch) {
  out.is_null = false;
  switch (static_cast<LogType>(reading.column.type)) {
    case LogType::kTiny:
    case LogType::kShort:
    case LogType::kInt24:
    case LogType::kLong:
    case LogType::kLongLong:
      return read_int(bytes, reading, out, scratch);
    case LogType::kYear: {
      constexpr std::int64_t kFirst = 1900;
      const auto stored = static_cast<std::int64_t>(unsigned_little(bytes));
      return read_mysql_int(stored == 0 ? 0 : kFirst + stored, reading.how, out, scratch);
    }
    case LogType::kFloat:
      return read_mysql_double(static_cast<double>(std::bit_cast<float>(
                                   static_cast<std::uint32_t>(unsigned_little(bytes)))),
                               reading.how,
                               out,
                               scratch);
    case LogType::kDouble:
      return read_mysql_double(
          std::bit_cast<double>(unsigned_little(bytes)), reading.how, out, scratch);
    case LogType::kDecimal:
      return read_decimal(bytes, reading, out, scratch);
    case LogType::kBit:
      return read_bits(bytes, reading.how, out, scratch);
    case LogType::kDate:
    case LogType::kNewDate:
      return read_date(bytes, reading.how, out, scratch);
    case LogType::kEnum:
    case LogType::kSet:
      return read_labels(bytes, reading, out, scratch);
    case LogType::kDatetime:
    case LogType::kOldDatetime:
    case LogType::kTimestamp:
    case LogType::kOldTimestamp:
    case LogType::kTime:
    case LogType::kOldTime:
      return read_time_type(bytes, reading, out, scratch);
    case LogType::kJson:
      return read_mysql_json(bytes, reading.how, out, scratch);
    default:
      return read_text(bytes, reading, out, scratch);
  }
}

}  // namespace lockstep
