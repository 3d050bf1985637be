// A load: a file of more rows than one batch becomes one snapshot. Its batches go the same way as
// others, but are staged in the hub, and the models are judged with the last of them.
#include "sync/engine_load.h"

#include "base/hash.h"
#include "hub/hub.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace lockstep {

void HubEngine::LoadNote::add(const std::string& dataset,
                              const SourceBatch& batch,
                              const DatasetChange& change) {
  for (const auto& [part, text] : batch.position_changes)
    position[part] = text;
  removed_overrides.insert(
      removed_overrides.end(), change.remove_overrides.begin(), change.remove_overrides.end());
  counts.add(change.counts);
  origin = batch.origin;
  source_time = batch.source_time;
  if (!change.tables.empty()) changed.insert(dataset);
  whole = batch.whole;
  resumes = batch.resumes && sweeps.empty();
  schema_pending = schema_pending || batch.schema_pending;
}

std::string HubEngine::LoadNote::json() const {
  Json out;
  out["position"] = position;
  out["overrides"] = Json::array();
  for (const OverrideRecord& removed : removed_overrides) {
    Json bytes = Json::array();
    for (const char byte : removed.key)
      bytes.push_back(static_cast<int>(static_cast<unsigned char>(byte)));
    out["overrides"].push_back({removed.dataset, std::move(bytes)});
  }
  out["counts"] = {
      counts.inserted, counts.updated, counts.deleted, counts.rejected, counts.skipped};
  out["origin"] = origin;
  if (source_time) out["source_time"] = source_time->us;
  out["changed"] = changed;
  out["whole"] = whole;
  out["resumes"] = resumes;
  out["schema_pending"] = schema_pending;
  return out.dump();
}

// What the hub's journal kept is as it was written: it has a hash.
Result<HubEngine::LoadNote> HubEngine::LoadNote::parse(const std::string& json) {
  const Json in = Json::parse(json, nullptr, false);
  if (in.is_discarded() || !in.contains("whole"))
    return make_error(Code::kCorrupt, "the journal of a load has a note that is none");
  LoadNote note;
  for (const auto& [part, text] : in.at("position").items())
    note.position[part] = text.get<std::string>();
  for (const Json& one : in.at("overrides")) {
    OverrideRecord removed;
    removed.dataset = one.at(0).get<std::string>();
    for (const Json& byte : one.at(1))
      removed.key.push_back(static_cast<char>(byte.get<unsigned char>()));
    note.removed_overrides.push_back(std::move(removed));
  }
  const Json& counts = in.at("counts");
  note.counts.inserted = counts.at(0).get<std::int64_t>();
  note.counts.updated = counts.at(1).get<std::int64_t>();
  note.counts.deleted = counts.at(2).get<std::int64_t>();
  note.counts.rejected = counts.at(3).get<std::int64_t>();
  note.counts.skipped = counts.at(4).get<std::int64_t>();
  note.origin = in.at("origin").get<std::string>();
  if (in.contains("source_time"))
    note.source_time = Timestamp{in.at("source_time").get<std::int64_t>()};
  note.changed = in.at("changed").get<std::set<std::string>>();
  note.whole = in.at("whole").get<bool>();
  note.resumes = in.value("resumes", false);
  note.schema_pending = in.value("schema_pending", false);
  return note;
}

// Another configuration makes other rows of the same file: its load begins anew.
std::string HubEngine::load_name(const Feed& feed) {
  return feed.configuration->name + " " + sha256_hex(configuration_.json);
}

Result<DatasetChange> HubEngine::take(const Feed& feed,
                                      const SourceBatch& batch,
                                      const LoadNote& note) {
  IncomingRows incoming = incoming_of(feed, std::span(&batch, 1));
  incoming.removed_overrides = note.removed_overrides;
  return flows_.at(feed.dataset_of(batch))->take(*hub_, incoming);
}

Result<void> HubEngine::fold_staged(const std::string& dataset,
                                    const Batch& train,
                                    std::int64_t stage) {
  ModelChange change;
  change.train = train;
  change.snapshot = hub_->next_snapshot();
  change.more = true;
  change.stages_before = stage;
  CommitRequest nothing_yet;
  return add_models(dataset, change, nothing_yet);
}

Result<void> HubEngine::stage_batch(Feed& feed, const SourceBatch& batch, LoadNote& note) {
  const DatasetChange change = TRY(take(feed, batch, note));
  note.add(feed.dataset_of(batch), batch, change);
  if (!change.tables.empty())
    TRY(fold_staged(feed.dataset_of(batch), change.train, hub_->staged_count()));
  const Result<void> staged = hub_->stage(load_name(feed), change.tables, note.json());
  failed_ = failed_ || !staged.ok();
  feed.unacknowledged.push_back({batch.position_changes, std::nullopt});
  return staged;
}

// The rest of a transaction comes when it comes. nullopt: it was told to stop.
Result<std::optional<SourceBatch>> HubEngine::next_of_transaction(Feed& feed) {
  constexpr std::int64_t kWaitUs = 100'000;
  while (!(options_.stop && options_.stop())) {
    std::optional<SourceBatch> batch = TRY(feed.source->next({configuration_.hub.commit_rows_max}));
    if (batch) return batch;
    TRY(feed.source->wait(kWaitUs));
  }
  return std::optional<SourceBatch>();
}

// nullopt: its file has no more.
Result<std::optional<SourceBatch>> HubEngine::next_of_load(Feed& feed,
                                                           const LoadNote& note,
                                                           LoadInput& input) {
  std::optional<SourceBatch> batch;
  if (!input.ahead.empty()) {
    if (!note.is_of(input.ahead.front())) return batch;
    batch = std::move(input.ahead.front());
    input.ahead = input.ahead.subspan(1);
    return batch;
  }
  if (input.ended) return *std::exchange(input.ended, std::nullopt);
  if (note.whole) return next_of_transaction(feed);
  batch = TRY(feed.source->next({configuration_.hub.commit_rows_max}));
  if (!batch || note.is_of(*batch)) return batch;
  input.next = std::move(batch);
  return std::optional<SourceBatch>();
}

// A table that was emptied and is given anew, before any other row of it in this transaction: its
// old rows leave at the end, those that did not come again.
Result<void> HubEngine::note_sweep(const Feed& feed, SourceBatch& batch, LoadNote& note) {
  const std::string& dataset = feed.dataset_of(batch);
  if ((batch.truncates || batch.replaces_origin) && !note.changed.contains(dataset)) {
    const bool has_old_rows = TRY(hub_->has_rows(flows_.at(dataset)->table(Layer::kRaw)));
    const bool asks = batch.replaces_origin && !options_.accept_deletes;
    const auto max_delete = asks ? std::optional(feed.configuration->max_delete) : std::nullopt;
    if (has_old_rows) note.sweeps.insert_or_assign(batch.target, Sweep(batch.origin, max_delete));
    batch.truncates = false;
  }
  // Emptied after rows of it came: they all leave at once, the old ones among them.
  if (batch.truncates) note.sweeps.erase(batch.target);
  const auto sweep = note.sweeps.find(batch.target);
  if (sweep == note.sweeps.end()) return {};
  return sweep->second.add(*flows_.at(dataset), feed.configuration->name, batch);
}

Result<void> HubEngine::stage_sweeps(Feed& feed, LoadNote& note) {
  const std::string& source = feed.configuration->name;
  for (auto& [target, sweep] : std::exchange(note.sweeps, {})) {
    const std::string& dataset = feed.datasets[static_cast<std::size_t>(target)];
    for (const SourceBatch& gone : TRY(sweep.rest(*hub_, *flows_.at(dataset), source, target))) {
      const DatasetChange change = TRY(take(feed, gone, note));
      if (change.tables.empty()) continue;
      note.add(dataset, gone, change);
      TRY(fold_staged(dataset, change.train, hub_->staged_count()));
      TRY(hub_->stage(load_name(feed), change.tables, note.json()));
    }
  }
  return {};
}

// Nobody goes on with a transaction that was refused: the next writer begins anew.
Result<void> HubEngine::leave(const Feed& feed, LoadNote& note, const Error& why) {
  leaves_load_ = !std::exchange(failed_, true);
  if (!leaves_load_ || !note.resumes || why.code != Code::kRefused) return {};
  note.resumes = false;
  return hub_->stage(load_name(feed), {}, note.json());
}

// Where the source or a row of it fails, what came before is committed, as it would be by batch:
// not of a transaction, which comes again as a whole.
Result<void> HubEngine::load(Feed& feed, LoadInput& input, LoadNote note, SyncTotals& totals) {
  std::optional<Error> error;
  std::optional<SourceBatch> batch;
  while (true) {
    Result<std::optional<SourceBatch>> next = next_of_load(feed, note, input);
    batch.reset();
    if (next.ok()) {
      batch = std::move(next).value();
    } else {
      error = std::move(next).error();
    }
    if (batch && batch->whole) {
      if (Result<void> noted = note_sweep(feed, *batch, note); !noted.ok())
        error = std::move(noted).error();
      if (error) break;
    }
    if (batch && !batch->has_more) break;
    const bool stopped = options_.stop && options_.stop();
    if (!batch && !(note.whole && stopped)) break;
    if (stopped) {
      // The rows so far are no snapshot's, and the next writer goes on with them. This one is done.
      unfinished_.push_back(feed.configuration->name);
      failed_ = true;
      return {};
    }
    Result<void> staged = stage_batch(feed, *batch, note);
    if (failed_) return staged;
    report_progress(feed, totals);
    if (staged.ok()) continue;
    error = std::move(staged).error();
    batch.reset();
    break;
  }
  if (note.whole && !error) {
    if (Result<void> swept = stage_sweeps(feed, note); !swept.ok())
      error = std::move(swept).error();
  }
  if (note.whole && error) {
    TRY(leave(feed, note, *error));
    return std::move(*error);
  }
  Result<void> committed = commit_load(feed, batch, note, totals);
  if (!committed.ok() && note.whole) TRY(leave(feed, note, committed.error()));
  if (!committed.ok() && !failed_ && hub_->staged_count() > 0) {
    // Its last rows cannot be taken: what came before can.
    error = std::move(committed).error();
    committed = commit_load(feed, std::nullopt, std::move(note), totals);
  }
  TRY(std::move(committed));
  if (error) return std::move(*error);
  return {};
}

// The models of all datasets that the load changed are judged with its last rows, those of
// `dataset`.
Result<void> HubEngine::finish_models(const LoadNote& note,
                                      const std::string& dataset,
                                      const Batch& train,
                                      CommitRequest& request) {
  for (const std::string& changed : note.changed) {
    ModelChange change;
    change.train =
        changed == dataset ? train : Batch::empty(flows_.at(changed)->pipeline().train_schema());
    change.snapshot = hub_->next_snapshot();
    change.stages_before = hub_->staged_count();
    TRY(add_models(changed, change, request));
  }
  return {};
}

Result<void> HubEngine::commit_load(Feed& feed,
                                    const std::optional<SourceBatch>& batch,
                                    LoadNote note,
                                    SyncTotals& totals) {
  DatasetChange last;
  std::string last_dataset;
  if (batch) {
    last = TRY(take(feed, *batch, note));
    last_dataset = feed.dataset_of(*batch);
    note.add(last_dataset, *batch, last);
  }
  CommitRequest request;
  request.kind = CommitKind::kChanges;
  request.message = commit_message(note.origin, note.schema_pending);
  request.source_time = note.source_time;
  request.positions[feed.configuration->name] = note.position;
  request.remove_overrides = note.removed_overrides;
  request.changes = std::move(last.tables);
  TRY(finish_models(note, last_dataset, last.train, request));
  TRY(commit(request));
  move_position(feed.position, note.position);
  totals.add(note.counts);
  totals.add(request.versions);
  totals.commits += note.changed.empty() ? 0 : 1;
  if (batch) feed.unacknowledged.push_back({batch->position_changes, std::nullopt});
  if (has_listeners()) news_.back().tell_counts(feed.configuration->name, note.counts);
  acknowledge(totals);
  return {};
}

// What the source gives behind a load that was left; nullopt when that does not go on with it: its
// file is gone, holds other content, or cannot be read. Nobody saw the load's rows, so that it
// begins anew, and whatever hinders that is told then. kIo: a server does not answer, and the load
// waits for it.
Result<std::optional<SourceBatch>> HubEngine::first_behind(Feed& feed, const LoadNote& note) {
  const Position committed = feed.position;
  move_position(feed.position, note.position);
  const Result<bool> opened = open_feed(feed);
  feed.position = committed;
  if (note.whole && !opened.ok() && opened.error().code == Code::kIo) return opened.error();
  if (opened.ok() && opened.value()) {
    Result<std::optional<SourceBatch>> first =
        feed.source->next({configuration_.hub.commit_rows_max});
    if (note.whole && !first.ok() && first.error().code == Code::kIo) return first.error();
    const bool goes_on =
        first.ok() && first.value() && note.is_of(*first.value()) && !first.value()->begins_origin;
    if (goes_on) return first;
  }
  feed.source.reset();
  return std::optional<SourceBatch>();
}

// The rows that an earlier writer staged, for the models: batch by batch, as they came.
Result<void> HubEngine::fold_left(const Feed& feed, const LoadNote& note, std::int64_t count) {
  for (std::int64_t stage = 0; stage < count; ++stage) {
    for (const std::string& dataset : std::set(feed.datasets.begin(), feed.datasets.end())) {
      if (note.whole && !note.changed.contains(dataset)) continue;
      const TableName train = flows_.at(dataset)->table(Layer::kTrain);
      const Batch rows = TRY(hub_->staged(train, stage));
      if (!note.whole || rows.row_count() > 0) TRY(fold_staged(dataset, rows, stage));
    }
  }
  return {};
}

// Goes on with a load that the writer before this one left, if there is one of this source.
Result<void> HubEngine::resume_load(Feed& feed, SyncTotals& totals) {
  const auto is_known = [&](const std::string& dataset) { return flows_.contains(dataset); };
  if (!std::ranges::all_of(feed.datasets, is_known)) return {};
  const std::optional<StagedLoad> left = TRY(hub_->left_load(load_name(feed)));
  if (!left) return {};
  LoadNote note = TRY(LoadNote::parse(left->note));
  // Most transactions come again from their beginning.
  if (note.whole ? !note.resumes : !configuration_.hub.loads_in_one) return {};
  std::optional<SourceBatch> first = TRY(first_behind(feed, note));
  if (!first) {
    log_.warning(fmt::format("the load of {} begins anew: it is not as it was", note.origin));
    return {};
  }
  log_.info(fmt::format("the load of {} goes on where it was left", note.origin));
  failed_ = true;  // half of it is in memory
  TRY(hub_->resume_load());
  TRY(fold_left(feed, note, left->stage_count));
  failed_ = false;
  LoadInput input{.ahead = {&*first, 1}};
  TRY(load(feed, input, std::move(note), totals));
  // What it was given of another file is given again.
  if (input.next) feed.source.reset();
  return {};
}

// What the writer before this one was loading goes first: its rows belong to the newest snapshot.
Result<void> HubEngine::resume_loads(SyncTotals& totals) {
  for (Feed& feed : feeds_) {
    const bool waits = feed.error && io_.monotonic_us() < feed.retry_at_us;
    if (feed.looked_for_load || feed.paused || waits) continue;
    // One that is to be read from its beginning goes on with nothing.
    const Result<void> resumed = feed.anew ? Result<void>() : resume_load(feed, totals);
    feed.looked_for_load = true;
    if (resumed.ok()) continue;
    if (std::exchange(leaves_load_, false)) TRY(leave_load(feed));
    if (failed_) return resumed.error();
    feed.looked_for_load = resumed.error().code != Code::kIo;
    fail(feed,
         Error(resumed.error()).with_context(fmt::format("source '{}'", feed.configuration->name)),
         totals);
  }
  return {};
}

}  // namespace lockstep
