#include "base/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace lockstep {
namespace {

using Type = Setting::Type;

struct Unit {
  std::string_view name;
  std::int64_t size;
};

constexpr std::array kDurations = {Unit{"us", 1},
                                   Unit{"ms", 1'000},
                                   Unit{"s", 1'000'000},
                                   Unit{"m", 60'000'000},
                                   Unit{"h", 3'600'000'000},
                                   Unit{"d", 86'400'000'000}};

constexpr std::array kSizes = {Unit{"B", 1},
                               Unit{"KB", 1'000},
                               Unit{"MB", 1'000'000},
                               Unit{"GB", 1'000'000'000},
                               Unit{"TB", 1'000'000'000'000},
                               Unit{"KiB", std::int64_t{1} << 10},
                               Unit{"MiB", std::int64_t{1} << 20},
                               Unit{"GiB", std::int64_t{1} << 30},
                               Unit{"TiB", std::int64_t{1} << 40}};

// "10m": digits, then a unit of the list; nothing where it is neither or does not fit.
std::optional<std::int64_t> with_unit(std::string_view text, std::span<const Unit> units) {
  std::int64_t count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failure != std::errc() || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  for (const Unit& unit : units) {
    if (text != unit.name) continue;
    if (count > std::numeric_limits<std::int64_t>::max() / unit.size) return std::nullopt;
    return count * unit.size;
  }
  return std::nullopt;
}

// Optimal string alignment distance: insert, delete, replace, swap two neighbours, each counts one
// (L. Boytsov, "Indexing methods for approximate dictionary searching", 2011, section 2.3).
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::vector<std::size_t>> cost(left.size() + 1,
                                             std::vector<std::size_t>(right.size() + 1));
  for (std::size_t row = 0; row <= left.size(); ++row) {
    for (std::size_t column = 0; column <= right.size(); ++column) {
      std::size_t& best = cost[row][column];
      if (row == 0 || column == 0) {
        best = row + column;
        continue;
      }
      const std::size_t replace = left[row - 1] == right[column - 1] ? 0 : 1;
      best = std::min({cost[row - 1][column] + 1,
                       cost[row][column - 1] + 1,
                       cost[row - 1][column - 1] + replace});
      const bool swapped = row > 1 && column > 1 && left[row - 1] == right[column - 2] &&
                           left[row - 2] == right[column - 1];
      if (swapped) best = std::min(best, cost[row - 2][column - 2] + 1);
    }
  }
  return cost[left.size()][right.size()];
}

// "append | upsert | mirror" as its words.
std::vector<std::string> words_of(std::string_view choices) {
  std::vector<std::string> words;
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    std::string_view word = choices.substr(0, bar);
    while (word.starts_with(' '))
      word.remove_prefix(1);
    while (word.ends_with(' '))
      word.remove_suffix(1);
    words.emplace_back(word);
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return words;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  if (const auto near = nearest(word, candidates)) return fmt::format("did you mean '{}'?", *near);
  if (candidates.empty()) return "remove it";
  return fmt::format("write one of: {}", fmt::join(candidates, ", "));
}

Result<void> check_choice(const Node& node, const Setting& setting, std::string_view what) {
  const std::vector<std::string> words = words_of(setting.choices);
  LOCKSTEP_ASSERT(!words.empty(), "a choice without choices");
  const std::string text = TRY(node.text(what));
  if (std::find(words.begin(), words.end(), text) != words.end()) return {};
  return invalid_at(node.mark,
                    fmt::format("{} is '{}', not {}", what, text, setting.choices),
                    suggestion(text, words));
}

// A quantity's parser, with the place in front of its error.
Result<double> quantity(const Node& node,
                        std::string_view what,
                        Result<std::int64_t> (*parse)(std::string_view)) {
  const std::string text = TRY(node.text(what));
  const Result<std::int64_t> value = parse(text);
  if (value.ok()) return static_cast<double>(value.value());
  return invalid_at(
      node.mark, fmt::format("{}: {}", what, value.error().message), value.error().hint);
}

// Checks the type. The number that the bounds are about; nothing for a type without bounds.
Result<std::optional<double>> measure(const Node& node,
                                      const Setting& setting,
                                      std::string_view what) {
  using Measure = std::optional<double>;
  switch (setting.type) {
    case Type::kText:
      TRY(node.text(what));
      return Measure();
    case Type::kInteger:
      return Measure(static_cast<double>(TRY(node.integer(what))));
    case Type::kNumber:
      return Measure(TRY(node.number(what)));
    case Type::kBoolean:
      TRY(node.boolean(what));
      return Measure();
    case Type::kTexts:
      return Measure(static_cast<double>(TRY(node.texts(what)).size()));
    case Type::kChoice:
      TRY(check_choice(node, setting, what));
      return Measure();
    case Type::kDuration:
      return Measure(TRY(quantity(node, what, parse_duration_us)));
    case Type::kBytes:
      return Measure(TRY(quantity(node, what, parse_bytes)));
    case Type::kNode:
      return Measure();
  }
  LOCKSTEP_ASSERT(false, "a type of setting has no check");
  return Measure();
}

// A bound in the unit in which the user writes the setting.
std::string bound_text(double bound, Type type) {
  const bool is_duration = type == Type::kDuration;
  if (!is_duration && type != Type::kBytes) return fmt::format("{}", bound);
  const auto whole = static_cast<std::int64_t>(bound);
  const std::span<const Unit> units =
      is_duration ? std::span<const Unit>(kDurations) : std::span<const Unit>(kSizes);
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (whole != 0 && whole % unit.size == 0 && unit.size > best->size) best = &unit;
  }
  return fmt::format("{}{}", whole / best->size, best->name);
}

Result<void> check_bounds(const Node& node,
                          const Setting& setting,
                          double value,
                          std::string_view what) {
  const bool low = setting.min && value < *setting.min;
  const bool high = setting.max && value > *setting.max;
  if (!low && !high) return {};
  const std::string bound = bound_text(low ? *setting.min : *setting.max, setting.type);
  const bool is_list = setting.type == Type::kTexts;
  const std::string shown =
      is_list ? fmt::format("a list of {}", value) : fmt::format("'{}'", node.scalar);
  return invalid_at(
      node.mark,
      fmt::format("{} is {}, {} {}", what, shown, low ? "less than" : "more than", bound),
      fmt::format("write {}{} or {}", is_list ? "a list of " : "", bound, low ? "more" : "less"));
}

Result<void> check_value(const Node& node, const Setting& setting, std::string_view what) {
  if (setting.type == Type::kNode) return {};
  if (node.is_null()) {
    return invalid_at(node.mark, fmt::format("{} is empty", what), "give a value or remove it");
  }
  const std::optional<double> value = TRY(measure(node, setting, what));
  if (value) return check_bounds(node, setting, *value, what);
  return {};
}

std::vector<std::string> names_of(std::span<const Setting> table) {
  std::vector<std::string> names;
  for (const Setting& setting : table)
    names.emplace_back(setting.name);
  return names;
}

Node fallback_of(const Setting& setting) {
  Result<Node> node = parse_yaml(setting.fallback, "");
  LOCKSTEP_ASSERT(node.ok(), "the default of a setting is not YAML");
  LOCKSTEP_ASSERT(check_value(node.value(), setting, setting.name).ok(),
                  "the default of a setting breaks its own rules");
  Node value = std::move(node).value();
  value.mark = {};
  return value;
}

// Value checked by parse(): what a getter reads cannot fail.
template <typename T>
T checked(Result<T> result) {
  LOCKSTEP_ASSERT(result.ok(), "a getter does not fit the type of its setting");
  return std::move(result).value();
}

}  // namespace

Result<Settings> Settings::parse(const Node& node,
                                 std::span<const Setting> table,
                                 std::string_view what) {
  if (!node.is_map() && !node.is_null()) {
    return invalid_at(node.mark,
                      fmt::format("{} is not a map of settings", what),
                      "write 'name: value' lines below it");
  }
  Settings settings;
  settings.mark_ = node.mark;
  settings.names_ = names_of(table);
  for (const auto& [name, value] : node.fields) {
    if (std::find(settings.names_.begin(), settings.names_.end(), name) != settings.names_.end()) {
      continue;
    }
    return invalid_at(value.mark,
                      fmt::format("{} has no setting '{}'", what, name),
                      suggestion(name, settings.names_));
  }
  for (const Setting& setting : table) {
    const std::string name(setting.name);
    if (const Node* value = node.find(name); value != nullptr) {
      TRY(check_value(*value, setting, fmt::format("'{}' of {}", name, what)));
      settings.values_.emplace_back(name, *value);
      settings.given_.push_back(name);
    } else if (setting.required) {
      return invalid_at(node.mark,
                        fmt::format("{} lacks '{}'", what, name),
                        fmt::format("add '{}: ...' ({})", name, setting.text));
    } else if (!setting.fallback.empty()) {
      settings.values_.emplace_back(name, fallback_of(setting));
    }
  }
  return settings;
}

const Node* Settings::find(std::string_view name) const {
  LOCKSTEP_ASSERT(std::find(names_.begin(), names_.end(), name) != names_.end(),
                  "a setting that is not in the table is asked for");
  for (const auto& [own, value] : values_) {
    if (own == name) return &value;
  }
  return nullptr;
}

bool Settings::has(std::string_view name) const {
  return find(name) != nullptr;
}

const Node* Settings::given(std::string_view name) const {
  const Node* value = find(name);
  return std::find(given_.begin(), given_.end(), name) == given_.end() ? nullptr : value;
}

const Node& Settings::node(std::string_view name) const {
  const Node* value = find(name);
  LOCKSTEP_ASSERT(value != nullptr, "a setting without a value is asked for");
  return *value;
}

std::string Settings::text(std::string_view name) const {
  return has(name) ? checked(node(name).text(name)) : "";
}

std::vector<std::string> Settings::texts(std::string_view name) const {
  return has(name) ? checked(node(name).texts(name)) : std::vector<std::string>();
}

std::int64_t Settings::integer(std::string_view name) const {
  return checked(node(name).integer(name));
}

double Settings::number(std::string_view name) const {
  return checked(node(name).number(name));
}

bool Settings::boolean(std::string_view name) const {
  return checked(node(name).boolean(name));
}

std::int64_t Settings::duration_us(std::string_view name) const {
  return checked(parse_duration_us(checked(node(name).text(name))));
}

std::int64_t Settings::bytes(std::string_view name) const {
  return checked(parse_bytes(checked(node(name).text(name))));
}

Result<std::int64_t> parse_duration_us(std::string_view text) {
  if (const auto value = with_unit(text, kDurations)) return *value;
  return invalid(fmt::format("'{}' is not a duration", text),
                 "write a whole number and one of us, ms, s, m, h, d, such as 10m");
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  if (const auto value = with_unit(text, kSizes)) return *value;
  return invalid(fmt::format("'{}' is not a number of bytes", text),
                 "write a whole number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, such as "
                 "512MiB");
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr std::size_t kWordMax =
      64;  // a longer one is no slip of the finger, and costs its square
  if (word.size() > kWordMax) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kWordMax) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = &candidate;
    best_distance = distance;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

}  // namespace lockstep
