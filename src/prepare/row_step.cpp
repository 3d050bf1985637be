#include "prepare/row_step.h"

#include "base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lockstep {

namespace {

constexpr std::int64_t kUsPerDay = 86'400'000'000;

class RowStep final : public Step {
 public:
  RowStep(RowStepInfo info, RowWork work) : info_(std::move(info)), work_(std::move(work)) {}

  std::string_view name() const override { return info_.name; }

  const Schema& output() const override { return info_.output; }

  Needs needs(const Batch& /*batch*/) const override { return {}; }

  Result<StepOutput> apply(const Batch& batch, std::span<const Batch> seen) const override {
    LOCKSTEP_ASSERT(seen.empty(), "prepare-5: a step sees what it asked for");
    LOCKSTEP_ASSERT(batch.schema() == info_.input,
                    "a step gets rows of the schema it was made for");
    StepOutput out = TRY(work_(batch));
    LOCKSTEP_ASSERT(out.rows.schema() == info_.output, "a step gives the columns it announced");
    LOCKSTEP_ASSERT(static_cast<std::int64_t>(out.from.size()) == out.rows.row_count(),
                    "prepare-2: each output row names the row it came from");
    return out;
  }

  std::optional<std::string> kept_as(std::string_view column) const override {
    const auto found = info_.moved.find(std::string(column));
    if (found != info_.moved.end()) return found->second;
    return std::string(column);
  }

  std::string json() const override {
    return node_of({{std::string(info_.name), info_.arguments}}).json();
  }

 private:
  RowStepInfo info_;
  RowWork work_;
};

std::optional<Value> int_from(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return std::int64_t{*flag ? 1 : 0};
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr || !(*number >= -kIntEnd && *number < kIntEnd)) return std::nullopt;
  if (std::floor(*number) != *number) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::optional<Value> float_from(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr) return std::nullopt;
  const auto rounded = static_cast<double>(*number);
  if (!(rounded < kIntEnd) || static_cast<std::int64_t>(rounded) != *number) return std::nullopt;
  return rounded;
}

std::optional<Value> bool_from(const Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (whole != nullptr && (*whole == 0 || *whole == 1)) return *whole == 1;
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && (*number == 0 || *number == 1)) return *number == 1;
  return std::nullopt;
}

std::optional<Value> date_from(const Value& value) {
  const auto* time = std::get_if<Timestamp>(&value);
  if (time == nullptr || time->us % kUsPerDay != 0) return std::nullopt;
  return Date{static_cast<std::int32_t>(time->us / kUsPerDay)};
}

std::optional<Value> timestamp_from(const Value& value) {
  constexpr std::int64_t kDaysMax = INT64_MAX / kUsPerDay;
  const auto* date = std::get_if<Date>(&value);
  if (date == nullptr || date->days > kDaysMax || date->days < -kDaysMax) return std::nullopt;
  return Timestamp{date->days * kUsPerDay};
}

Type type_of(const Value& value) {
  constexpr std::size_t kFirst = 1;  // after null
  constexpr Type kTypes[] = {
      Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp};
  LOCKSTEP_ASSERT(value.index() >= kFirst, "null has no type");
  return kTypes[value.index() - kFirst];
}

}  // namespace

std::unique_ptr<Step> make_row_step(RowStepInfo info, RowWork work) {
  return std::make_unique<RowStep>(std::move(info), std::move(work));
}

Sieve::Sieve(std::int64_t row_count) : goes_on_(static_cast<std::size_t>(row_count), true) {
}

void Sieve::leave_out(std::int64_t row) {
  goes_on_[static_cast<std::size_t>(row)] = false;
}

void Sieve::reject(std::int64_t row, std::string reason) {
  if (!goes_on(row)) return;
  goes_on_[static_cast<std::size_t>(row)] = false;
  rejects_.push_back({row, std::move(reason)});
}

StepOutput Sieve::finish(const Batch& rows) && {
  LOCKSTEP_ASSERT(rows.row_count() == static_cast<std::int64_t>(goes_on_.size()),
                  "prepare-3: each row has its place");
  StepOutput out;
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    if (goes_on(row)) out.from.push_back(row);
  }
  const bool all = out.from.size() == goes_on_.size();
  out.rows = all ? rows : rows.select_rows(out.from);
  std::ranges::sort(rejects_, {}, &StepReject::row);
  out.rejects = std::move(rejects_);
  return out;
}

ColumnWriter::ColumnWriter(Field field) : builder_(Schema({std::move(field)})) {
}

Result<Batch> ColumnWriter::put_into(const Batch& batch) && {
  const Batch column = TRY(builder_.finish());
  return batch.with_columns(column);
}

std::optional<Value> cast_exactly(const Value& value, Type type) {
  if (is_null(value) || type_of(value) == type) return value;
  if (const auto* text = std::get_if<std::string>(&value)) {
    const Result<Value> parsed = parse_value(*text, type);
    return parsed.ok() ? std::optional<Value>(parsed.value()) : std::nullopt;
  }
  switch (type) {
    case Type::kBool:
      return bool_from(value);
    case Type::kInt:
      return int_from(value);
    case Type::kFloat:
      return float_from(value);
    case Type::kText:
      return value_text(value);
    case Type::kDate:
      return date_from(value);
    case Type::kTimestamp:
      return timestamp_from(value);
  }
  LOCKSTEP_ASSERT(false, "a type that cast does not know");
}

Schema with_field(const Schema& schema, Field field) {
  std::vector<Field> fields = schema.fields();
  const std::optional<int> place = schema.index_of(field.name);
  if (place) {
    fields[static_cast<std::size_t>(*place)] = std::move(field);
  } else {
    fields.push_back(std::move(field));
  }
  return Schema(std::move(fields));
}

Result<std::vector<int>> columns_at(const Node& node,
                                    const std::vector<std::string>& names,
                                    const Schema& schema) {
  std::vector<int> columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Mark& mark = node.is_list() && i < node.items.size() ? node.items[i].mark : node.mark;
    const int column = TRY(at_mark(schema.require(names[i]), mark));
    if (std::ranges::count(columns, column) > 0) {
      return invalid_at(mark, fmt::format("column '{}' is named twice", names[i]));
    }
    columns.push_back(column);
  }
  if (columns.empty()) return invalid_at(node.mark, "no columns", "name at least one");
  return columns;
}

Node with_null_as_word(const Node& arguments, std::string_view setting) {
  Node read = arguments;
  for (auto& [name, node] : read.fields) {
    if (name != setting || !node.is_null()) continue;
    const Mark mark = node.mark;
    node = node_of("null");
    node.mark = mark;
  }
  return read;
}

Node node_of_texts(const std::vector<std::string>& texts) {
  std::vector<Node> items;
  for (const std::string& one : texts)
    items.push_back(node_of(one));
  return node_of(std::move(items));
}

std::string shown(const Value& value) {
  constexpr std::size_t kShownBytesMax = 60;
  if (is_null(value)) return "null";
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return value_text(value);
  if (text->size() <= kShownBytesMax) return fmt::format("'{}'", *text);
  std::size_t cut = kShownBytesMax;
  while (cut > 0 && (static_cast<unsigned char>((*text)[cut]) & 0xC0U) == 0x80U)
    --cut;
  return fmt::format("'{}...'", text->substr(0, cut));
}

}  // namespace lockstep
