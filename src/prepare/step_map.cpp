#include "base/assert.h"
#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

constexpr std::array kMapSettings = {
    Setting{.name = "column",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "The column whose values are looked up.",
            .required = true},
    Setting{.name = "values",
            .type = Setting::Type::kNode,
            .fallback = {},
            .text = "A map from old values to new ones. Quoted ones are text.",
            .required = true},
    Setting{.name = "otherwise",
            .type = Setting::Type::kChoice,
            .fallback = "reject",
            .text = "What happens to a value that is not listed.",
            .choices = "keep | null | reject"},
    Setting{.name = "as",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "The name of a new column; without it the column itself changes."},
};

enum class Unmapped { kReject, kNull, kKeep };

struct Mapping {
  int column = 0;
  Field field;
  Unmapped otherwise = Unmapped::kReject;
  std::map<std::string, Value> values;  // by encode_key's bytes of the old value
};

// What a scalar is by itself: true and false, integers, floats; all else is text.
Type type_of_scalar(const Node& node) {
  if (node.quoted) return Type::kText;
  if (node.scalar == "true" || node.scalar == "false") return Type::kBool;
  for (const Type type : {Type::kInt, Type::kFloat}) {
    if (parse_value(node.scalar, type).ok()) return type;
  }
  return Type::kText;
}

// The one type that all of them have; ints among floats are floats.
Type common_type(const std::vector<std::pair<std::string, Node>>& values, Type column_type) {
  bool has_int = false;
  bool has_float = false;
  bool has_bool = false;
  bool has_text = false;
  for (const auto& [from, to] : values) {
    if (to.is_null()) continue;
    const Type type = type_of_scalar(to);
    has_int = has_int || type == Type::kInt;
    has_float = has_float || type == Type::kFloat;
    has_bool = has_bool || type == Type::kBool;
    has_text = has_text || type == Type::kText;
  }
  const bool has_number = has_int || has_float;
  if (!has_bool && !has_text && !has_number) return column_type;  // all of them null
  if (has_text || (has_bool && has_number)) return Type::kText;
  if (has_bool) return Type::kBool;
  return has_float || column_type == Type::kFloat ? Type::kFloat : Type::kInt;
}

Result<Value> new_value(const Node& node, Type type) {
  if (node.is_null()) return Value();
  if (!node.is_scalar()) {
    return invalid_at(node.mark, "step 'map': a value is a list or a map", "write a single value");
  }
  return at_mark(parse_value(node.scalar, type), node.mark);
}

Result<void> read_values(const Node& node, Type old_type, Mapping& mapping) {
  for (const auto& [from, to] : node.fields) {
    const Value old_value = TRY(at_mark(parse_value(from, old_type), to.mark));
    const Value value = TRY(new_value(to, mapping.field.type));
    const bool is_new = mapping.values.emplace(encode_key(std::span(&old_value, 1)), value).second;
    if (is_new) continue;
    return invalid_at(to.mark, fmt::format("step 'map': the value {} is given twice", from));
  }
  return {};
}

Unmapped unmapped_of(const std::string& word) {
  if (word == "null") return Unmapped::kNull;
  if (word == "keep") return Unmapped::kKeep;
  LOCKSTEP_ASSERT(word == "reject", "the settings allow no other word");
  return Unmapped::kReject;
}

Result<StepOutput> apply_map(const Batch& batch, const Mapping& mapping) {
  Sieve sieve(batch.row_count());
  ColumnWriter writer(mapping.field);
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    const Value value = batch.value(mapping.column, row);
    if (is_null(value)) {
      writer.append_null();
      continue;
    }
    const auto found = mapping.values.find(encode_key(std::span(&value, 1)));
    if (found != mapping.values.end()) {
      writer.append(found->second);
      continue;
    }
    if (mapping.otherwise == Unmapped::kReject) {
      sieve.reject(row,
                   fmt::format("{} is {}, which is not listed",
                               batch.schema().field(mapping.column).name,
                               shown(value)));
    }
    writer.append(mapping.otherwise == Unmapped::kKeep ? value : Value());
  }
  const Batch out = TRY(std::move(writer).put_into(batch));
  return std::move(sieve).finish(out);
}

Result<Mapping> read_mapping(const Settings& settings, const Schema& input) {
  Mapping mapping;
  const Node& values = settings.node("values");
  mapping.column = TRY(at_mark(input.require(settings.text("column")), settings.mark()));
  if (!values.is_map() || values.fields.empty()) {
    return invalid_at(
        values.mark, "step 'map': values is not a map", "write values: {1: male, 2: female}");
  }
  const Field& old = input.field(mapping.column);
  mapping.field = {settings.has("as") ? settings.text("as") : old.name,
                   common_type(values.fields, old.type)};
  mapping.otherwise = unmapped_of(settings.text("otherwise"));
  if (mapping.field.name != old.name && input.index_of(mapping.field.name)) {
    return invalid_at(settings.mark(),
                      fmt::format("step 'map': there is a column '{}' already", mapping.field.name),
                      "give another name with as:");
  }
  if (mapping.otherwise == Unmapped::kKeep && mapping.field.type != old.type) {
    return invalid_at(settings.mark(),
                      fmt::format("step 'map' keeps values of type {} among new ones of type {}",
                                  type_name(old.type),
                                  type_name(mapping.field.type)),
                      "use otherwise: reject or null, or cast the column before");
  }
  TRY(read_values(values, old.type, mapping));
  return mapping;
}

}  // namespace

MadeStep make_map(const Node& arguments, const Schema& input) {
  const Settings settings =
      TRY(Settings::parse(with_null_as_word(arguments, "otherwise"), kMapSettings, "step 'map'"));
  const Mapping mapping = TRY(read_mapping(settings, input));
  const std::string& old_name = input.field(mapping.column).name;
  RowStepInfo info{"map", input, with_field(input, mapping.field), {}, {}};
  info.arguments = node_of({{"as", node_of(mapping.field.name)},
                            {"column", node_of(old_name)},
                            {"otherwise", node_of(settings.text("otherwise"))},
                            {"type", node_of(type_name(mapping.field.type))},
                            {"values", settings.node("values")}});
  if (mapping.field.name == old_name) info.moved[old_name] = std::nullopt;
  return make_row_step(std::move(info), [mapping](const Batch& batch) -> Result<StepOutput> {
    return apply_map(batch, mapping);
  });
}

}  // namespace lockstep
