#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {

namespace {

constexpr std::array kExpressionSettings = {
    Setting{.name = "as",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "The name of the new column, or of one that is replaced.",
            .required = true},
    Setting{.name = "value",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "The expression.",
            .required = true},
    Setting{.name = "type",
            .type = Setting::Type::kChoice,
            .fallback = "float",
            .text = "The column's type. Rows whose value is not exactly one of it are rejected.",
            .choices = "float | int | bool"},
};

struct Computed {
  Field field;
  Expression expression;
};

struct Computation {
  std::vector<Computed> columns;
  Node arguments;
};

Result<Computation> read_one(const Node& arguments, const Schema& input) {
  const Settings settings =
      TRY(Settings::parse(arguments, kExpressionSettings, "step 'expression'"));
  const std::string type = settings.text("type");
  const std::string text = settings.text("value");
  Expression expression =
      TRY(at_mark(Expression::parse(text, input), settings.given("value")->mark));
  const Field field{settings.text("as"), type_of_name(type).value_or(Type::kFloat)};
  Computation out;
  out.columns.push_back({field, std::move(expression)});
  out.arguments =
      node_of({{"as", node_of(field.name)}, {"type", node_of(type)}, {"value", node_of(text)}});
  return out;
}

// {bmi: "...", ratio: "..."}
Result<Computation> read_several(const Node& arguments, const Schema& input) {
  Computation out;
  std::vector<std::pair<std::string, Node>> given;
  for (const auto& [name, node] : arguments.fields) {
    const std::string text = TRY(node.text(fmt::format("step 'expression', column '{}'", name)));
    Expression expression = TRY(at_mark(Expression::parse(text, input), node.mark));
    out.columns.push_back({{name, Type::kFloat}, std::move(expression)});
    given.emplace_back(name, node_of(text));
  }
  out.arguments = node_of(std::move(given));
  return out;
}

Result<Batch> compute(const Batch& input, const Computed& column, const Batch& into, Sieve& sieve) {
  ColumnWriter writer(column.field);
  const std::vector<Value> values = column.expression.evaluate(input);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<Value> typed = cast_exactly(values[i], column.field.type);
    if (!typed) {
      sieve.reject(static_cast<std::int64_t>(i),
                   fmt::format("{} is {}, which is not exactly a value of type {}",
                               column.field.name,
                               shown(values[i]),
                               type_name(column.field.type)));
    }
    writer.append(typed.value_or(Value()));
  }
  return std::move(writer).put_into(into);
}

}  // namespace

MadeStep make_expression(const Node& arguments, const Schema& input) {
  if (!arguments.is_map() || arguments.fields.empty()) {
    return invalid_at(arguments.mark,
                      "step 'expression' wants a map",
                      "write expression: {column: \"weight / height\"}");
  }
  const bool is_one = arguments.find("value") != nullptr || arguments.find("as") != nullptr;
  Computation made = is_one ? TRY(read_one(arguments, input)) : TRY(read_several(arguments, input));
  RowStepInfo info{"expression", input, input, std::move(made.arguments), {}};
  for (const Computed& column : made.columns) {
    info.output = with_field(info.output, column.field);
    if (input.index_of(column.field.name)) info.moved[column.field.name] = std::nullopt;
  }
  return make_row_step(
      std::move(info),
      [columns = std::move(made.columns)](const Batch& batch) -> Result<StepOutput> {
        Sieve sieve(batch.row_count());
        Batch out = batch;
        for (const Computed& column : columns)
          out = TRY(compute(batch, column, out, sieve));
        return std::move(sieve).finish(out);
      });
}

}  // namespace lockstep
