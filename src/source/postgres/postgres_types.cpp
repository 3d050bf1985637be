#include "source/postgres/postgres_types.h"

#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace lockstep {
namespace {

// What PostgreSQL's types are to a dataset.
enum class Kind { kBool, kInt, kFloat, kNumeric, kDate, kTimestamp, kText, kNone };

struct BuiltIn {
  std::uint32_t oid;
  std::string_view name;
  Kind kind;
};

// pg_type.dat of PostgreSQL 15: these numbers are the same in every release.
constexpr std::array kBuiltIn = {
    BuiltIn{16, "bool", Kind::kBool},
    BuiltIn{17, "bytea", Kind::kNone},
    BuiltIn{18, "char", Kind::kText},
    BuiltIn{19, "name", Kind::kText},
    BuiltIn{20, "int8", Kind::kInt},
    BuiltIn{21, "int2", Kind::kInt},
    BuiltIn{23, "int4", Kind::kInt},
    BuiltIn{25, "text", Kind::kText},
    BuiltIn{26, "oid", Kind::kInt},
    BuiltIn{114, "json", Kind::kText},
    BuiltIn{142, "xml", Kind::kText},
    BuiltIn{650, "cidr", Kind::kText},
    BuiltIn{700, "float4", Kind::kFloat},
    BuiltIn{701, "float8", Kind::kFloat},
    BuiltIn{790, "money", Kind::kText},
    BuiltIn{829, "macaddr", Kind::kText},
    BuiltIn{869, "inet", Kind::kText},
    BuiltIn{1000, "bool[]", Kind::kNone},
    BuiltIn{1005, "int2[]", Kind::kNone},
    BuiltIn{1007, "int4[]", Kind::kNone},
    BuiltIn{1009, "text[]", Kind::kNone},
    BuiltIn{1015, "varchar[]", Kind::kNone},
    BuiltIn{1016, "int8[]", Kind::kNone},
    BuiltIn{1021, "float4[]", Kind::kNone},
    BuiltIn{1022, "float8[]", Kind::kNone},
    BuiltIn{1042, "bpchar", Kind::kText},
    BuiltIn{1043, "varchar", Kind::kText},
    BuiltIn{1082, "date", Kind::kDate},
    BuiltIn{1083, "time", Kind::kText},
    BuiltIn{1114, "timestamp", Kind::kTimestamp},
    BuiltIn{1184, "timestamptz", Kind::kTimestamp},
    BuiltIn{1186, "interval", Kind::kText},
    BuiltIn{1231, "numeric[]", Kind::kNone},
    BuiltIn{1266, "timetz", Kind::kText},
    BuiltIn{1560, "bit", Kind::kText},
    BuiltIn{1562, "varbit", Kind::kText},
    BuiltIn{1700, "numeric", Kind::kNumeric},
    BuiltIn{2950, "uuid", Kind::kText},
    BuiltIn{3802, "jsonb", Kind::kText},
};

const BuiltIn* built_in(std::uint32_t oid) {
  const auto found = std::ranges::lower_bound(kBuiltIn, oid, {}, &BuiltIn::oid);
  return found != kBuiltIn.end() && found->oid == oid ? &*found : nullptr;
}

Kind kind_of(const PostgresType& type) {
  if (type.category == 'A' || type.kind == 'c' || type.kind == 'r' || type.kind == 'm')
    return Kind::kNone;
  const BuiltIn* known = built_in(type.oid);
  return known == nullptr ? Kind::kText : known->kind;
}

bool kind_fits(Kind kind, Type type) {
  switch (kind) {
    case Kind::kBool:
      return type == Type::kBool || type == Type::kText;
    case Kind::kInt:
    case Kind::kNumeric:
      return type == Type::kInt || type == Type::kFloat || type == Type::kText;
    case Kind::kFloat:
      return type == Type::kFloat || type == Type::kText;
    case Kind::kDate:
      return type == Type::kDate || type == Type::kText;
    case Kind::kTimestamp:
      return type == Type::kTimestamp || type == Type::kText;
    case Kind::kText:
      return type == Type::kText;
    case Kind::kNone:
      return false;
  }
  return false;
}

// numeric(p,0) of at most 18 digits: a whole number of 64 bits.
bool is_whole(std::int32_t modifier) {
  constexpr std::int32_t kHeader = 4;
  constexpr std::int32_t kDigitsMax = 18;
  if (modifier < kHeader) return false;
  const std::int32_t packed = modifier - kHeader;
  return (packed & 0x7FF) == 0 && (packed >> 16 & 0xFFFF) <= kDigitsMax;
}

std::string why_not(std::string_view text, Type type) {
  if (type == Type::kText) {
    return text.find('\0') == std::string_view::npos ? "it is not UTF-8"
                                                     : "it holds a zero character";
  }
  if (text == "infinity" || text == "-infinity")
    return fmt::format("a {} cannot be {}", type_name(type), text);
  if (text.ends_with(" BC")) return fmt::format("'{}' is before the year 1", text);
  return not_a(text, type);
}

std::optional<Value> whole_value(std::string_view text, Type type) {
  switch (type) {
    case Type::kBool:
      if (text == "t") return Value(true);
      if (text == "f") return Value(false);
      return std::nullopt;
    case Type::kInt:
      if (const auto number = whole_number_of_text(text)) return Value(*number);
      return std::nullopt;
    default:
      return value_of_text(text, type, {});
  }
}

}  // namespace

std::optional<Type> table_type_of(const PostgresType& type) {
  switch (kind_of(type)) {
    case Kind::kBool:
      return Type::kBool;
    case Kind::kInt:
      return Type::kInt;
    case Kind::kNumeric:
      return is_whole(type.modifier) ? Type::kInt : Type::kFloat;
    case Kind::kFloat:
      return Type::kFloat;
    case Kind::kDate:
      return Type::kDate;
    case Kind::kTimestamp:
      return Type::kTimestamp;
    case Kind::kText:
      return Type::kText;
    case Kind::kNone:
      return std::nullopt;
  }
  return std::nullopt;
}

bool fits(const PostgresType& from, Type type) {
  return kind_fits(kind_of(from), type);
}

bool may_fit(std::uint32_t oid, Type type) {
  const BuiltIn* known = built_in(oid);
  return known == nullptr || kind_fits(known->kind, type);
}

std::string postgres_type_name(std::uint32_t oid) {
  const BuiltIn* known = built_in(oid);
  return known == nullptr ? fmt::format("type {}", oid) : std::string(known->name);
}

std::optional<std::string> read_cell(std::string_view text, Type type, ReadCell& out) {
  out.is_null = false;
  if (type == Type::kText) {
    if (text.find('\0') != std::string_view::npos || first_invalid_utf8(text))
      return why_not(text, type);
    out.text = text;
    return std::nullopt;
  }
  std::optional<Value> value = whole_value(text, type);
  if (!value) return why_not(text, type);
  out.value = *std::move(value);
  return std::nullopt;
}

}  // namespace lockstep
