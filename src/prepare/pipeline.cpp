#include "base/assert.h"
#include "prepare/prepare.h"
#include "prepare/row_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lockstep {

namespace {

// The steps of one layer, in order.
struct Stage {
  std::string_view name;  // "clean"
  std::vector<std::unique_ptr<Step>> steps;
  Schema input;
  std::vector<std::string> key;  // its names, after the steps so far

  const Schema& output() const { return steps.empty() ? input : steps.back()->output(); }
};

struct StageOutput {
  Batch rows;
  std::vector<std::int64_t> from;
  std::vector<PreparedReject> rejects;
};

Result<const StepInfo*> find_step(const std::string& name, const Mark& mark) {
  std::vector<std::string> names;
  for (const StepInfo& info : steps()) {
    if (info.name == name) return &info;
    names.emplace_back(info.name);
  }
  const auto near = nearest(name, names);
  return invalid_at(mark,
                    fmt::format("no step '{}'", name),
                    near ? fmt::format("did you mean '{}'?", *near)
                         : fmt::format("steps are {}", fmt::join(names, ", ")));
}

// prepare-4.
Result<void> follow_key(const Step& step, const Mark& mark, std::vector<std::string>& key) {
  for (std::string& column : key) {
    std::optional<std::string> kept = step.kept_as(column);
    if (!kept) {
      return invalid_at(
          mark,
          fmt::format("step '{}' drops or changes the key column '{}'", step.name(), column),
          "keep it; a changed copy can be a column of another name");
    }
    column = std::move(*kept);
  }
  return {};
}

Result<void> add_step(const Node& item, Stage& stage) {
  if (!item.is_map() || item.fields.size() != 1) {
    return invalid_at(item.mark,
                      fmt::format("a step of {} is not one name with its settings", stage.name),
                      "write - filter: \"age >= 18\"");
  }
  const auto& [name, arguments] = item.fields.front();
  const StepInfo* info = TRY(find_step(name, item.mark));
  std::unique_ptr<Step> step = TRY(info->make(arguments, stage.output()));
  TRY(follow_key(*step, item.mark, stage.key));
  TRY(at_mark(check_column_names(step->output()), item.mark));
  stage.steps.push_back(std::move(step));
  return {};
}

Result<Stage> make_stage(std::string_view name,
                         const Node& list,
                         const Schema& input,
                         std::vector<std::string> key) {
  Stage stage{name, {}, input, std::move(key)};
  if (list.is_null()) return stage;
  if (!list.is_list()) {
    return invalid_at(list.mark,
                      fmt::format("{} is not a list of steps", name),
                      fmt::format("write {}: and below it - filter: \"age >= 18\"", name));
  }
  for (const Node& item : list.items)
    TRY(add_step(item, stage));
  return stage;
}

// What `out` is of the stage's input, given what it is of the step's.
Result<void> apply_step(const Stage& stage, std::size_t index, StageOutput& out) {
  const Step& step = *stage.steps[index];
  LOCKSTEP_ASSERT(step.needs(out.rows).items.empty(), "prepare-5: a row-local step needs no rows");
  const std::int64_t rows_before = out.rows.row_count();
  StepOutput made =
      TRY_IN(step.apply(out.rows, {}), fmt::format("{}[{}] {}: ", stage.name, index, step.name()));
  for (StepReject& reject : made.rejects) {
    LOCKSTEP_ASSERT(reject.row < rows_before, "prepare-3: a rejected row is one of the input");
    out.rejects.push_back({out.from[static_cast<std::size_t>(reject.row)],
                           fmt::format("{}[{}] {}", stage.name, index, step.name()),
                           std::move(reject.reason)});
  }
  for (std::int64_t& row : made.from) {
    LOCKSTEP_ASSERT(row < rows_before, "prepare-3: an output row comes from one of the input");
    row = out.from[static_cast<std::size_t>(row)];
  }
  out.from = std::move(made.from);
  out.rows = std::move(made.rows);
  return {};
}

Result<StageOutput> apply_stage(const Stage& stage, const Batch& rows) {
  StageOutput out;
  out.rows = rows;
  out.from.resize(static_cast<std::size_t>(rows.row_count()));
  std::iota(out.from.begin(), out.from.end(), 0);
  for (std::size_t i = 0; i < stage.steps.size(); ++i)
    TRY(apply_step(stage, i, out));
  return out;
}

std::string steps_json(const Stage& stage) {
  std::vector<std::string> parts;
  for (const auto& step : stage.steps)
    parts.push_back(step->json());
  return fmt::format("[{}]", fmt::join(parts, ","));
}

// Lists, not maps: the order of columns is part of the schema.
std::string schema_json(const Schema& schema) {
  std::vector<Node> fields;
  for (const Field& field : schema.fields()) {
    fields.push_back(node_of_texts({field.name, std::string(type_name(field.type))}));
  }
  return node_of(std::move(fields)).json();
}

}  // namespace

struct Pipeline::State {
  Stage clean;
  Stage train;
  std::vector<std::string> key;
};

Result<Pipeline> Pipeline::make(const Node& clean,
                                const Node& train,
                                const Schema& input,
                                const std::vector<std::string>& key) {
  for (const std::string& column : key)
    TRY_IN(input.require(column), "key: ");
  Stage clean_stage = TRY(make_stage("clean", clean, input, key));
  Stage train_stage = TRY(make_stage("train", train, clean_stage.output(), clean_stage.key));
  Pipeline pipeline;
  pipeline.state_ =
      std::make_shared<const State>(State{std::move(clean_stage), std::move(train_stage), key});
  return pipeline;
}

const Schema& Pipeline::clean_schema() const {
  return state_->clean.output();
}

const Schema& Pipeline::train_schema() const {
  return state_->train.output();
}

const std::vector<std::string>& Pipeline::clean_key() const {
  return state_->clean.key;
}

const std::vector<std::string>& Pipeline::train_key() const {
  return state_->train.key;
}

std::string Pipeline::clean_json() const {
  return fmt::format(R"({{"clean":{},"input":{},"key":{}}})",
                     steps_json(state_->clean),
                     schema_json(state_->clean.input),
                     node_of_texts(state_->key).json());
}

std::string Pipeline::json() const {
  return fmt::format(R"({{"clean":{},"input":{},"key":{},"train":{}}})",
                     steps_json(state_->clean),
                     schema_json(state_->clean.input),
                     node_of_texts(state_->key).json(),
                     steps_json(state_->train));
}

Result<Prepared> Pipeline::apply(const Batch& rows) const {
  if (rows.schema() != state_->clean.input) {
    return invalid("rows of another schema than the one their steps were made for",
                   "read the dataset's schema again");
  }
  StageOutput clean = TRY(apply_stage(state_->clean, rows));
  StageOutput train = TRY(apply_stage(state_->train, clean.rows));
  const auto input_row = [&clean](std::int64_t row) {
    return clean.from[static_cast<std::size_t>(row)];
  };
  Prepared out;
  for (const std::int64_t row : train.from)
    out.train_from.push_back(input_row(row));
  out.rejects = std::move(clean.rejects);
  for (PreparedReject& reject : train.rejects) {
    reject.row = input_row(reject.row);
    out.rejects.push_back(std::move(reject));
  }
  // A row is rejected once at most, so this order is that of any batching.
  std::ranges::sort(out.rejects, {}, &PreparedReject::row);
  out.clean = std::move(clean.rows);
  out.clean_from = std::move(clean.from);
  out.train = std::move(train.rows);
  return out;
}

}  // namespace lockstep
