#include "sync/plan.h"

#include "learn/learn.h"
#include "sync/model_track.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

using enum PlanItem::Action;

std::string json_at(const Node* node, std::string_view name) {
  const Node* field = node == nullptr ? nullptr : node->find(name);
  return field == nullptr ? "null" : field->json();
}

const Node* at(const Node& root, std::string_view section, std::string_view name) {
  const Node* all = root.find(section);
  return all == nullptr ? nullptr : all->find(name);
}

std::vector<std::string> texts_at(const Node* node, std::string_view name) {
  const Node* field = node == nullptr ? nullptr : node->find(name);
  if (field == nullptr) return {};
  Result<std::vector<std::string>> texts = field->texts(std::string(name));
  return texts.ok() ? std::move(texts).value() : std::vector<std::string>();
}

Error new_dataset_needed(const std::string& name, const std::string& what) {
  return make_error(Code::kUnsupported,
                    fmt::format("dataset '{}': {}, which its hub cannot take", name, what),
                    "give the changed dataset another name, or another hub");
}

Result<void> refuse_what_cannot_be(const Node* old_node,
                                   const DatasetConfiguration& dataset,
                                   const Node* new_node) {
  if (json_at(old_node, "key") != json_at(new_node, "key")) {
    return new_dataset_needed(dataset.name, "its key changed");
  }
  for (const std::string& source : texts_at(old_node, "from")) {
    if (std::find(dataset.from.begin(), dataset.from.end(), source) == dataset.from.end()) {
      return new_dataset_needed(
          dataset.name, fmt::format("source '{}' was taken away and its rows are in raw", source));
    }
  }
  return {};
}

Result<void> refuse_other_columns(Hub& hub, const DatasetConfiguration& dataset) {
  if (dataset.columns.size() == 0) return {};
  const auto raw = TRY(hub.table({Layer::kRaw, dataset.name}, hub.latest_snapshot()));
  if (!raw || dataset_columns(raw->schema) == dataset.columns) return {};
  return new_dataset_needed(dataset.name, "its columns or their types changed");
}

Result<void> plan_dataset(Hub& hub,
                          const Node& before,
                          const Node& after,
                          const DatasetConfiguration& dataset,
                          Plan& plan) {
  const Node* old_node = at(before, "datasets", dataset.name);
  const Node* new_node = at(after, "datasets", dataset.name);
  if (!TRY(hub.table({Layer::kRaw, dataset.name}, hub.latest_snapshot()))) {
    plan.items.push_back(
        {kAddDataset, dataset.name, fmt::format("add dataset {}", dataset.name), false});
    return {};
  }
  TRY(refuse_what_cannot_be(old_node, dataset, new_node));
  TRY(refuse_other_columns(hub, dataset));
  bool rebuild = false;
  for (const char* part : {"clean", "train", "latest"}) {
    rebuild = rebuild || json_at(old_node, part) != json_at(new_node, part);
  }
  if (rebuild) {
    plan.items.push_back(
        {kRebuildDataset,
         dataset.name,
         fmt::format("rebuild clean, train and rejected of {} from raw", dataset.name),
         true});
  }
  return {};
}

Result<bool> definition_changed(Hub& hub,
                                const ModelConfiguration& model,
                                const DatasetConfiguration& dataset,
                                const std::string& definition) {
  const auto record = TRY(hub.definition(definition));
  if (!record)
    return make_error(Code::kCorrupt, "definition " + definition + " is not in the catalog");
  const Schema columns = TRY(known_columns(hub, dataset));
  const std::unique_ptr<DatasetFlow> flow = TRY(DatasetFlow::make(dataset, columns));
  const ModelSpec spec = TRY(parse_model_spec(
      model.learn, model.name, flow->pipeline().train_schema(), flow->pipeline().train_key()));
  return TRY(spec_of_definition(record->json)) != spec_json(spec, flow->steps_json());
}

Result<void> refuse_other_dataset(Hub& hub,
                                  const ModelConfiguration& model,
                                  const std::string& definition) {
  const auto record = TRY(hub.definition(definition));
  if (!record)
    return make_error(Code::kCorrupt, "definition " + definition + " is not in the catalog");
  const Node steps = TRY(node_from_json(TRY(steps_of_definition(record->json))));
  const Node* dataset = steps.find("dataset");
  if (dataset == nullptr || dataset->scalar == model.dataset) return {};
  return make_error(Code::kUnsupported,
                    fmt::format("model '{}' learned from dataset '{}' and cannot move to '{}'",
                                model.name,
                                dataset->scalar,
                                model.dataset),
                    "give the model another name");
}

Result<void> plan_model(Hub& hub,
                        const Configuration& configuration,
                        const ModelConfiguration& model,
                        Plan& plan) {
  const auto newest = TRY(hub.newest_version(model.name, std::nullopt));
  if (!newest) {
    plan.items.push_back({kAddModel, model.name, fmt::format("add model {}", model.name), false});
    return {};
  }
  const DatasetConfiguration& dataset = *configuration.dataset(model.dataset);
  TRY(refuse_other_dataset(hub, model, newest->definition));
  const Schema columns = TRY(known_columns(hub, dataset));
  if (columns.size() == 0) {
    // Its dataset was away, and no source has shown its columns yet.
    plan.items.push_back({kAddModel, model.name, fmt::format("add model {}", model.name), false});
    return {};
  }
  if (TRY(definition_changed(hub, model, dataset, newest->definition))) {
    plan.items.push_back({kRecalibrateModel,
                          model.name,
                          fmt::format("recalibrate model {}: its definition changes", model.name),
                          true});
  }
  return {};
}

}  // namespace

bool Plan::needs_apply() const {
  return std::any_of(
      items.begin(), items.end(), [](const PlanItem& item) { return item.needs_apply; });
}

bool Plan::has(PlanItem::Action action, const std::string& name) const {
  return std::any_of(items.begin(), items.end(), [&](const PlanItem& item) {
    return item.action == action && item.name == name;
  });
}

std::string Plan::text() const {
  std::string out;
  for (const PlanItem& item : items) {
    if (!out.empty()) out += "\n";
    out += fmt::format("{} {}", item.needs_apply ? "!" : "+", item.text);
  }
  return out;
}

Result<Schema> known_columns(Hub& hub, const DatasetConfiguration& dataset) {
  if (dataset.columns.size() > 0) return dataset.columns;
  const auto raw = TRY(hub.table({Layer::kRaw, dataset.name}, hub.latest_snapshot()));
  return raw ? dataset_columns(raw->schema) : Schema();
}

Result<Plan> make_plan(Hub& hub, const Configuration& configuration) {
  const Node before = TRY(node_from_json(TRY(hub.configuration())));
  const Node after = TRY(node_from_json(configuration.json));
  Plan plan;
  for (const DatasetConfiguration& dataset : configuration.datasets) {
    TRY(plan_dataset(hub, before, after, dataset, plan));
  }
  for (const TableDefinition& table : TRY(hub.tables(hub.latest_snapshot()))) {
    if (table.name.layer != Layer::kRaw || configuration.dataset(table.name.dataset) != nullptr)
      continue;
    plan.items.push_back(
        {kDropDataset,
         table.name.dataset,
         fmt::format("drop dataset {}: its tables leave the newest snapshot", table.name.dataset),
         true});
  }
  for (const ModelConfiguration& model : configuration.models) {
    TRY(plan_model(hub, configuration, model, plan));
  }
  for (const std::string& model : TRY(hub.models())) {
    if (configuration.model(model) != nullptr) continue;
    plan.items.push_back(
        {kDropModel, model, fmt::format("stop model {}: it gets no more versions", model), false});
  }
  return plan;
}

}  // namespace lockstep
