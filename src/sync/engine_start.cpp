// Opening: the hub, what a changed configuration asks for, and everything that the writer carries
// in memory.
#include "sync/engine.h"
#include "sync/plan.h"
#include "sync/rejected_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

Result<std::unique_ptr<Engine>> Engine::open(Io& io,
                                             Log& log,
                                             const Configuration& configuration,
                                             EngineOptions options) {
  auto engine = std::make_unique<HubEngine>(io, log, configuration, std::move(options));
  TRY(engine->start());
  return std::unique_ptr<Engine>(std::move(engine));
}

Result<void> HubEngine::start() {
  TRY(open_hub());
  TRY(adopt_foreign());
  tracks_.clear();  // their flows are made anew
  TRY(take_configuration());
  TRY(open_flows());
  TRY(open_tracks());
  TRY(make_owed_versions(true));
  return open_feeds();
}

Result<void> HubEngine::open_hub() {
  const HubPlace place{
      configuration_.hub.catalog,
      configuration_.hub.data,
      configuration_.hub.adopt_foreign ? ForeignCommits::kAdopt : ForeignCommits::kRefuse};
  Result<std::unique_ptr<Hub>> opened = Hub::open(io_, place, HubMode::kWrite);
  if (!opened.ok() && opened.error().code == Code::kNoHub) {
    TRY(Hub::create(io_, place, configuration_.json));
    log_.info(fmt::format("made a hub at {}", place.catalog));
    opened = Hub::open(io_, place, HubMode::kWrite);
  }
  hub_ = TRY(std::move(opened));
  return {};
}

Result<void> HubEngine::take_configuration() {
  const Plan plan = TRY(make_plan(*hub_, configuration_));
  if (plan.needs_apply() && !options_.apply) {
    return make_error(
        Code::kRefused,
        fmt::format("lockstep.yaml changed, and the hub would have to follow:\n{}", plan.text()),
        "look with lockstep check, then add --apply");
  }
  if (plan.needs_apply()) return apply_plan(plan);
  if (TRY(hub_->configuration()) == configuration_.json) return {};
  CommitRequest request;
  request.kind = CommitKind::kConfiguration;
  request.message = "configuration";
  request.configuration = configuration_.json;
  TRY(hub_->commit(request));
  return {};
}

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
    if (item.action == PlanItem::Action::kRebuildDataset) TRY(rebuild_dataset(item.name, request));
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
    const auto track = TRY(ModelTrack::open(io_, *hub_, model, *flows_.at(model.dataset)));
    const bool rows = !request.drop.empty() || !request.changes.empty();
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

Result<void> HubEngine::rebuild_dataset(const std::string& dataset, CommitRequest& request) {
  const DatasetFlow& flow = *flows_.at(dataset);
  const SnapshotId head = hub_->latest_snapshot();
  const DatasetFlow::Layers layers =
      TRY(flow.build(TRY(hub_->read(flow.table(Layer::kRaw), head))));
  // What the source refused has no row in raw to come from again: it stays.
  const Batch rejected = TRY(hub_->read(flow.table(Layer::kRejected), head));
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rejected.row_count(); ++row) {
    if (rejected.text_at(2, row).find('[') == std::string_view::npos) kept.push_back(row);
  }
  const std::vector<Batch> both = {rejected.select_rows(kept), layers.rejected};
  for (const TableDefinition& table : flow.tables()) {
    if (table.name.layer == Layer::kRaw) continue;
    request.drop.push_back(table.name);
    request.create.push_back(table);
  }
  request.changes.push_back({flow.table(Layer::kClean), layers.clean});
  request.changes.push_back({flow.table(Layer::kTrain), layers.train});
  request.changes.push_back(
      {flow.table(Layer::kRejected), TRY(concatenate(rejected_schema(), both))});
  for (const ModelConfiguration& model : configuration_.models) {
    if (model.dataset != dataset) continue;
    const auto track = TRY(ModelTrack::open(io_, *hub_, model, flow, true));
    ModelChange change;
    change.train = layers.train;
    change.snapshot = hub_->next_snapshot();
    change.release = true;
    change.replaces_train = true;
    // A model that had versions gets one of the new layers, few rows or many: its old ones say
    // nothing about them.
    const bool known = (TRY(hub_->newest_version(model.name, std::nullopt))).has_value();
    change.kind = known ? VersionKind::kRecalibration : VersionKind::kCalibration;
    ModelCommit made = known ? TRY(track->recalibrate(change)) : TRY(track->advance(change));
    add_to(request, std::move(made));
  }
  return {};
}

Result<void> HubEngine::open_flows() {
  flows_.clear();
  for (const DatasetConfiguration& dataset : configuration_.datasets) {
    const Schema columns = TRY(known_columns(*hub_, dataset));
    if (columns.size() == 0) continue;
    auto flow = TRY(DatasetFlow::make(dataset, columns));
    if (!TRY(hub_->table(flow->table(Layer::kRaw), hub_->latest_snapshot())))
      TRY(create_tables(*flow));
    flows_[dataset.name] = std::move(flow);
  }
  return {};
}

Result<void> HubEngine::create_tables(const DatasetFlow& flow) {
  for (const ModelConfiguration& model : configuration_.models) {
    // A model that cannot be made of these columns is told now, before anything is stored.
    if (model.dataset != flow.dataset().name) continue;
    TRY(parse_model_spec(
        model.learn, model.name, flow.pipeline().train_schema(), flow.pipeline().train_key()));
  }
  CommitRequest request;
  request.kind = CommitKind::kConfiguration;
  request.message = fmt::format("dataset {}", flow.dataset().name);
  request.create = flow.tables();
  TRY(hub_->commit(request));
  return {};
}

Result<void> HubEngine::open_tracks() {
  std::vector<std::unique_ptr<ModelTrack>> tracks;
  for (const ModelConfiguration& model : configuration_.models) {
    const auto flow = flows_.find(model.dataset);
    if (flow == flows_.end()) continue;
    Result<std::unique_ptr<ModelTrack>> track = ModelTrack::open(io_, *hub_, model, *flow->second);
    if (!track.ok()) {
      failed_ = true;  // without it rows would be committed without their versions
      return std::move(track).error();
    }
    tracks.push_back(std::move(track).value());
  }
  tracks_ = std::move(tracks);
  return {};
}

// A model is owed a version without a change of its rows when it is new over rows enough, when it
// was away while they changed, and when the time of its trigger has come.
Result<void> HubEngine::make_owed_versions(bool new_models_too) {
  CommitRequest request;
  request.kind = CommitKind::kRecalibration;
  request.message = "train";
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (track->warming() ? !new_models_too : !track->owes_version()) continue;
    ModelChange change;
    change.train = Batch::empty(flows_.at(track->model().dataset)->pipeline().train_schema());
    change.snapshot = hub_->latest_snapshot();
    Result<ModelCommit> advanced = track->advance(change);
    if (!advanced.ok()) {
      failed_ = true;
      return std::move(advanced).error().with_context(
          fmt::format("model '{}'", track->model().name));
    }
    ModelCommit made = std::move(advanced).value();
    if (!made.version) continue;
    request.message += " " + track->model().name;
    add_to(request, std::move(made));
  }
  if (request.versions.empty()) return {};
  TRY(commit(request));
  owed_versions_.insert(owed_versions_.end(), request.versions.begin(), request.versions.end());
  return {};
}

Result<void> HubEngine::open_feeds() {
  const std::map<std::string, PositionParts> positions = TRY(hub_->positions());
  for (const DatasetConfiguration& dataset : configuration_.datasets) {
    for (const std::string& name : dataset.from) {
      Feed feed;
      feed.configuration = configuration_.source(name);
      feed.dataset = dataset.name;
      if (const auto position = positions.find(name); position != positions.end()) {
        feed.position = position->second;
      }
      feeds_.push_back(std::move(feed));
    }
  }
  return {};
}

// false: its dataset's columns are not known yet, and the source has nothing to learn them from.
Result<bool> HubEngine::open_feed(Feed& feed) {
  if (feed.source) return true;
  SourceRequest request;
  request.name = feed.configuration->name;
  request.settings = feed.configuration->settings;
  request.directory = configuration_.directory;
  request.key = configuration_.dataset(feed.dataset)->key;
  if (!flows_.contains(feed.dataset)) {
    const std::unique_ptr<Source> probe = TRY(make_source(io_, request));
    Result<Schema> columns = probe->infer_schema();
    if (!columns.ok() && columns.error().code == Code::kNotFound) return false;
    auto flow =
        TRY(DatasetFlow::make(*configuration_.dataset(feed.dataset), TRY(std::move(columns))));
    TRY(create_tables(*flow));
    flows_[feed.dataset] = std::move(flow);
    TRY(open_tracks());
  }
  request.schema = flows_.at(feed.dataset)->columns();
  std::unique_ptr<Source> source = TRY(make_source(io_, request));
  TRY(source->open(feed.position));
  feed.source = std::move(source);
  return true;
}

}  // namespace lockstep
