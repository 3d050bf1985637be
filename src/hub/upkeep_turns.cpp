#include "hub/upkeep.h"

#include <utility>

namespace lockstep {

Result<UpkeepStep> UpkeepTurns::step(const UpkeepWork& work, const UpkeepTime& now) {
  UpkeepStep step;
  const bool is_due = now.us >= next_round_.us || now.newest >= next_round_.newest;
  if (is_due && std::exchange(collection_is_next_, false)) {
    TRY(collect(work, now, step));
    return step;
  }
  step.compaction = TRY(work.compact());
  collection_is_next_ = step.compaction.state == CompactionState::kDone;
  if (is_due && step.compaction.state == CompactionState::kNothing) TRY(collect(work, now, step));
  return step;
}

Result<void> UpkeepTurns::collect(const UpkeepWork& work, const UpkeepTime& now, UpkeepStep& step) {
  constexpr std::int64_t kRoundsApartUs = 60'000'000;
  constexpr std::int64_t kSnapshotsApart = 10'000;
  constexpr std::int64_t kMany = 1'000;
  const CollectionStep collected = TRY(work.collect());
  step.collection = collected;
  round_.snapshots += collected.snapshots;
  round_.deleted += collected.deleted;
  if (collected.more) return {};
  const bool is_behind = round_.snapshots > kMany;
  next_round_ = {.us = now.us + (is_behind ? 0 : kRoundsApartUs),
                 .newest = SnapshotId{number(now.newest) + kSnapshotsApart}};
  step.round = std::exchange(round_, {});
  return {};
}

}  // namespace lockstep
