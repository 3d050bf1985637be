// Compaction and collection take turns.
#include "hub/upkeep.h"

#include <gtest/gtest.h>

#include <string>

namespace lockstep {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;

// Does what it is told, and writes down who was asked: c for compaction, g for collection.
struct Work {
  CompactionState state = CompactionState::kNothing;
  CollectionStep collected;
  std::string asked;
  UpkeepTurns turns;

  UpkeepStep step(std::int64_t now_us = 0, std::int64_t newest = 0) {
    return turns
        .step({.compact =
                   [this] {
                     asked += 'c';
                     return Result<CompactionStep>(CompactionStep{.state = state, .table = {}});
                   },
               .collect =
                   [this] {
                     asked += 'g';
                     return Result<CollectionStep>(collected);
                   }},
              {.us = now_us, .newest = SnapshotId{newest}})
        .value();
  }
};

TEST(UpkeepTurns, CollectionComesWhereNothingIsToBeCompacted) {
  Work work;
  EXPECT_TRUE(work.step().round);
  EXPECT_FALSE(work.step(kMinuteUs - 1).collection);
  EXPECT_TRUE(work.step(kMinuteUs).collection);
  EXPECT_EQ(work.asked, "cgccg");
}

TEST(UpkeepTurns, CollectionComesThoughThereIsAlwaysSomethingToCompact) {
  Work work;
  work.collected = {.more = true, .snapshots = 400};
  for (int piece = 0; piece < 4; ++piece) {
    work.state = CompactionState::kUnderway;
    work.step();
    work.state = CompactionState::kDone;
    work.step();
  }
  work.step();
  EXPECT_EQ(work.asked, "ccgcgcgcg");
}

TEST(UpkeepTurns, CollectionComesSoonerWhereManySnapshotsAreMade) {
  Work work;
  EXPECT_TRUE(work.step(0, 5).round);
  EXPECT_FALSE(work.step(1, 10'004).collection);
  EXPECT_TRUE(work.step(1, 10'005).round);
  EXPECT_FALSE(work.step(1, 10'006).collection);
}

TEST(UpkeepTurns, AnotherRoundFollowsOneThatRemovedMuch) {
  Work work;
  work.collected = {.more = true, .snapshots = 400};
  for (int step = 0; step < 3; ++step)
    EXPECT_FALSE(work.step().round);
  work.collected = {.more = false};
  EXPECT_EQ(work.step().round->snapshots, 1'200);
  EXPECT_EQ(work.step().round->snapshots, 0);
  EXPECT_FALSE(work.step().collection);
}

}  // namespace
}  // namespace lockstep
