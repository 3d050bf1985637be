#include "sync/engine.h"

#include "sync/engine_load.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
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
  TRY(resume_loads(totals));
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
  out["paused"] = Json::array();
  for (const Feed& feed : feeds_) {
    if (feed.paused) out["paused"].push_back(feed.configuration->name);
  }
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
    if (feed.paused) continue;
    if (!feed.looked_for_load) {  // and could not: what is left is not thrown away
      if (feed.error) totals.stop(feed.configuration->name, *feed.error);
      continue;
    }
    if (feed.error && io_.monotonic_us() < feed.retry_at_us) {
      totals.stop(feed.configuration->name, *feed.error);
      continue;
    }
    Result<bool> stepped = step(feed, totals);
    if (std::exchange(leaves_load_, false)) TRY(leave_load(feed));
    if (failed_) return stepped;
    if (stepped.ok()) {
      feed.error.reset();
      more = more || stepped.value();
      if (stepped.value()) feed.retry_pause_us = 0;
      continue;
    }
    // One failing source stops no other, and loses nothing of what it gave before.
    TRY(flush(totals));
    fail(feed, stepped.error(), totals);
  }
  TRY(flush(totals));
  return more;
}

// What is in front has more rows than one commit: a file, or a transaction, which is always whole.
bool HubEngine::begins_load(std::span<const SourceBatch> batches) const {
  const SourceBatch& last = batches[front_unit(batches) - 1];
  return last.has_more && (last.whole || configuration_.hub.loads_in_one);
}

std::span<SourceBatch> HubEngine::before_a_load(std::span<SourceBatch> batches) const {
  std::size_t count = 0;
  while (count < batches.size() && !begins_load(batches.subspan(count)))
    count += front_unit(batches.subspan(count));
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
    if (begins_load(rest)) {
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
    const std::span<SourceBatch> plain = before_a_load(rest);
    const std::span<SourceBatch> run = apart ? plain.first(front_unit(plain)) : front_run(plain);
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

IncomingRows HubEngine::incoming_of(const Feed& feed, std::span<const SourceBatch> batches) {
  IncomingRows incoming{batches, feed.configuration->name};
  incoming.sequence = number(hub_->next_commit());
  incoming.max_delete = feed.configuration->max_delete;
  incoming.accept_deletes = options_.accept_deletes;
  return incoming;
}

// What the batches change in each of the datasets that they are for. Within a dataset their order
// stays. The models come after all of it is taken: those that folded rows cannot go back.
Result<std::vector<HubEngine::ChangedTrain>> HubEngine::take_batches(Feed& feed,
                                                                     std::span<SourceBatch> batches,
                                                                     CommitRequest& request,
                                                                     ChangeCounts& counts) {
  std::ranges::stable_sort(batches, {}, &SourceBatch::target);
  std::vector<ChangedTrain> trains;
  while (!batches.empty()) {
    const int target = batches.front().target;
    const auto end = std::ranges::find_if(
        batches, [&](const SourceBatch& batch) { return batch.target != target; });
    const auto count = static_cast<std::size_t>(end - batches.begin());
    const std::string& dataset = feed.dataset_of(batches.front());
    DatasetChange change =
        TRY(flows_.at(dataset)->take(*hub_, incoming_of(feed, batches.first(count))));
    batches = batches.subspan(count);
    counts.add(change.counts);
    std::ranges::move(change.remove_overrides, std::back_inserter(request.remove_overrides));
    if (change.tables.empty()) continue;
    std::ranges::move(change.tables, std::back_inserter(request.changes));
    ModelChange for_models;
    for_models.train = std::move(change.train);
    for_models.snapshot = hub_->next_snapshot();
    trains.push_back({dataset, std::move(for_models)});
  }
  return trains;
}

// One snapshot, in the open group.
Result<void> HubEngine::commit_batches(Feed& feed,
                                       std::span<SourceBatch> batches,
                                       SyncTotals& totals) {
  const std::int64_t started_us = io_.monotonic_us();
  CommitRequest request;
  request.kind = CommitKind::kChanges;
  request.message = commit_message(origins_text(batches),
                                   std::ranges::any_of(batches, &SourceBatch::schema_pending));
  Position& moved = request.positions[feed.configuration->name];
  std::vector<Position> moves;
  for (const SourceBatch& batch : batches) {
    request.source_time = std::max(request.source_time, batch.source_time);
    for (const auto& [part, position] : batch.position_changes)
      moved[part] = position;
    moves.push_back(batch.position_changes);
  }
  ChangeCounts counts;
  std::vector<ChangedTrain> trains = TRY(take_batches(feed, batches, request, counts));
  const CommitId id = hub_->next_commit();
  if (!group_.open) {
    TRY(hub_->begin_group());
    group_ = {.open = true, .started_us = started_us};
  }
  TRY(commit_learning(std::move(trains), request, totals));
  for (Position& changes : moves) {
    move_position(feed.position, changes);
    feed.unacknowledged.push_back({std::move(changes), id});
  }
  if (has_listeners()) news_.back().tell_counts(feed.configuration->name, counts);
  group_.row_count += row_count_of(batches);
  feed.pace.took(row_count_of(batches), io_.monotonic_us() - started_us);
  totals.add(counts);
  totals.commits += request.changes.empty() ? 0 : 1;
  return {};
}

Result<void> HubEngine::add_models(const std::string& dataset,
                                   const ModelChange& change,
                                   CommitRequest& request) {
  Result<void> learned = learn_change(tracks_, dataset, change, request);
  failed_ = failed_ || !learned.ok();
  return learned;
}

// The models learn beside the hub where they need not ask it, else before it commits.
Result<void> HubEngine::commit_learning(std::vector<ChangedTrain> trains,
                                        CommitRequest& request,
                                        SyncTotals& totals) {
  TRY(take_learned(totals));
  if (trains.size() == 1 && learning_.takes(trains.front().change.train)) {
    learning_.start(trains.front().dataset, std::move(trains.front().change));
    Result<Committed> committed = hub_->commit(request);
    failed_ = failed_ || !committed.ok();
    learning_for_.push_back(TRY(std::move(committed)));
    if (has_listeners()) news_.push_back(news_of(request, learning_for_.back()));
    return {};
  }
  TRY(catch_up(totals));
  for (const ChangedTrain& train : trains)
    TRY(add_models(train.dataset, train.change, request));
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
  note_versions(committed.commit, learned.models.versions);
  return {};
}

Result<Committed> HubEngine::commit(CommitRequest& request) {
  LOCKSTEP_ASSERT(learning_.is_idle(), "sync-6: a commit while another's models are at work");
  Result<Committed> committed = hub_->commit(request);
  if (!committed.ok()) {
    failed_ = true;
    return committed;
  }
  if (Result<void> known = tell_committed(tracks_, request); !known.ok()) {
    failed_ = true;
    return std::move(known).error();
  }
  if (has_listeners()) news_.push_back(news_of(request, committed.value()));
  if (!group_.open) {
    show_champions();
    keep_up();
  }
  return committed;
}

// Makes the open group durable, and then tells the sources so.
Result<void> HubEngine::flush(SyncTotals& totals) {
  if (!group_.open) return {};
  TRY(catch_up(totals));
  TRY(keep_answers());
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

// Each source hears of its batches that are durable now, in order (sync-2). Who asks a model then
// is answered by the champion that learned them.
void HubEngine::acknowledge(SyncTotals& totals) {
  show_champions();
  for (Feed& feed : feeds_) {
    for (const Feed::Owed& owed : std::exchange(feed.unacknowledged, {})) {
      const Result<void> heard = feed.source->completed(owed.changes, completion_of(owed));
      if (heard.ok()) continue;
      fail(feed,
           Error(heard.error()).with_context(fmt::format("source '{}'", feed.configuration->name)),
           totals);
      break;
    }
  }
  tell_news();
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
  progress.what = feed.datasets.size() == 1 ? feed.datasets.front() : feed.configuration->name;
  const std::optional<std::uint64_t> remaining = feed.source->lag().bytes;
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
  return wait_for_sources(timeout_us);
}

}  // namespace lockstep
