#include "hub/predicate.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace lockstep {

namespace {

// The longer ones first: `<=` starts with `<`.
constexpr std::array<std::pair<std::string_view, Comparison>, 8> kComparisons = {{
    {"<=", Comparison::kAtMost},
    {">=", Comparison::kAtLeast},
    {"!=", Comparison::kNotEqual},
    {"<>", Comparison::kNotEqual},
    {"==", Comparison::kEqual},
    {"=", Comparison::kEqual},
    {"<", Comparison::kLess},
    {">", Comparison::kGreater},
}};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Reads a condition from its front to its end.
class Reader final {
 public:
  Reader(std::string_view text, const Schema& schema) : rest_(text), schema_(schema) {}

  Result<std::vector<Predicate>> read() {
    std::vector<Predicate> all;
    do {
      all.push_back(TRY(comparison()));
    } while (takes_and());
    skip_blanks();
    if (rest_.empty()) return all;
    return wrong("a comparison is followed by `and` or nothing");
  }

 private:
  Error wrong(std::string_view what) const {
    return make_error(Code::kUsage,
                      fmt::format("condition: {}, at '{}'", what, rest_.substr(0, 40)),
                      "write it as: age >= 60 and ward = 'A'");
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }

  bool takes_and() {
    skip_blanks();
    const bool word = rest_.size() > 3 && (rest_.starts_with("and") || rest_.starts_with("AND"));
    if (!word || is_name_character(rest_[3])) return false;
    rest_.remove_prefix(3);
    return true;
  }

  // nullopt: the quote is never closed.
  std::optional<std::string> quoted(char quote) {
    std::string text;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c != quote) {
        text.push_back(c);
      } else if (rest_.starts_with(quote)) {
        text.push_back(c);
        rest_.remove_prefix(1);
      } else {
        return text;
      }
    }
    return std::nullopt;
  }

  std::string bare() {
    std::size_t length = 0;
    while (length < rest_.size() && (is_name_character(rest_[length]) || rest_[length] == '.' ||
                                     rest_[length] == '-' || rest_[length] == '+'))
      ++length;
    std::string text(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return text;
  }

  Result<Predicate> comparison() {
    skip_blanks();
    std::optional<std::string> name =
        rest_.starts_with('"') ? quoted('"') : std::optional<std::string>(bare());
    if (!name || name->empty()) return wrong("a comparison begins with a column");
    const int column = TRY(schema_.require(*name));
    Predicate predicate;
    predicate.column = std::move(*name);
    skip_blanks();
    bool found = false;
    for (const auto& [text, comparison] : kComparisons) {
      if (found || !rest_.starts_with(text)) continue;
      found = true;
      predicate.comparison = comparison;
      rest_.remove_prefix(text.size());
    }
    if (!found) return wrong("a column is followed by = != < <= > or >=");
    skip_blanks();
    const Type type = schema_.field(column).type;
    const bool in_quotes = rest_.starts_with('\'');
    const std::optional<std::string> value =
        in_quotes ? quoted('\'') : std::optional<std::string>(bare());
    if (!value || (value->empty() && !in_quotes)) return wrong("a comparison ends with a value");
    if (type == Type::kText && !in_quotes) return wrong("a text stands in single quotes");
    predicate.value = TRY_IN(parse_value(*value, type), fmt::format("{}: ", predicate.column));
    return predicate;
  }

  std::string_view rest_;
  const Schema& schema_;
};

// -1, 0, 1; NaN last.
int order(const Value& left, const Value& right) {
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr && (std::isnan(*a) || std::isnan(*b)))
    return static_cast<int>(std::isnan(*a)) - static_cast<int>(std::isnan(*b));
  return left < right ? -1 : right < left ? 1 : 0;
}

}  // namespace

Result<std::vector<Predicate>> parse_predicates(std::string_view text, const Schema& schema) {
  return Reader(text, schema).read();
}

bool holds(const Value& left, Comparison comparison, const Value& right) {
  const int sign = order(left, right);
  switch (comparison) {
    case Comparison::kEqual:
      return sign == 0;
    case Comparison::kNotEqual:
      return sign != 0;
    case Comparison::kLess:
      return sign < 0;
    case Comparison::kAtMost:
      return sign <= 0;
    case Comparison::kGreater:
      return sign > 0;
    case Comparison::kAtLeast:
      return sign >= 0;
  }
  LOCKSTEP_ASSERT(false, "a comparison that nobody knows");
  return false;
}

}  // namespace lockstep
