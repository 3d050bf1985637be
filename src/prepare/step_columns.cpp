// The steps that choose and name columns: select, drop and rename.
#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

// Keeps `columns`, in that order.
std::unique_ptr<Step> make_selection(std::string_view name,
                                     const Schema& input,
                                     Node arguments,
                                     const std::vector<int>& columns) {
  RowStepInfo info{name, input, {}, std::move(arguments), {}};
  std::vector<Field> fields;
  for (const int column : columns)
    fields.push_back(input.field(column));
  info.output = Schema(std::move(fields));
  for (const Field& field : input.fields()) {
    if (!info.output.index_of(field.name)) info.moved[field.name] = std::nullopt;
  }
  return make_row_step(std::move(info), [columns](const Batch& batch) -> Result<StepOutput> {
    return Sieve(batch.row_count()).finish(batch.select_columns(columns));
  });
}

Result<void> check_distinct(const Schema& schema, const Mark& mark) {
  std::vector<std::string> names = schema.names();
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return {};
  return invalid_at(mark,
                    fmt::format("step 'rename': two columns would be called '{}'", *twice),
                    "choose another name, or drop one of them before");
}

}  // namespace

MadeStep make_select(const Node& arguments, const Schema& input) {
  const std::vector<std::string> names = TRY(arguments.texts("step 'select'"));
  const std::vector<int> columns = TRY(columns_at(arguments, names, input));
  return make_selection("select", input, node_of_texts(names), columns);
}

MadeStep make_drop(const Node& arguments, const Schema& input) {
  const std::vector<std::string> names = TRY(arguments.texts("step 'drop'"));
  const std::vector<int> dropped = TRY(columns_at(arguments, names, input));
  std::vector<int> columns;
  for (int i = 0; i < input.size(); ++i) {
    if (std::ranges::count(dropped, i) == 0) columns.push_back(i);
  }
  if (columns.empty()) return invalid_at(arguments.mark, "step 'drop' leaves no column");
  return make_selection("drop", input, node_of_texts(names), columns);
}

MadeStep make_rename(const Node& arguments, const Schema& input) {
  if (!arguments.is_map() || arguments.fields.empty()) {
    return invalid_at(
        arguments.mark, "step 'rename' wants a map", "write rename: {old_name: new_name}");
  }
  RowStepInfo info{"rename", input, {}, {}, {}};
  std::vector<Field> fields = input.fields();
  std::vector<std::pair<std::string, Node>> given;
  for (const auto& [from, to] : arguments.fields) {
    const int column = TRY(at_mark(input.require(from), to.mark));
    const std::string name = TRY(to.text("step 'rename'"));
    fields[static_cast<std::size_t>(column)].name = name;
    info.moved[from] = name;
    given.emplace_back(from, node_of(name));
  }
  info.output = Schema(std::move(fields));
  info.arguments = node_of(std::move(given));
  TRY(check_distinct(info.output, arguments.mark));
  const Schema output = info.output;
  return make_row_step(std::move(info), [output](const Batch& batch) -> Result<StepOutput> {
    return Sieve(batch.row_count()).finish(batch.with_names(output));
  });
}

}  // namespace lockstep
