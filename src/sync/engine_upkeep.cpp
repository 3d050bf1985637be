// Keeping the hub compact: beside the commits of a daemon, and all at once when a user asks.
#include "sync/engine.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kPauseAfterFailureUs = 60'000'000;
constexpr std::int64_t kLogWaitUs = 1'000'000;
constexpr std::int64_t kLogLookUs = 50'000;

Json collection_json(const CollectionStep& sum) {
  return {{"snapshots", sum.snapshots}, {"files", sum.files}, {"deleted", sum.deleted}};
}

}  // namespace

// One step, which takes a few milliseconds at most. A hub that cannot be compacted is still right,
// so that a failure is told and tried again later; one that left the hub in doubt stops the next
// commit.
void HubEngine::tend() {
  tell_news();
  mind_sources();
  mind_log();
  if (!options_.upkeep || io_.monotonic_us() < next_upkeep_us_) return;
  const Result<void> done = upkeep_step();
  if (done.ok()) return;
  next_upkeep_us_ = io_.monotonic_us() + kPauseAfterFailureUs;
  log_.warning(
      fmt::format("upkeep failed, and is tried again in a minute: {}", done.error().message));
}

// A reader of another program that stays in one transaction keeps the log from being moved. Above
// half of what is allowed that is told, above all of it each batch waits: commits become slow
// before the disk is full, and fast again when the reader goes.
void HubEngine::mind_log() {
  const std::uint64_t max = configuration_.hub.log_bytes_max;
  const bool long_log = hub_->log_bytes() > max / 2;
  if (long_log && !log_is_long_) {
    log_.warning(
        fmt::format("the catalog's log has {} MB: somebody reads it for long, and above {} MB "
                    "commits slow down",
                    hub_->log_bytes() >> 20U,
                    max >> 20U));
  }
  if (!long_log && log_is_long_) log_.info("the catalog's log is short again");
  log_is_long_ = long_log;
  for (std::int64_t waited = 0; waited < kLogWaitUs; waited += kLogLookUs) {
    if (hub_->log_bytes() <= max || (options_.stop && options_.stop())) return;
    // A failed checkpoint shows at the next commit, which is refused then (catalog-4).
    if (!hub_->move_log().ok() || hub_->log_bytes() <= max) return;
    io_.sleep_us(kLogLookUs);
  }
}

Result<void> HubEngine::upkeep_step() {
  CollectionLimits collection = configuration_.hub.collection;
  collection.background = true;
  const UpkeepWork work = {.compact = [&] { return hub_->compact({.background = true}); },
                           .collect = [&] { return hub_->collect(collection); }};
  const UpkeepStep step = TRY(upkeep_.step(work, io_.monotonic_us()));
  if (step.round && step.round->snapshots + step.round->deleted > 0) {
    log_.info(fmt::format(
        "gc: {} snapshots expired, {} files deleted", step.round->snapshots, step.round->deleted));
  }
  return {};
}

Result<void> HubEngine::settle() {
  TRY(require_sound());
  while (TRY(hub_->compact({})).state != CompactionState::kNothing) {
  }
  return {};
}

Result<Json> HubEngine::compact() {
  Json out;
  out["tables"] = Json::array();
  std::map<TableName, std::pair<std::int64_t, std::int64_t>> moved;  // rows, files
  while (true) {
    // Larger steps than beside commits: here nobody waits for one.
    const CompactionStep step = TRY(hub_->compact({.rows_min = 1, .rows_max = 10'000}));
    if (step.state == CompactionState::kNothing) break;
    moved[step.table].first += step.rows;
    moved[step.table].second += step.files;
  }
  for (const auto& [table, counts] : moved) {
    if (counts.second == 0) continue;
    out["tables"].push_back(
        {{"table", table_text(table)}, {"rows", counts.first}, {"files", counts.second}});
  }
  out["snapshot"] = number(hub_->latest_snapshot());
  return out;
}

Result<Json> HubEngine::gc() {
  TRY(settle());
  CollectionStep sum{.more = true};
  while (sum.more) {
    const CollectionStep step = TRY(hub_->collect(configuration_.hub.collection));
    sum.more = step.more;
    sum.snapshots += step.snapshots;
    sum.files += step.files;
    sum.deleted += step.deleted;
  }
  return collection_json(sum);
}

Result<Json> HubEngine::set_tag(const std::string& name, const std::string& snapshot) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  // A number, a time or -1 names a snapshot already.
  const bool is_letter =
      !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'));
  if (!is_letter || name == "latest" || !std::all_of(name.begin(), name.end(), is_word)) {
    return make_error(Code::kUsage,
                      fmt::format("'{}' cannot be the name of a tag", name),
                      "begin with a letter; letters, digits, _, - and . may follow");
  }
  const SnapshotId at{TRY(resolve_snapshot(*hub_, snapshot))};
  TRY(hub_->set_tag(name, at, options_.who));
  return Json{{"tag", name}, {"snapshot", number(at)}};
}

Result<Json> HubEngine::delete_tag(const std::string& name) {
  TRY(hub_->delete_tag(name));
  return Json{{"tag", name}, {"deleted", true}};
}

Result<Json> report_tags(Hub& hub) {
  Json out = Json::array();
  for (const TagRecord& tag : TRY(hub.tags())) {
    out.push_back({{"tag", tag.name},
                   {"snapshot", number(tag.snapshot)},
                   {"time", rfc3339(tag.time)},
                   {"who", tag.who}});
  }
  return out;
}

Result<Json> report_collection(Hub& hub, const CollectionLimits& limits) {
  const CollectionPlan plan = TRY(hub.collection_plan(limits));
  Json out;
  out["snapshots"] = plan.snapshots;
  out["files"] = plan.files;
  out["orphans"] = plan.orphans;
  return out;
}

Result<Json> report_compaction(Hub& hub) {
  Json out;
  out["tables"] = Json::array();
  for (const InlinedUse& use : TRY(hub.inlined_use())) {
    if (use.rows == 0) continue;
    out["tables"].push_back({{"table", table_text(use.table)}, {"rows", use.rows}});
  }
  out["snapshot"] = number(hub.latest_snapshot());
  return out;
}

}  // namespace lockstep
