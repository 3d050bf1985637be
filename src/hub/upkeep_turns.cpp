#include "hub/upkeep.h"

#include <utility>

namespace lockstep {

Result<UpkeepStep> UpkeepTurns::step(const UpkeepWork& work, std::int64_t now_us) {
  UpkeepStep step;
  const bool is_due = now_us >= next_round_us_;
  if (is_due && std::exchange(collection_is_next_, false)) {
    TRY(collect(work, now_us, step));
    return step;
  }
  step.compaction = TRY(work.compact());
  collection_is_next_ = step.compaction.state == CompactionState::kDone;
  if (is_due && step.compaction.state == CompactionState::kNothing)
    TRY(collect(work, now_us, step));
  return step;
}

Result<void> UpkeepTurns::collect(const UpkeepWork& work, std::int64_t now_us, UpkeepStep& step) {
  constexpr std::int64_t kRoundsApartUs = 60'000'000;
  constexpr std::int64_t kMany = 1'000;
  const CollectionStep collected = TRY(work.collect());
  step.collection = collected;
  round_.snapshots += collected.snapshots;
  round_.deleted += collected.deleted;
  if (collected.more) return {};
  next_round_us_ = now_us + (round_.snapshots > kMany ? 0 : kRoundsApartUs);
  step.round = std::exchange(round_, {});
  return {};
}

}  // namespace lockstep
