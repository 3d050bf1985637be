#include "table/types.h"

#include "base/config.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace lockstep {

namespace {

constexpr std::array<std::pair<Type, std::string_view>, 6> kTypeNames = {{
    {Type::kBool, "bool"},
    {Type::kInt, "int"},
    {Type::kFloat, "float"},
    {Type::kText, "text"},
    {Type::kDate, "date"},
    {Type::kTimestamp, "timestamp"},
}};

struct ValueTexts {
  std::string operator()(std::monostate) const { return {}; }

  std::string operator()(bool value) const { return value ? "true" : "false"; }

  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }

  std::string operator()(double value) const { return text_of_float(value); }

  std::string operator()(const std::string& value) const { return value; }

  std::string operator()(Date value) const { return text_of_date(value); }

  std::string operator()(Timestamp value) const { return text_of_timestamp(value); }
};

// As DuckDB compares identifiers: ASCII only.
std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_reserved(std::string_view lower_name) {
  // The last is SQLite's name for a row's place, by which inlined rows are moved.
  constexpr std::array<std::string_view, 4> kReserved = {
      "row_id", "begin_snapshot", "end_snapshot", "_rowid_"};
  return lower_name.starts_with("_ducklake_") ||
         std::ranges::find(kReserved, lower_name) != kReserved.end();
}

}  // namespace

std::string_view type_name(Type type) {
  return kTypeNames.at(static_cast<std::size_t>(type)).second;
}

std::optional<Type> type_of_name(std::string_view name) {
  for (const auto& [type, known] : kTypeNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

bool is_null(const Value& value) {
  return std::holds_alternative<std::monostate>(value);
}

std::string value_text(const Value& value) {
  return std::visit(ValueTexts{}, value);
}

Result<Value> parse_value(std::string_view text, Type type, int utc_offset_minutes) {
  std::optional<Value> value =
      value_of_text(text, type, Spelling{.utc_offset_minutes = utc_offset_minutes});
  if (!value) return invalid(not_a(text, type));
  return *std::move(value);
}

Schema::Schema() {
  static const auto kNone = std::make_shared<const std::vector<Field>>();
  fields_ = kNone;
}

Schema::Schema(std::vector<Field> fields)
    : fields_(std::make_shared<const std::vector<Field>>(std::move(fields))) {
}

bool Schema::operator==(const Schema& other) const {
  return fields_ == other.fields_ || *fields_ == *other.fields_;
}

std::optional<int> Schema::index_of(std::string_view name) const {
  for (int i = 0; i < size(); ++i) {
    if (field(i).name == name) return i;
  }
  return std::nullopt;
}

Result<int> Schema::require(std::string_view name) const {
  const std::optional<int> index = index_of(name);
  if (index) return *index;
  const std::vector<std::string> known = names();
  const std::optional<std::string> near = nearest(name, known);
  return invalid(fmt::format("there is no column '{}'", name),
                 near ? fmt::format("did you mean '{}'?", *near)
                      : fmt::format("the columns are {}", fmt::join(known, ", ")));
}

Result<std::vector<int>> Schema::require_all(const std::vector<std::string>& names) const {
  std::vector<int> indexes;
  indexes.reserve(names.size());
  for (const std::string& name : names)
    indexes.push_back(TRY(require(name)));
  return indexes;
}

std::vector<std::string> Schema::names() const {
  std::vector<std::string> out;
  out.reserve(fields_->size());
  for (const Field& one : *fields_)
    out.push_back(one.name);
  return out;
}

Result<void> check_column_names(const Schema& schema) {
  std::map<std::string, std::string> seen;  // in lower case, to the name as given
  for (const Field& field : schema.fields()) {
    if (field.name.empty()) return invalid("a column has no name", "give it one");
    if (field.name.find('\0') != std::string::npos) {
      return invalid("a column's name holds a NUL byte", "rename it");
    }
    const std::string lower_name = lower_ascii(field.name);
    if (is_reserved(lower_name)) {
      return invalid(fmt::format("the column name '{}' is kept by DuckLake", field.name),
                     fmt::format("rename it, for instance to 'my_{}'", lower_name));
    }
    const auto [place, is_new] = seen.emplace(lower_name, field.name);
    if (is_new) continue;
    const std::string what =
        place->second == field.name
            ? fmt::format("two columns have the name '{}'", field.name)
            : fmt::format(
                  "the columns '{}' and '{}' differ only in case", place->second, field.name);
    return invalid(what, fmt::format("rename one, for instance to '{}_2'", field.name));
  }
  return {};
}

}  // namespace lockstep
