#include "sync/engine.h"

#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kProgressUs = 200'000;

}  // namespace

// What one sync did, added up over its commits.
struct SyncTotals {
  ChangeCounts counts;
  std::int64_t commits = 0;
  std::vector<ModelVersionRecord> newest;  // of each model that got a version
  std::map<std::string, std::int64_t> blocked;
  std::map<std::string, std::int64_t> made;

  void add(const ChangeCounts& more) { counts.add(more); }

  void add(const std::vector<ModelVersionRecord>& versions) {
    for (const ModelVersionRecord& version : versions) {
      std::erase_if(newest,
                    [&](const ModelVersionRecord& old) { return old.model == version.model; });
      newest.push_back(version);
      newest.back().weights.clear();
      made[version.model] += 1;
      if (version.status == VersionStatus::kBlocked) blocked[version.model] += 1;
    }
  }
};

void add_to(CommitRequest& request, ModelCommit made) {
  if (made.version) request.versions.push_back(std::move(*made.version));
  if (made.definition) request.definitions.push_back(std::move(*made.definition));
  for (AliasEvent& event : made.aliases)
    request.aliases.push_back(std::move(event));
  request.model_states.push_back(std::move(made.memory));
}

Json versions_json(const std::vector<ModelVersionRecord>& versions) {
  Json out = Json::array();
  for (const ModelVersionRecord& version : versions)
    out.push_back(version_summary(version));
  return out;
}

Result<Json> HubEngine::sync() {
  const std::int64_t started = io_.monotonic_us();
  SyncTotals totals;
  TRY(require_sound());
  TRY(adopt_foreign());
  TRY(make_owed_versions(false));
  totals.add(owed_versions_);
  owed_versions_.clear();
  totals.add(std::exchange(adopted_counts_, {}));
  Json errors = Json::array();
  std::vector<bool> stopped(feeds_.size(), false);
  for (bool more = true; more;) {
    more = false;
    for (std::size_t index = 0; index < feeds_.size(); ++index) {
      if (stopped[index]) continue;
      if (options_.stop && options_.stop()) break;
      Result<bool> stepped = step(feeds_[index], totals);
      if (stepped.ok()) {
        more = more || stepped.value();
        continue;
      }
      if (failed_) return std::move(stepped).error();
      // One failing source stops no other.
      stopped[index] = true;
      feeds_[index].source.reset();
      const Error& error = stepped.error();
      errors.push_back({{"source", feeds_[index].configuration->name},
                        {"code", code_info(error.code).name},
                        {"message", error.message},
                        {"hint", error.hint}});
    }
  }
  Json out;
  out["snapshot"] = number(hub_->latest_snapshot());
  out["changes"] = {{"inserted", totals.counts.inserted},
                    {"updated", totals.counts.updated},
                    {"deleted", totals.counts.deleted}};
  out["rejected"] = totals.counts.rejected;
  out["skipped"] = totals.counts.skipped;
  out["commits"] = totals.commits;
  out["versions"] = versions_json(totals.newest);
  for (Json& version : out["versions"]) {
    const auto model = version["model"].get<std::string>();
    version["made"] = totals.made[model];
    version["blocked"] = totals.blocked[model];
  }
  out["duration_s"] = static_cast<double>(io_.monotonic_us() - started) / 1e6;
  out["errors"] = std::move(errors);
  out["adopted"] = std::exchange(adopted_, {});
  out["applied"] = std::exchange(applied_, {});
  return out;
}

Result<void> HubEngine::require_sound() const {
  if (!failed_) return {};
  return make_error(
      Code::kIo, "a commit failed; the hub must be opened again", "run the command again");
}

// One batch of one source. false: it has nothing now.
Result<bool> HubEngine::step(Feed& feed, SyncTotals& totals) {
  const std::string context = fmt::format("source '{}'", feed.configuration->name);
  TRY(require_sound());
  if (!TRY_IN(open_feed(feed), context)) return false;
  const SourceLimits limits{configuration_.hub.commit_rows_max};
  const std::optional<SourceBatch> batch = TRY_IN(feed.source->next(limits), context);
  if (!batch) return false;
  TRY_IN(commit_batch(feed, *batch, totals), context);
  tend();
  report_progress(feed, totals);
  return true;
}

Result<void> HubEngine::commit_batch(Feed& feed, const SourceBatch& batch, SyncTotals& totals) {
  const DatasetFlow& flow = *flows_.at(feed.dataset);
  const std::vector<CommitRecord> last = TRY(hub_->commits(1));
  IncomingBatch incoming{batch, feed.configuration->name};
  incoming.sequence = last.empty() ? 1 : number(last.front().id) + 1;
  incoming.max_delete = feed.configuration->max_delete;
  incoming.accept_deletes = options_.accept_deletes;
  DatasetChange change = TRY(flow.take(*hub_, incoming));
  CommitRequest request;
  request.kind = CommitKind::kChanges;
  request.message = batch.origin;
  request.source_time = batch.source_time;
  request.positions[feed.configuration->name] = batch.position_changes;
  request.remove_overrides = std::move(change.remove_overrides);
  request.changes = std::move(change.tables);
  if (!request.changes.empty()) {
    ModelChange for_models;
    for_models.train = change.train;
    for_models.snapshot = hub_->next_snapshot();
    TRY(add_models(feed.dataset, for_models, request));
  }
  TRY(commit(request));
  move_position(feed.position, batch.position_changes);
  totals.add(change.counts);
  totals.add(request.versions);
  totals.commits += request.changes.empty() ? 0 : 1;
  return feed.source->committed(batch.position_changes);
}

Result<void> HubEngine::add_models(const std::string& dataset,
                                   const ModelChange& change,
                                   CommitRequest& request) {
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (track->model().dataset != dataset) continue;
    Result<ModelCommit> made = track->advance(change);
    if (!made.ok()) {
      // The track has folded rows that will not be committed: it is worth nothing now.
      failed_ = true;
      return std::move(made).error().with_context(fmt::format("model '{}'", track->model().name));
    }
    add_to(request, std::move(made).value());
  }
  return {};
}

Result<Committed> HubEngine::commit(CommitRequest& request) {
  Result<Committed> committed = hub_->commit(request);
  if (!committed.ok()) {
    failed_ = true;
    return committed;
  }
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (Result<void> known = track->committed(); !known.ok()) {
      failed_ = true;
      return std::move(known).error().with_context("after a commit that is durable");
    }
    // A checkpoint is a cache: without it the next start reads more rows.
    if (Result<void> kept = track->checkpoint(hub_->latest_snapshot()); !kept.ok())
      log_.warning(fmt::format(
          "no checkpoint of model '{}': {}", track->model().name, kept.error().message));
  }
  return committed;
}

void HubEngine::report_progress(Feed& feed, const SyncTotals& totals) {
  // To know what is left a source may have to look at its folders: not at every commit.
  if (!options_.progress || io_.monotonic_us() < next_progress_us_) return;
  next_progress_us_ = io_.monotonic_us() + kProgressUs;
  Progress progress;
  progress.what = feed.dataset;
  const std::optional<std::uint64_t> remaining = feed.source->remaining_bytes();
  if (remaining) {
    feed.bytes_total = std::max(feed.bytes_total, *remaining);
    progress.unit = "bytes";
    progress.total = feed.bytes_total;
    progress.done = feed.bytes_total - *remaining;
  } else {
    progress.unit = "rows";
    progress.done = static_cast<std::uint64_t>(totals.counts.inserted + totals.counts.updated +
                                               totals.counts.deleted);
  }
  options_.progress(progress);
}

Result<bool> HubEngine::wait(std::int64_t timeout_us) {
  TRY(require_sound());
  const auto owes = [](const std::unique_ptr<ModelTrack>& track) { return track->owes_version(); };
  if (std::any_of(tracks_.begin(), tracks_.end(), owes)) return true;
  if (configuration_.hub.adopt_foreign && TRY(hub_->has_foreign_commits())) return true;
  if (feeds_.empty()) {
    io_.sleep_us(timeout_us);
    return false;
  }
  const std::int64_t share =
      std::max<std::int64_t>(1'000, timeout_us / static_cast<std::int64_t>(feeds_.size()));
  for (Feed& feed : feeds_) {
    if (!feed.source) {
      io_.sleep_us(share);
      return true;  // it failed or knew no columns: it is tried again
    }
    if (TRY(feed.source->wait(share))) return true;
  }
  return false;
}

}  // namespace lockstep
