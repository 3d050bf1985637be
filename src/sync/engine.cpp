#include "sync/engine.h"

#include "sync/engine_load.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kProgressUs = 200'000;

}  // namespace

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
  if (!std::exchange(looked_for_loads_, true)) TRY(resume_loads(totals));
  while (TRY(look_at_sources(totals))) {
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
  out["errors"] = std::move(totals.errors);
  out["adopted"] = std::exchange(adopted_, {});
  out["unfinished"] = std::exchange(unfinished_, {});
  out["applied"] = std::exchange(applied_, {});
  return out;
}

Result<void> HubEngine::require_sound() const {
  if (!failed_) return {};
  return make_error(
      Code::kIo, "a commit failed; the hub must be opened again", "run the command again");
}

// What waits at each source is committed, and durable in the end. false: nothing waited.
Result<bool> HubEngine::look_at_sources(SyncTotals& totals) {
  bool more = false;
  for (Feed& feed : feeds_) {
    if (totals.stopped.contains(feed.configuration->name)) continue;
    if (options_.stop && options_.stop()) break;
    const Result<bool> stepped = step(feed, totals);
    if (failed_) return stepped;
    more = more || (stepped.ok() && stepped.value());
    if (stepped.ok()) continue;
    // One failing source stops no other, and loses nothing of what it gave before.
    TRY(flush(totals));
    feed.source.reset();
    totals.stop(feed.configuration->name, stepped.error());
  }
  TRY(flush(totals));
  return more;
}

// The batches in front of a file of more rows than one of them.
std::span<const SourceBatch> HubEngine::before_a_load(std::span<const SourceBatch> batches) const {
  if (!configuration_.hub.loads_in_one) return batches;
  std::size_t count = 0;
  while (count < batches.size() && !batches[count].has_more)
    ++count;
  return batches.first(count);
}

// What waits at one source. false: it has nothing now.
Result<bool> HubEngine::step(Feed& feed, SyncTotals& totals) {
  const std::string context = fmt::format("source '{}'", feed.configuration->name);
  TRY(require_sound());
  // Opening it may commit its dataset's tables: by themselves.
  if (!feed.source) TRY(flush(totals));
  if (!TRY_IN(open_feed(feed), context)) return false;
  Gathered gathered = gather(
      io_,
      *feed.source,
      {.row_count_max = configuration_.hub.commit_rows_max, .enough_rows = feed.pace.rows()});
  const bool apart = configuration_.hub.snapshot_per == SnapshotPer::kTransaction;
  std::span<SourceBatch> rest = gathered.batches;
  std::vector<SourceBatch> behind;  // a load
  while (!rest.empty() && feed.source) {
    if (rest.front().has_more && configuration_.hub.loads_in_one) {
      TRY(flush(totals));
      LoadInput input{.ahead = rest, .ended = std::exchange(gathered.error, std::nullopt)};
      TRY_IN(load(feed, input, {}, totals), context);
      rest = input.ahead;
      gathered.error = std::move(input.ended);
      if (input.next) {
        behind.assign(1, *std::move(input.next));
        rest = behind;
      }
      continue;
    }
    const std::span<const SourceBatch> plain = before_a_load(rest);
    const std::span<const SourceBatch> run = apart ? plain.first(1) : front_run(plain);
    TRY_IN(commit_batches(feed, run, totals), context);
    rest = rest.subspan(run.size());
    const bool full = io_.monotonic_us() - group_.started_us >= kGroupUs ||
                      group_.row_count >= configuration_.hub.commit_rows_max;
    if (full) TRY(flush(totals));
  }
  if (gathered.error) return Error(*gathered.error).with_context(context);
  if (feed.source) report_progress(feed, totals);
  return !gathered.batches.empty();
}

// One snapshot, in the open group.
Result<void> HubEngine::commit_batches(Feed& feed,
                                       std::span<const SourceBatch> batches,
                                       SyncTotals& totals) {
  const std::int64_t started_us = io_.monotonic_us();
  const std::string& source = feed.configuration->name;
  IncomingRows incoming{batches, source};
  incoming.sequence = number(hub_->next_commit());
  incoming.max_delete = feed.configuration->max_delete;
  incoming.accept_deletes = options_.accept_deletes;
  DatasetChange change = TRY(flows_.at(feed.dataset)->take(*hub_, incoming));
  CommitRequest request;
  request.kind = CommitKind::kChanges;
  request.message = origins_text(batches);
  Position& moved = request.positions[source];
  for (const SourceBatch& batch : batches) {
    request.source_time = std::max(request.source_time, batch.source_time);
    for (const auto& [part, position] : batch.position_changes)
      moved[part] = position;
  }
  request.remove_overrides = std::move(change.remove_overrides);
  request.changes = std::move(change.tables);
  if (!group_.open) {
    TRY(hub_->begin_group());
    group_ = {.open = true, .started_us = started_us};
  }
  ModelChange for_models;
  for_models.train = change.train;
  for_models.snapshot = hub_->next_snapshot();
  TRY(commit_learning(feed.dataset, std::move(for_models), request, totals));
  for (const SourceBatch& batch : batches) {
    move_position(feed.position, batch.position_changes);
    feed.unacknowledged.push_back(batch.position_changes);
  }
  group_.row_count += row_count_of(batches);
  feed.pace.took(row_count_of(batches), io_.monotonic_us() - started_us);
  totals.add(change.counts);
  totals.commits += request.changes.empty() ? 0 : 1;
  return {};
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

// The models learn beside the hub where they need not ask it, else before it commits.
Result<void> HubEngine::commit_learning(const std::string& dataset,
                                        ModelChange change,
                                        CommitRequest& request,
                                        SyncTotals& totals) {
  TRY(take_learned(totals));
  if (!request.changes.empty() && learning_.takes(change.train)) {
    learning_.start(dataset, std::move(change));
    Result<Committed> committed = hub_->commit(request);
    failed_ = failed_ || !committed.ok();
    learning_for_.push_back(TRY(std::move(committed)));
    return {};
  }
  TRY(catch_up(totals));
  if (!request.changes.empty()) TRY(add_models(dataset, change, request));
  TRY(commit(request));
  totals.add(request.versions);
  return {};
}

// What models have learned by now becomes part of its commits.
Result<void> HubEngine::take_learned(SyncTotals& totals) {
  while (!learning_.is_idle()) {
    const std::optional<Learned> learned = learning_.take_done();
    if (!learned) break;
    TRY(add_learned(*learned, totals));
  }
  return {};
}

// The same, of all that is under way.
Result<void> HubEngine::catch_up(SyncTotals& totals) {
  while (!learning_.is_idle())
    TRY(add_learned(learning_.take(), totals));
  return {};
}

Result<void> HubEngine::add_learned(const Learned& learned, SyncTotals& totals) {
  failed_ = failed_ || learned.failure.has_value();
  if (learned.failure) return *learned.failure;
  const Committed committed = learning_for_.front();
  learning_for_.pop_front();
  if (Result<void> added = hub_->add_models(committed, learned.models); !added.ok()) {
    failed_ = true;
    return added;
  }
  totals.add(learned.models.versions);
  return {};
}

Result<Committed> HubEngine::commit(CommitRequest& request) {
  LOCKSTEP_ASSERT(learning_.is_idle(), "sync-6: a commit while another's models are at work");
  Result<Committed> committed = hub_->commit(request);
  if (!committed.ok()) {
    failed_ = true;
    return committed;
  }
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (Result<void> known = track->committed(request); !known.ok()) {
      failed_ = true;
      return std::move(known).error().with_context("after a commit");
    }
  }
  if (!group_.open) keep_up();
  return committed;
}

// Makes the open group durable, and then tells the sources so.
Result<void> HubEngine::flush(SyncTotals& totals) {
  if (!group_.open) return {};
  TRY(catch_up(totals));
  group_ = {};
  if (Result<void> flushed = hub_->flush(); !flushed.ok()) {
    failed_ = true;
    return flushed;
  }
  acknowledge(totals);
  keep_up();
  tend();
  return {};
}

// Each source hears of its batches that are durable now, in order (sync-2).
void HubEngine::acknowledge(SyncTotals& totals) {
  for (Feed& feed : feeds_) {
    for (const Position& changes : std::exchange(feed.unacknowledged, {})) {
      const Result<void> heard = feed.source->committed(changes);
      if (heard.ok()) continue;
      feed.source.reset();
      totals.stop(
          feed.configuration->name,
          Error(heard.error()).with_context(fmt::format("source '{}'", feed.configuration->name)));
      break;
    }
  }
}

// What may wait until a commit is acknowledged.
void HubEngine::keep_up() {
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    // A checkpoint is a cache: without it the next start reads more rows.
    if (Result<void> kept = track->checkpoint(hub_->latest_snapshot()); !kept.ok())
      log_.warning(fmt::format(
          "no checkpoint of model '{}': {}", track->model().name, kept.error().message));
  }
  // A log that was not moved is moved another time; a failed write stops the next commit.
  if (Result<void> moved = hub_->tend_log(); !moved.ok())
    log_.warning(fmt::format("the catalog's log was not moved: {}", moved.error().message));
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
