// Carrying out what a changed configuration asks for, in one commit.
#include "sync/dataset_columns.h"
#include "sync/dataset_layout.h"
#include "sync/engine.h"
#include "sync/plan.h"
#include "sync/rejected_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

// The sources that a dataset had in the configuration that the hub has in force.
Result<std::vector<std::string>> sources_before(Hub& hub, const std::string& dataset) {
  const Node before = TRY(node_from_json(TRY(hub.configuration())));
  const Node* datasets = before.find("datasets");
  const Node* found = datasets == nullptr ? nullptr : datasets->find(dataset);
  const Node* from = found == nullptr ? nullptr : found->find("from");
  if (from == nullptr) return std::vector<std::string>();
  return from->texts("from");
}

}  // namespace

// Everything that the plan asks for in one snapshot: readers see the old layers and versions, or
// the new ones.
Result<void> HubEngine::apply_plan(const Plan& plan) {
  TRY(open_flows());
  CommitRequest request;
  request.kind = CommitKind::kConfiguration;
  request.message = plan.text();
  request.configuration = configuration_.json;
  for (const PlanItem& item : plan.items) {
    const bool alters = plan.has(PlanItem::Action::kAlterDataset, item.name);
    if (item.action == PlanItem::Action::kAlterDataset)
      TRY(alter_dataset(item.name, plan, request));
    // New columns bring their layout along.
    if (item.action == PlanItem::Action::kLayOutDataset && !alters)
      TRY(lay_out_dataset(item.name, plan, request));
    if (item.action == PlanItem::Action::kRebuildDataset && !alters)
      TRY(rebuild_dataset(item.name, request));
    if (item.action == PlanItem::Action::kDropDataset) {
      for (const Layer layer : {Layer::kRaw, Layer::kClean, Layer::kTrain, Layer::kRejected}) {
        request.drop.push_back({layer, item.name});
      }
      // Should they be read again some day, then from the beginning: their rows are gone.
      for (const std::string& source : TRY(sources_before(*hub_, item.name)))
        request.forget_positions.push_back(source);
    }
  }
  for (const PlanItem& item : plan.items) {
    if (item.action != PlanItem::Action::kRecalibrateModel) continue;
    const ModelConfiguration& model = *configuration_.model(item.name);
    if (plan.has(PlanItem::Action::kRebuildDataset, model.dataset)) continue;
    if (plan.has(PlanItem::Action::kAlterDataset, model.dataset)) continue;
    const auto track = TRY(ModelTrack::open(io_, *hub_, model, *flows_.at(model.dataset)));
    const bool rows = !request.drop.empty() || !request.alter.empty() || !request.changes.empty();
    ModelChange change;
    change.train = Batch::empty(flows_.at(model.dataset)->pipeline().train_schema());
    change.snapshot = rows ? hub_->next_snapshot() : hub_->latest_snapshot();
    change.kind = VersionKind::kRecalibration;
    change.release = true;
    ModelCommit made = TRY(track->recalibrate(change));
    add_to(request, std::move(made));
  }
  TRY_IN(commit(request), "applying the plan");
  for (const PlanItem& item : plan.items)
    applied_.push_back(item.text);
  log_.info(plan.text());
  return {};
}

// All of rejected, when the layers are made anew. What the source refused has no row in raw to come
// from again: it stays.
Result<Batch> HubEngine::rejected_anew(const DatasetFlow& flow, const Batch& of_steps) {
  const Batch rejected = TRY(hub_->read(flow.table(Layer::kRejected), hub_->latest_snapshot()));
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rejected.row_count(); ++row) {
    if (rejected.text_at(2, row).find('[') == std::string_view::npos) kept.push_back(row);
  }
  const std::vector<Batch> both = {rejected.select_rows(kept), of_steps};
  return concatenate(rejected_schema(), both);
}

Result<void> HubEngine::rebuild_dataset(const std::string& dataset, CommitRequest& request) {
  const DatasetFlow& flow = *flows_.at(dataset);
  const SnapshotId head = hub_->latest_snapshot();
  const DatasetFlow::Layers layers =
      TRY(flow.build(TRY(hub_->read(flow.table(Layer::kRaw), head))));
  const Batch rejected = TRY(rejected_anew(flow, layers.rejected));
  for (const TableDefinition& table : flow.tables()) {
    if (table.name.layer == Layer::kRaw) continue;
    request.drop.push_back(table.name);
    request.create.push_back(table);
  }
  request.changes.push_back({flow.table(Layer::kClean), layers.clean});
  request.changes.push_back({flow.table(Layer::kTrain), layers.train});
  request.changes.push_back({flow.table(Layer::kRejected), rejected});
  for (const ModelConfiguration& model : configuration_.models) {
    if (model.dataset == dataset) TRY(retrain(model, layers.train, request));
  }
  return {};
}

// Layers that are made anew are laid out anew.
Result<void> HubEngine::lay_out_dataset(const std::string& dataset,
                                        const Plan& plan,
                                        CommitRequest& request) {
  const bool rebuilds = plan.has(PlanItem::Action::kRebuildDataset, dataset);
  LayoutChange change = TRY(layout_change(*hub_, flows_.at(dataset)->tables()));
  for (TableAlteration& alteration : change.alter) {
    if (rebuilds && alteration.after.name.layer != Layer::kRaw) continue;
    request.alter.push_back(std::move(alteration));
  }
  return {};
}

// A version of a model on a train layer that is being made anew.
Result<void> HubEngine::retrain(const ModelConfiguration& model,
                                const Batch& train,
                                CommitRequest& request) {
  const auto track = TRY(ModelTrack::open(io_, *hub_, model, *flows_.at(model.dataset), true));
  ModelChange change;
  change.train = train;
  change.snapshot = hub_->next_snapshot();
  change.release = true;
  change.replaces_train = true;
  // A model that had versions gets one of the new layers, few rows or many: its old ones say
  // nothing about them.
  const bool known = (TRY(hub_->newest_version(model.name, std::nullopt))).has_value();
  change.kind = known ? VersionKind::kRecalibration : VersionKind::kCalibration;
  ModelCommit made = known ? TRY(track->recalibrate(change)) : TRY(track->advance(change));
  add_to(request, std::move(made));
  return {};
}

// A layer follows the columns of raw in place where its table can, with the rows that differ.
// true: its content is another than before.
Result<bool> HubEngine::follow_layer(const TableDefinition& after,
                                     const ColumnsChange& columns,
                                     const Batch& rows,
                                     CommitRequest& request) {
  const auto before = TRY(hub_->table(after.name, hub_->latest_snapshot()));
  if (!before)
    return make_error(Code::kCorrupt, fmt::format("there is no {}", table_text(after.name)));
  const TableAlteration alteration = layer_alteration(*before, after, columns);
  if (!check_alteration(*before, alteration).ok()) {
    // The steps gave a column another type or key: the layer is made anew.
    request.drop.push_back(after.name);
    request.create.push_back(after);
    request.changes.push_back({after.name, rows});
    return true;
  }
  if (*before != after) request.alter.push_back(alteration);
  const Batch old_rows =
      TRY(in_columns(TRY(hub_->read(after.name, hub_->latest_snapshot())), alteration));
  const std::vector<Batch> both = {old_rows.with_all_signs(-1), rows};
  const std::vector<int> key = TRY(after.schema.require_all(after.key));
  const Batch difference = TRY(net(TRY(concatenate(after.schema, both)), key));
  if (difference.row_count() == 0) return false;
  request.changes.push_back({after.name, difference});
  return true;
}

// The columns of raw, and of what is made from it. Models that read none of the changed columns
// keep their definition, their lineage and their versions.
Result<void> HubEngine::alter_dataset(const std::string& dataset,
                                      const Plan& plan,
                                      CommitRequest& request) {
  const DatasetFlow& flow = *flows_.at(dataset);
  const SnapshotId head = hub_->latest_snapshot();
  const auto raw = TRY(hub_->table(flow.table(Layer::kRaw), head));
  if (!raw) return make_error(Code::kCorrupt, fmt::format("there is no raw.{}", dataset));
  const ColumnsChange columns = TRY(columns_change(*raw, flow.dataset()));
  const std::vector<TableDefinition> tables = flow.tables();
  const TableAlteration of_raw = layer_alteration(*raw, tables[0], columns);
  const Batch rows = TRY(in_columns(TRY(hub_->read(raw->name, head)), of_raw));
  const DatasetFlow::Layers layers = TRY(flow.build(rows));
  const Batch rejected = TRY(rejected_anew(flow, layers.rejected));
  request.alter.push_back(of_raw);
  TRY(follow_layer(tables[1], columns, layers.clean, request));
  const bool other_train = TRY(follow_layer(tables[2], columns, layers.train, request));
  TRY(follow_layer(tables[3], columns, rejected, request));
  for (const ModelConfiguration& model : configuration_.models) {
    if (model.dataset != dataset) continue;
    const bool touched = other_train || plan.has(PlanItem::Action::kRecalibrateModel, model.name);
    if (touched) TRY(retrain(model, layers.train, request));
  }
  return {};
}

}  // namespace lockstep
