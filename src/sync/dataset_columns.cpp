#include "sync/dataset_columns.h"

#include "learn/learn.h"
#include "sync/model_track.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lockstep {
namespace {

using OrderedJson = nlohmann::ordered_json;

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// renamed_from has done its work once the new name is there.
std::map<std::string, std::string> renames_to_do(const Schema& before,
                                                 const DatasetConfiguration& dataset) {
  std::map<std::string, std::string> renames;
  for (const auto& [name, old_name] : dataset.renamed) {
    if (before.index_of(old_name) && !before.index_of(name)) renames[name] = old_name;
  }
  return renames;
}

Result<void> check_type(const DatasetConfiguration& dataset, const Field& before, Type wanted) {
  if (before.type == wanted) return {};
  const bool is_key = contains(effective_key(dataset), before.name);
  if (before.type == Type::kInt && wanted == Type::kFloat && !is_key) return {};
  return make_error(Code::kUnsupported,
                    fmt::format("dataset '{}': column {} is {} and cannot become {}{}",
                                dataset.name,
                                before.name,
                                type_name(before.type),
                                type_name(wanted),
                                is_key ? ", since it is part of the key" : ""),
                    fmt::format("keep {}, and cast a copy in the dataset's steps; or give the "
                                "changed column, or the changed dataset, another name",
                                type_name(before.type)));
}

Result<void> check_key(const TableDefinition& raw,
                       const DatasetConfiguration& dataset,
                       const ColumnsChange& change) {
  std::vector<std::string> key = effective_key(dataset);
  for (std::string& name : key) {
    const auto renamed = change.renamed.find(name);
    if (renamed != change.renamed.end()) name = renamed->second;
  }
  const std::vector<std::string> now(raw.key.begin() + 1, raw.key.end());  // after _source
  if (key == now) return {};
  return make_error(
      Code::kUnsupported,
      fmt::format("dataset '{}': its key changed, which its hub cannot take", dataset.name),
      "give the changed dataset another name, or another hub");
}

Schema without(const Schema& schema, const std::string& name) {
  std::vector<Field> fields = schema.fields();
  std::erase_if(fields, [&](const Field& field) { return field.name == name; });
  return Schema(std::move(fields));
}

// Whether steps and model are the same without the column.
bool is_spare(const DatasetFlow& flow,
              const ModelConfiguration& model,
              const std::string& spec,
              const std::string& column) {
  const auto smaller = DatasetFlow::make(flow.dataset(), without(flow.columns(), column));
  if (!smaller.ok()) return false;
  const Pipeline& pipeline = smaller.value()->pipeline();
  if (pipeline.train_schema() != without(flow.pipeline().train_schema(), column)) return false;
  const auto made =
      parse_model_spec(model.learn, model.name, pipeline.train_schema(), pipeline.train_key());
  return made.ok() && spec_json(made.value(), "") == spec;
}

Result<std::string> model_spec_json(const DatasetFlow& flow, const ModelConfiguration& model) {
  const ModelSpec spec = TRY(parse_model_spec(
      model.learn, model.name, flow.pipeline().train_schema(), flow.pipeline().train_key()));
  return spec_json(spec, "");
}

// Steps with none but these columns, in the order of their names.
Result<OrderedJson> steps_over(const std::string& steps_json, const std::set<std::string>& needed) {
  OrderedJson steps = OrderedJson::parse(steps_json, nullptr, false);
  if (!steps.is_object() || !steps.contains("columns") || !steps.at("columns").is_array())
    return make_error(Code::kCorrupt, "a definition's steps are no JSON of steps");
  std::map<std::string, OrderedJson> columns;
  for (const OrderedJson& column : steps.at("columns")) {
    if (!column.is_array() || column.empty() || !column.at(0).is_string())
      return make_error(Code::kCorrupt, "a definition's steps name a column without a name");
    const std::string name = column.at(0).get<std::string>();
    if (needed.contains(name)) columns[name] = column;
  }
  steps["columns"] = OrderedJson::array();
  for (const auto& [name, column] : columns)
    steps["columns"].push_back(column);
  return steps;
}

// A column of the rows in its new type.
Result<std::shared_ptr<arrow::Array>> as_type(const Batch& rows, int column, const Field& wanted) {
  const Type type = rows.schema().field(column).type;
  if (type == wanted.type) return rows.column(column);
  BatchBuilder values(Schema({wanted}));
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    const bool widens = type == Type::kInt && wanted.type == Type::kFloat;
    if (!widens || rows.is_null(column, row)) {
      values.append_null(0);
    } else {
      values.append_float(0, static_cast<double>(rows.int_at(column, row)));
    }
  }
  const Batch made = TRY(values.finish());
  return made.column(0);
}

}  // namespace

std::string ColumnsChange::text(const std::string& dataset) const {
  std::vector<std::string> parts;
  for (const Field& field : added)
    parts.push_back(fmt::format("add {} ({})", field.name, type_name(field.type)));
  for (const auto& [name, old_name] : renamed)
    parts.push_back(fmt::format("rename {} to {}", old_name, name));
  for (const std::string& name : widened)
    parts.push_back(fmt::format("make {} float: its rows are written anew", name));
  for (const std::string& name : dropped)
    parts.push_back(fmt::format("drop {}: older snapshots keep it", name));
  return fmt::format("alter {}: {}", dataset, fmt::join(parts, ", "));
}

Result<ColumnsChange> columns_change(const TableDefinition& raw,
                                     const DatasetConfiguration& dataset) {
  const Schema before = dataset_columns(raw.schema);
  ColumnsChange change;
  change.after = before;
  if (dataset.columns.size() > 0) {
    change.renamed = renames_to_do(before, dataset);
    std::vector<Field> after;
    for (const Field& field : before.fields()) {
      const auto renamed =
          std::find_if(change.renamed.begin(), change.renamed.end(), [&](const auto& rename) {
            return rename.second == field.name;
          });
      const std::string name = renamed == change.renamed.end() ? field.name : renamed->first;
      const auto wanted = dataset.columns.index_of(name);
      if (!wanted) {
        change.dropped.push_back(field.name);
        continue;
      }
      const Type type = dataset.columns.field(*wanted).type;
      TRY(check_type(dataset, {name, field.type}, type));
      if (type != field.type) change.widened.push_back(name);
      after.push_back({name, type});
    }
    for (const Field& field : dataset.columns.fields()) {
      const bool is_there = std::any_of(
          after.begin(), after.end(), [&](const Field& other) { return other.name == field.name; });
      if (is_there) continue;
      change.added.push_back(field);
      after.push_back(field);
    }
    change.after = Schema(std::move(after));
  }
  TRY(check_key(raw, dataset, change));
  return change;
}

TableAlteration layer_alteration(const TableDefinition& before,
                                 const TableDefinition& after,
                                 const ColumnsChange& change) {
  TableAlteration alteration{after, {}};
  for (const auto& [name, old_name] : change.renamed) {
    const bool moves = before.schema.index_of(old_name) && !after.schema.index_of(old_name) &&
                       after.schema.index_of(name) && !before.schema.index_of(name);
    if (moves) alteration.renamed[name] = old_name;
  }
  return alteration;
}

Result<Batch> in_columns(const Batch& rows, const TableAlteration& alteration) {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const Field& field : alteration.after.schema.fields()) {
    const auto renamed = alteration.renamed.find(field.name);
    const std::string& name = renamed == alteration.renamed.end() ? field.name : renamed->second;
    if (const auto column = rows.schema().index_of(name)) {
      arrays.push_back(TRY(as_type(rows, *column, field)));
      continue;
    }
    BatchBuilder nulls(Schema({field}));
    for (std::int64_t row = 0; row < rows.row_count(); ++row)
      nulls.append_null(0);
    const Batch made = TRY(nulls.finish());
    arrays.push_back(made.column(0));
  }
  return Batch::make(alteration.after.schema,
                     std::move(arrays),
                     std::vector<std::int8_t>(rows.signs().begin(), rows.signs().end()));
}

Result<std::set<std::string>> columns_needed(const DatasetFlow& flow,
                                             const ModelConfiguration& model) {
  const std::string spec = TRY(model_spec_json(flow, model));
  std::set<std::string> needed;
  for (const Field& field : flow.columns().fields()) {
    if (!is_spare(flow, model, spec, field.name)) needed.insert(field.name);
  }
  return needed;
}

Result<bool> same_steps(const std::string& steps_json,
                        const DatasetFlow& flow,
                        const std::set<std::string>& needed) {
  return TRY(steps_over(steps_json, needed)) == TRY(steps_over(flow.steps_json(), needed));
}

Result<bool> definition_holds(const std::string& definition_json,
                              const DatasetFlow& flow,
                              const ModelConfiguration& model) {
  OrderedJson spec = OrderedJson::parse(TRY(spec_of_definition(definition_json)), nullptr, false);
  if (!spec.is_object()) return make_error(Code::kCorrupt, "a definition has no specification");
  spec["steps"] = "";
  if (spec != OrderedJson::parse(TRY(model_spec_json(flow, model)))) return false;
  return same_steps(
      TRY(steps_of_definition(definition_json)), flow, TRY(columns_needed(flow, model)));
}

Result<std::unique_ptr<DatasetFlow>> flow_of_definition(Hub& hub,
                                                        const std::string& definition_json,
                                                        SnapshotId at) {
  auto flow = TRY(DatasetFlow::from_steps(TRY(steps_of_definition(definition_json))));
  const auto raw = TRY(hub.table(flow->table(Layer::kRaw), at));
  if (!raw) return flow;  // reading its rows says what is amiss
  const Schema columns = dataset_columns(raw->schema);
  if (columns == flow->columns()) return flow;
  return DatasetFlow::make(flow->dataset(), columns);
}

}  // namespace lockstep
