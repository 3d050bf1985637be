#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

struct Cast {
  int column = 0;
  Field field;
};

bool is_numeric(Type type) {
  return type == Type::kBool || type == Type::kInt || type == Type::kFloat;
}

// Text holds anything; numbers become numbers, times times.
bool can_cast(Type from, Type to) {
  if (from == to || from == Type::kText || to == Type::kText) return true;
  return is_numeric(from) == is_numeric(to);
}

Result<Cast> read_cast(const std::string& name, const Node& node, const Schema& input) {
  Cast cast;
  cast.column = TRY(at_mark(input.require(name), node.mark));
  const std::string type_text = TRY(node.text("step 'cast'"));
  const std::optional<Type> type = type_of_name(type_text);
  if (!type) {
    return invalid_at(node.mark,
                      fmt::format("no type '{}'", type_text),
                      "types are bool, int, float, text, date and timestamp");
  }
  const Type from = input.field(cast.column).type;
  if (!can_cast(from, *type)) {
    return invalid_at(
        node.mark,
        fmt::format("column '{}' is {}, which becomes no {}", name, type_name(from), type_text),
        "numbers become numbers or text, dates and timestamps one another or text");
  }
  cast.field = {name, *type};
  return cast;
}

Result<Batch> apply_cast(const Batch& batch, const Cast& cast, Sieve& sieve) {
  ColumnWriter writer(cast.field);
  const Schema& schema = batch.schema();
  if (schema.field(cast.column).type == cast.field.type) return batch;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    const Value value = batch.value(cast.column, row);
    const std::optional<Value> changed = cast_exactly(value, cast.field.type);
    if (!changed) {
      sieve.reject(row,
                   fmt::format("{} is {}, which is not exactly a value of type {}",
                               cast.field.name,
                               shown(value),
                               type_name(cast.field.type)));
    }
    writer.append(changed.value_or(Value()));
  }
  return std::move(writer).put_into(batch);
}

}  // namespace

MadeStep make_cast(const Node& arguments, const Schema& input) {
  if (!arguments.is_map() || arguments.fields.empty()) {
    return invalid_at(arguments.mark, "step 'cast' wants a map", "write cast: {column: type}");
  }
  RowStepInfo info{"cast", input, input, {}, {}};
  std::vector<Cast> casts;
  std::vector<std::pair<std::string, Node>> given;
  for (const auto& [name, type] : arguments.fields) {
    casts.push_back(TRY(read_cast(name, type, input)));
    const Field& field = casts.back().field;
    info.output = with_field(info.output, field);
    given.emplace_back(name, node_of(type_name(field.type)));
    if (input.field(casts.back().column) != field) info.moved[name] = std::nullopt;
  }
  info.arguments = node_of(std::move(given));
  return make_row_step(std::move(info), [casts](const Batch& batch) -> Result<StepOutput> {
    Sieve sieve(batch.row_count());
    Batch out = batch;
    for (const Cast& cast : casts)
      out = TRY(apply_cast(out, cast, sieve));
    return std::move(sieve).finish(out);
  });
}

}  // namespace lockstep
