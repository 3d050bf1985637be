#include "source/mysql/mysql_types.h"

#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace lockstep {
namespace {

struct NamedKind {
  std::string_view name;
  MysqlKind kind;
};

constexpr std::array kKinds = {
    NamedKind{"tinyint", MysqlKind::kInt},
    NamedKind{"smallint", MysqlKind::kInt},
    NamedKind{"mediumint", MysqlKind::kInt},
    NamedKind{"int", MysqlKind::kInt},
    NamedKind{"bigint", MysqlKind::kInt},
    NamedKind{"year", MysqlKind::kYear},
    NamedKind{"bit", MysqlKind::kBit},
    NamedKind{"float", MysqlKind::kFloat},
    NamedKind{"double", MysqlKind::kDouble},
    NamedKind{"decimal", MysqlKind::kDecimal},
    NamedKind{"date", MysqlKind::kDate},
    NamedKind{"datetime", MysqlKind::kDatetime},
    NamedKind{"timestamp", MysqlKind::kTimestamp},
    NamedKind{"time", MysqlKind::kTime},
    NamedKind{"char", MysqlKind::kText},
    NamedKind{"varchar", MysqlKind::kText},
    NamedKind{"tinytext", MysqlKind::kText},
    NamedKind{"text", MysqlKind::kText},
    NamedKind{"mediumtext", MysqlKind::kText},
    NamedKind{"longtext", MysqlKind::kText},
    NamedKind{"enum", MysqlKind::kText},
    NamedKind{"set", MysqlKind::kText},
    NamedKind{"uuid", MysqlKind::kUuid},
    NamedKind{"inet4", MysqlKind::kInet4},
    NamedKind{"inet6", MysqlKind::kInet6},
    NamedKind{"json", MysqlKind::kJson},
};

struct NamedCharset {
  std::string_view name;
  MysqlCharset charset;
};

constexpr std::array kCharsets = {
    NamedCharset{"", MysqlCharset::kUtf8},  // no text
    NamedCharset{"utf8mb4", MysqlCharset::kUtf8},
    NamedCharset{"utf8mb3", MysqlCharset::kUtf8},
    NamedCharset{"utf8", MysqlCharset::kUtf8},
    NamedCharset{"ascii", MysqlCharset::kUtf8},
    NamedCharset{"latin1", MysqlCharset::kLatin1},
    NamedCharset{"ucs2", MysqlCharset::kUtf16},
    NamedCharset{"utf16", MysqlCharset::kUtf16},
    NamedCharset{"utf16le", MysqlCharset::kUtf16Little},
    NamedCharset{"utf32", MysqlCharset::kUtf32},
};

bool is_number(MysqlKind kind) {
  return kind <= MysqlKind::kDecimal;
}

bool is_zero_date(std::string_view text, MysqlKind kind) {
  const bool is_date =
      kind == MysqlKind::kDate || kind == MysqlKind::kDatetime || kind == MysqlKind::kTimestamp;
  return is_date && text.starts_with("0000-00-00");
}

std::optional<std::string> read_plain_text(std::string_view text, ReadCell& out) {
  if (text.find('\0') != std::string_view::npos) return "it holds a zero character";
  if (first_invalid_utf8(text)) return "it is not UTF-8";
  out.text = text;
  return std::nullopt;
}

std::optional<std::string> read_int_text(std::string_view text,
                                         const MysqlReading& how,
                                         ReadCell& out,
                                         std::string& scratch) {
  if (how.type == Type::kText) return read_plain_text(text, out);
  if (const std::optional<std::int64_t> number = int_of_text(text))
    return read_mysql_int(*number, how, out, scratch);
  // Beyond 64 bits with a sign, as an unsigned bigint may be.
  const std::optional<double> number = float_of_text(text, false);
  if (how.type != Type::kFloat || !number) return not_a(text, how.type);
  out.value = *number;
  return std::nullopt;
}

std::optional<std::string> read_decimal_text(std::string_view text, Type type, ReadCell& out) {
  if (type == Type::kText) return read_plain_text(text, out);
  if (type == Type::kInt) {
    const std::optional<std::int64_t> number = whole_number_of_text(text);
    if (!number) return not_a(text, type);
    out.value = *number;
    return std::nullopt;
  }
  const std::optional<double> number = float_of_text(text, false);
  if (!number) return not_a(text, type);
  out.value = *number;
  return std::nullopt;
}

std::optional<std::string> read_date_text(std::string_view text,
                                          const MysqlReading& how,
                                          ReadCell& out) {
  if (how.type == Type::kText) return read_plain_text(text, out);
  if (is_zero_date(text, how.kind)) {
    if (!how.zero_is_null)
      return fmt::format(
          "'{}' is no {} (zero_dates: null takes it as none)", text, type_name(how.type));
    out.is_null = true;
    return std::nullopt;
  }
  std::optional<Value> value = value_of_text(text, how.type, {});
  if (!value) return not_a(text, how.type);
  out.value = *std::move(value);
  return std::nullopt;
}

}  // namespace

MysqlType mysql_type_of(const MysqlColumnInfo& info) {
  constexpr std::int64_t kDigitsMax = 18;
  MysqlType type;
  type.name = info.column_type;
  type.charset_name = info.charset;
  const auto kind = std::ranges::find(kKinds, info.data_type, &NamedKind::name);
  const bool is_compressed = info.column_type.find("COMPRESSED") != std::string::npos;
  if (kind != kKinds.end() && !is_compressed) type.kind = kind->kind;
  const auto charset = std::ranges::find(kCharsets, info.charset, &NamedCharset::name);
  type.charset = charset == kCharsets.end() ? MysqlCharset::kOther : charset->charset;
  type.is_whole = info.scale == 0 && info.precision <= kDigitsMax;
  return type;
}

std::optional<Type> table_type_of(const MysqlType& type) {
  if (type.charset == MysqlCharset::kOther) return std::nullopt;
  switch (type.kind) {
    case MysqlKind::kInt:
    case MysqlKind::kYear:
    case MysqlKind::kBit:
      return Type::kInt;
    case MysqlKind::kDecimal:
      return type.is_whole ? Type::kInt : Type::kFloat;
    case MysqlKind::kFloat:
    case MysqlKind::kDouble:
      return Type::kFloat;
    case MysqlKind::kDate:
      return Type::kDate;
    case MysqlKind::kDatetime:
    case MysqlKind::kTimestamp:
      return Type::kTimestamp;
    case MysqlKind::kTime:
    case MysqlKind::kText:
    case MysqlKind::kUuid:
    case MysqlKind::kInet4:
    case MysqlKind::kInet6:
    case MysqlKind::kJson:
      return Type::kText;
    case MysqlKind::kNone:
      return std::nullopt;
  }
  return std::nullopt;
}

bool fits(const MysqlType& from, Type type) {
  const std::optional<Type> own = table_type_of(from);
  if (!own) return false;
  if (type == *own || type == Type::kText) return true;
  if (type == Type::kBool) return from.kind == MysqlKind::kInt || from.kind == MysqlKind::kBit;
  const bool is_real = from.kind == MysqlKind::kFloat || from.kind == MysqlKind::kDouble;
  if (type == Type::kInt) return is_number(from.kind) && !is_real;
  return type == Type::kFloat && is_number(from.kind);
}

std::optional<std::string> read_mysql_int(std::int64_t number,
                                          const MysqlReading& how,
                                          ReadCell& out,
                                          std::string& scratch) {
  out.is_null = false;
  switch (how.type) {
    case Type::kInt:
      out.value = number;
      return std::nullopt;
    case Type::kFloat:
      out.value = static_cast<double>(number);
      return std::nullopt;
    case Type::kBool:
      if (number != 0 && number != 1) return fmt::format("{} is not a bool", number);
      out.value = number == 1;
      return std::nullopt;
    default:
      // A year has four digits.
      scratch = how.kind == MysqlKind::kYear ? fmt::format("{:04}", number)
                                             : fmt::format_int(number).str();
      out.text = scratch;
      return std::nullopt;
  }
}

std::optional<std::string> read_mysql_double(double number,
                                             const MysqlReading& how,
                                             ReadCell& out,
                                             std::string& scratch) {
  constexpr double kWholeMax = 1 << 24;  // up to there a float is exact, and has few digits
  out.is_null = false;
  const auto is_whole = [&] {
    return std::abs(number) < kWholeMax && std::trunc(number) == number;
  };
  if (how.kind == MysqlKind::kFloat && std::isfinite(number) && !is_whole()) {
    std::array<char, 32> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<float>(number));
    std::from_chars(digits.data(), end.ptr, number);
  }
  if (how.type == Type::kText) {
    scratch.clear();
    append_float_text(number, scratch);
    out.text = scratch;
  } else {
    out.value = number;
  }
  return std::nullopt;
}

std::optional<std::string> read_mysql_text(std::string_view text,
                                           const MysqlReading& how,
                                           ReadCell& out,
                                           std::string& scratch) {
  out.is_null = false;
  switch (how.kind) {
    case MysqlKind::kInt:
    case MysqlKind::kYear:
    case MysqlKind::kBit:
      return read_int_text(text, how, out, scratch);
    case MysqlKind::kFloat:
    case MysqlKind::kDouble: {
      const std::optional<double> number = float_of_text(text, false);
      if (!number) return not_a(text, Type::kFloat);
      return read_mysql_double(*number, how, out, scratch);
    }
    case MysqlKind::kDecimal:
      return read_decimal_text(text, how.type, out);
    case MysqlKind::kDate:
    case MysqlKind::kDatetime:
    case MysqlKind::kTimestamp:
      return read_date_text(text, how, out);
    default:
      return read_plain_text(text, out);
  }
}

std::string mysql_selection(MysqlKind kind, const std::string& name) {
  switch (kind) {
    case MysqlKind::kFloat:
    case MysqlKind::kDouble:
      // As it is shown it is rounded: to six digits, or to those of its type.
      return fmt::format("CAST({} AS DOUBLE)", name);
    case MysqlKind::kBit:
      return fmt::format("CAST({} AS UNSIGNED)", name);
    default:
      return name;
  }
}

}  // namespace lockstep
