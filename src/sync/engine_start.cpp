// Opening: the hub, what a changed configuration asks for, and everything that the writer carries
// in memory.
#include "sync/configuration_references.h"
#include "sync/engine.h"
#include "sync/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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
  TRY(open_feeds());
  opened_at_ = hub_->latest_snapshot();
  show_champions();
  return {};
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

// A source broke off in the middle of a transaction: what was staged of it, and what models folded,
// is thrown away with all that is in memory, unless it can be gone on with. Other sources do not
// feel it.
Result<void> HubEngine::leave_load(Feed& feed) {
  LOCKSTEP_ASSERT(!group_.open, "sync-6: a load was left with a group open");
  feed.unacknowledged.clear();
  feed.looked_for_load = false;  // it may be one that can be gone on with
  tracks_.clear();
  flows_.clear();
  hub_.reset();
  TRY(open_hub());
  TRY(open_flows());
  TRY(open_tracks());
  failed_ = false;
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
  if (plan.needs_apply() || plan.has_alterations()) return apply_plan(plan);
  if (TRY(hub_->configuration()) == configuration_.json) return {};
  CommitRequest request;
  request.kind = CommitKind::kConfiguration;
  request.message = "configuration";
  request.configuration = configuration_.json;
  TRY(hub_->commit(request));
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
  for (const SourceConfiguration& source : configuration_.sources) {
    Feed feed;
    feed.configuration = &source;
    for (const FedDataset& fed : fed_datasets(configuration_, source.name))
      feed.datasets.push_back(fed.dataset->name);
    if (const auto position = positions.find(source.name); position != positions.end())
      feed.position = position->second;
    feeds_.push_back(std::move(feed));
  }
  return read_pauses();
}

Result<std::unique_ptr<Source>> HubEngine::source_of(const SourceRequest& request) {
  return options_.make_source ? options_.make_source(io_, request) : make_source(io_, request);
}

// The columns of the datasets that it feeds go into the request; those that nobody knows yet come
// from the source. false: it has nothing to learn them from.
Result<bool> HubEngine::know_columns(const Feed& feed, SourceRequest& request) {
  std::unique_ptr<Source> probe;
  for (std::size_t target = 0; target < feed.datasets.size(); ++target) {
    const std::string& dataset = feed.datasets[target];
    if (!flows_.contains(dataset)) {
      if (!probe) probe = TRY(source_of(request));
      Result<Schema> columns = probe->infer_schema(static_cast<int>(target));
      if (!columns.ok() && columns.error().code == Code::kNotFound) return false;
      auto flow = TRY(DatasetFlow::make(*configuration_.dataset(dataset), TRY(std::move(columns))));
      TRY(create_tables(*flow));
      flows_[dataset] = std::move(flow);
      TRY(open_tracks());
    }
    request.targets[target].schema = flows_.at(dataset)->columns();
  }
  return true;
}

// false: the columns of a dataset of it are not known yet.
Result<bool> HubEngine::open_feed(Feed& feed) {
  if (feed.source) return true;
  SourceRequest request = source_request(configuration_, *feed.configuration);
  request.pushes = options_.pushes;
  request.stopping = options_.stop;
  request.kept_answer = [this, &feed](int target, const std::string& key) {
    return kept_answer(feed, target, key);
  };
  if (!TRY(know_columns(feed, request))) return false;
  std::unique_ptr<Source> source = TRY(source_of(request));
  TRY(std::exchange(feed.anew, false) ? source->open_anew() : source->open(feed.position));
  feed.source = std::move(source);
  return true;
}

}  // namespace lockstep
