// Keeping the hub compact: beside the commits of a daemon, and all at once when a user asks.
#include "sync/engine.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kPauseAfterFailureUs = 60'000'000;

}  // namespace

// One step, which takes a few milliseconds at most. A hub that cannot be compacted is still right,
// so that a failure is told and tried again later; one that left the hub in doubt stops the next
// commit.
void HubEngine::tend() {
  if (io_.monotonic_us() < next_upkeep_us_) return;
  const Result<CompactionStep> step = hub_->compact({.background = true});
  if (step.ok()) return;
  next_upkeep_us_ = io_.monotonic_us() + kPauseAfterFailureUs;
  log_.warning(
      fmt::format("compaction failed, and is tried again in a minute: {}", step.error().message));
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
