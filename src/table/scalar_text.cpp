#include "table/scalar_text.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace lockstep {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `word` is in lower case.
bool equals_any_case(std::string_view text, std::string_view word) {
  return std::ranges::equal(text, word, [](char a, char b) { return lower(a) == b; });
}

// A plus sign before a digit (or a point) is a spelling; std::from_chars does not know it.
std::string_view without_plus(std::string_view text) {
  if (text.size() < 2 || text.front() != '+') return text;
  const char next = text[1];
  return is_digit(next) || next == '.' ? text.substr(1) : text;
}

std::optional<double> special_float(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (equals_any_case(text, "nan")) return std::numeric_limits<double>::quiet_NaN();
  if (!equals_any_case(text, "inf") && !equals_any_case(text, "infinity")) return std::nullopt;
  const double infinity = std::numeric_limits<double>::infinity();
  return negative ? -infinity : infinity;
}

std::optional<double> plain_float(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> comma_float(std::string_view text) {
  constexpr std::size_t kLengthMax = 128;
  std::array<char, kLengthMax> with_point{};
  if (text.size() > kLengthMax || text.find('.') != std::string_view::npos) return std::nullopt;
  std::ranges::replace_copy(text, with_point.begin(), ',', '.');
  return plain_float(std::string_view(with_point.data(), text.size()));
}

}  // namespace

std::optional<bool> bool_of_text(std::string_view text) {
  for (const std::string_view word : {"true", "t", "1", "yes"}) {
    if (equals_any_case(text, word)) return true;
  }
  for (const std::string_view word : {"false", "f", "0", "no"}) {
    if (equals_any_case(text, word)) return false;
  }
  return std::nullopt;
}

std::optional<std::int64_t> int_of_text(std::string_view text) {
  text = without_plus(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> float_of_text(std::string_view text, bool decimal_comma) {
  text = without_plus(text);
  if (text.empty()) return std::nullopt;
  const char last = text.back();
  // Only nan, inf and infinity end in a letter; they are taken here, so that from_chars' "nan(...)"
  // never is.
  if (!is_digit(last) && last != '.' && last != ',') return special_float(text);
  return decimal_comma ? comma_float(text) : plain_float(text);
}

std::optional<Value> value_of_text(std::string_view text, Type type, const Spelling& spelling) {
  const auto wrap = [](const auto& parsed) {
    return parsed ? std::optional<Value>(Value(*parsed)) : std::nullopt;
  };
  switch (type) {
    case Type::kBool:
      return wrap(bool_of_text(text));
    case Type::kInt:
      return wrap(int_of_text(text));
    case Type::kFloat:
      return wrap(float_of_text(text, spelling.decimal_comma));
    case Type::kText:
      return Value(std::string(text));
    case Type::kDate:
      return wrap(date_of_text(text, spelling.date_order));
    case Type::kTimestamp:
      return wrap(timestamp_of_text(text, spelling));
  }
  LOCKSTEP_ASSERT(false, "a type without a parser");
}

std::string text_of_float(double value) {
  std::string text;
  append_float_text(value, text);
  return text;
}

void append_float_text(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  constexpr std::size_t kLongest = 32;  // -2.2250738585072014e-308 has 24
  std::array<char, kLongest> text;
  char* const end = fmt::format_to(text.data(), FMT_COMPILE("{}"), value);
  out.append(text.data(), end);
}

std::string not_a(std::string_view text, Type type) {
  constexpr std::size_t kShown = 64;
  const bool cut = text.size() > kShown;
  std::string_view shown = text.substr(0, kShown);
  if (cut) shown = shown.substr(0, first_invalid_utf8(shown).value_or(shown.size()));
  return fmt::format("'{}{}' is not {} {}",
                     shown,
                     cut ? "..." : "",
                     type == Type::kInt ? "an" : "a",
                     type_name(type));
}

namespace {

// How many continuation bytes follow `first`, and the range of the first of them; nothing: no
// character starts so.
struct Utf8Lead {
  int follow = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

std::optional<Utf8Lead> utf8_lead(unsigned char first) {
  if (first < 0x80) return Utf8Lead{};
  if (first >= 0xC2 && first <= 0xDF) return Utf8Lead{1};
  if (first == 0xE0) return Utf8Lead{2, 0xA0, 0xBF};
  if (first == 0xED) return Utf8Lead{2, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return Utf8Lead{2};
  if (first == 0xF0) return Utf8Lead{3, 0x90, 0xBF};
  if (first >= 0xF1 && first <= 0xF3) return Utf8Lead{3};
  if (first == 0xF4) return Utf8Lead{3, 0x80, 0x8F};
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
      ++at;
      continue;
    }
    const std::optional<Utf8Lead> lead = utf8_lead(first);
    if (!lead || at + static_cast<std::size_t>(lead->follow) >= text.size()) return at;
    const auto second = static_cast<unsigned char>(text[at + 1]);
    if (second < lead->low || second > lead->high) return at;
    for (int i = 2; i <= lead->follow; ++i) {
      const auto next = static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]);
      if (next < 0x80 || next > 0xBF) return at;
    }
    at += static_cast<std::size_t>(lead->follow) + 1;
  }
  return std::nullopt;
}

}  // namespace lockstep
