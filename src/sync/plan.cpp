#include "sync/plan.h"

#include "sync/configuration_references.h"
#include "sync/dataset_columns.h"
#include "sync/dataset_layout.h"
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

Result<void> refuse_other_sources(const Node* old_node, const DatasetConfiguration& dataset) {
  std::vector<std::string> from;
  for (std::size_t place = 0; place < dataset.from.size(); ++place)
    from.push_back(from_text(dataset, place));
  for (const std::string& source : texts_at(old_node, "from")) {
    if (std::find(from.begin(), from.end(), source) != from.end()) continue;
    return make_error(Code::kUnsupported,
                      fmt::format("dataset '{}': source '{}' was taken away and its rows are in "
                                  "raw, which its hub cannot take",
                                  dataset.name,
                                  source),
                      "give the changed dataset another name, or another hub");
  }
  return {};
}

Result<void> plan_dataset(Hub& hub,
                          const Node& before,
                          const Node& after,
                          const DatasetConfiguration& dataset,
                          Plan& plan) {
  const Node* old_node = at(before, "datasets", dataset.name);
  const Node* new_node = at(after, "datasets", dataset.name);
  const auto raw = TRY(hub.table({Layer::kRaw, dataset.name}, hub.latest_snapshot()));
  if (!raw) {
    plan.items.push_back(
        {kAddDataset, dataset.name, fmt::format("add dataset {}", dataset.name), false});
    return {};
  }
  const ColumnsChange columns = TRY(columns_change(*raw, dataset));
  TRY(refuse_other_sources(old_node, dataset));
  if (!columns.empty()) {
    plan.items.push_back(
        {kAlterDataset, dataset.name, columns.text(dataset.name), columns.needs_apply()});
  }
  const auto flow = TRY(DatasetFlow::make(dataset, columns.after));
  const LayoutChange layout = TRY(layout_change(hub, flow->tables()));
  if (!layout.alter.empty()) {
    plan.items.push_back(
        {kLayOutDataset, dataset.name, layout.text(dataset.name), layout.rewrites});
  }
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
  return !TRY(definition_holds(record->json, *flow, model));
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

bool Plan::has_alterations() const {
  return std::any_of(items.begin(), items.end(), [](const PlanItem& item) {
    return item.action == kAlterDataset || item.action == kLayOutDataset;
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
  const auto raw = TRY(hub.table({Layer::kRaw, dataset.name}, hub.latest_snapshot()));
  if (!raw) return dataset.columns;
  const ColumnsChange change = TRY(columns_change(*raw, dataset));
  return change.after;
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
