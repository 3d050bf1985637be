// Compaction: rows move from the catalog into files, and nothing that a snapshot reads changes
// (hub-8).
#include "hub/hub_support.h"
#include "hub/moved_rows.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace lockstep {
namespace {

constexpr CompactionLimits kAtOnce{.rows_min = 1, .rows_max = 1'000, .older_rows_min = 1};
constexpr CompactionLimits kBeside{
    .rows_min = 1, .rows_max = 1'000, .older_rows_min = 1, .background = true};

SnapshotId put(Hub& hub, const Batch& rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, rows});
  return *must(hub.commit(request)).snapshot;
}

Batch joined(const Batch& first, const Batch& second) {
  const std::vector<Batch> both = {first, second};
  return must(concatenate(first.schema(), both));
}

Batch update(std::int64_t id, double from, double to) {
  return joined(numbered_rows(id, id + 1, -1, from), numbered_rows(id, id + 1, 1, to));
}

std::unique_ptr<Hub> hub_with_rows(HubPlayground& ground, std::int64_t row_count) {
  auto hub = ground.open();
  CommitRequest request;
  request.create.push_back(small_table());
  request.changes.push_back({small_table().name, numbered_rows(0, row_count)});
  must(hub->commit(request));
  return hub;
}

std::int64_t inlined_rows(Hub& hub) {
  std::int64_t rows = 0;
  for (const InlinedUse& use : must(hub.inlined_use()))
    rows += use.rows;
  return rows;
}

CompactionStep finish(Hub& hub) {
  CompactionStep step = must(hub.compact(kBeside));
  while (step.state == CompactionState::kUnderway)
    step = must(hub.compact(kBeside));
  return step;
}

TEST(Compaction, PutsEachVersionOfARowIntoAnotherFile) {
  // Row 7 came in 2, and anew in 4 and 5; row 8 once.
  const auto groups = generations({7, 8, 7, 7}, {2, 2, 4, 5});
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[0], (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(groups[1], (std::vector<std::int64_t>{2}));
  EXPECT_EQ(groups[2], (std::vector<std::int64_t>{0}));
}

TEST(Compaction, MovesInlinedRowsAndLeavesEverySnapshotAsItWas) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  const SnapshotId first = hub->latest_snapshot();
  const SnapshotId second = put(*hub, update(3, 0.5, 2));
  const SnapshotId third = put(*hub, numbered_rows(4, 5, -1));
  const Batch at_first = must(hub->read(small_table().name, first));
  const Batch changes = must(hub->changes(small_table().name, first, third));
  const CompactionStep step = must(hub->compact(kAtOnce));
  EXPECT_EQ(step.state, CompactionState::kDone);
  EXPECT_EQ(step.rows, 21);
  EXPECT_EQ(step.files, 2);
  EXPECT_EQ(inlined_rows(*hub), 0);
  EXPECT_EQ(must(hub->row_count(small_table().name, first)), 20);
  EXPECT_EQ(must(hub->row_count(small_table().name, third)), 19);
  EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())), 19);
  EXPECT_TRUE(must(hub->changes(small_table().name, first, third)).equals(changes));
  EXPECT_EQ(must(hub->changes(small_table().name, third, hub->latest_snapshot())).row_count(), 0);
  EXPECT_EQ(must(hub->read(small_table().name, first)).row_count(), at_first.row_count());
  EXPECT_EQ(must(hub->changes(small_table().name, second, third)).row_count(), 1);
  EXPECT_EQ(must(hub->compact(kAtOnce)).state, CompactionState::kNothing);
  const auto commit = must(hub->commits({.count = 1})).front();
  EXPECT_EQ(commit.kind, CommitKind::kMaintenance);
}

TEST(Compaction, FollowsWhatChangesWhileItIsUnderway) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 10);
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  const SnapshotId during = put(*hub, joined(update(3, 0.5, 2), numbered_rows(5, 6, -1)));
  const CompactionStep step = finish(*hub);
  ASSERT_EQ(step.state, CompactionState::kDone);
  EXPECT_GE(step.rows, 10);
  EXPECT_EQ(must(hub->row_count(small_table().name, during)), 9);
  EXPECT_EQ(must(hub->row_count(small_table().name, SnapshotId{number(during) - 1})), 10);
  // The rows that moved are found, and can change again.
  put(*hub, joined(update(7, 0.5, 3), update(3, 2, 4)));
  put(*hub, numbered_rows(3, 4, -1, 4));
  EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())), 8);
  hub.reset();
  hub = ground.open();
  const auto found = must(hub->lookup(small_table().name, numbered_rows(0, 10)));
  EXPECT_EQ(found.rows.row_count(), 8);
}

TEST(Compaction, GoesOnWhereAnEarlierOneLeftNothing) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 10);
  for (std::int64_t id = 10; id < 16; id += 2) {
    EXPECT_EQ(must(hub->compact(kAtOnce)).state, CompactionState::kDone);
    EXPECT_EQ(inlined_rows(*hub), 0);
    put(*hub, numbered_rows(id, id + 2));
  }
  EXPECT_EQ(must(hub->compact(kAtOnce)).rows, 2);
}

TEST(Compaction, OfATableThatWasDroppedMeanwhileMovesNothing) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 10);
  const SnapshotId before = hub->latest_snapshot();
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  CommitRequest request;
  request.drop.push_back(small_table().name);
  must(hub->commit(request));
  EXPECT_EQ(finish(*hub).rows, 0);
  EXPECT_EQ(must(hub->read(small_table().name, before)).row_count(), 10);
}

TEST(Compaction, WhatNobodyFinishesLeavesNoFile) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 10);
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  hub.reset();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(ground.folder() + "/data")) {
    EXPECT_TRUE(entry.is_directory()) << entry.path();
  }
}

// As a transaction has time for: earlier ends go into a delete file, and later ones beside it.
TEST(Compaction, PutsManyDeadRowsIntoADeleteFile) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 300);
  const SnapshotId first = hub->latest_snapshot();
  const SnapshotId second = put(*hub, numbered_rows(20, 180, -1));
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  const SnapshotId third = put(*hub, numbered_rows(190, 195, -1));
  EXPECT_EQ(finish(*hub).rows, 300);
  EXPECT_EQ(inlined_rows(*hub), 0);
  int delete_files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(ground.folder() + "/data")) {
    delete_files += entry.path().string().ends_with("-delete.parquet") ? 1 : 0;
  }
  EXPECT_EQ(delete_files, 1);
  EXPECT_EQ(must(hub->row_count(small_table().name, first)), 300);
  EXPECT_EQ(must(hub->row_count(small_table().name, second)), 140);
  EXPECT_EQ(must(hub->row_count(small_table().name, third)), 135);
  EXPECT_EQ(must(hub->read(small_table().name, second)).row_count(), 140);
  EXPECT_EQ(must(hub->changes(small_table().name, first, second)).row_count(), 160);
  EXPECT_EQ(must(hub->changes(small_table().name, second, third)).row_count(), 5);
  hub.reset();
  hub = ground.open();
  const auto found = must(hub->lookup(small_table().name, numbered_rows(0, 300)));
  EXPECT_EQ(found.rows.row_count(), 135);
}

// Another program can put a date there that no column of the hub holds.
TEST(Compaction, LeavesADeadRowThatCannotBeReadWhereItIs) {
  HubPlayground ground;
  auto hub = ground.open();
  const auto row = [](std::int64_t id) {
    return std::vector<Value>{id, Value{}, Value{}, Value{}, Date{20'000}, Value{}};
  };
  CommitRequest request;
  request.create.push_back(all_types());
  request.changes.push_back({all_types().name, batch_of(all_types().schema, {row(1), row(2)})});
  must(hub->commit(request));
  CommitRequest gone;
  gone.changes.push_back({all_types().name, batch_of(all_types().schema, {row(1)}, {-1})});
  must(hub->commit(gone));
  hub.reset();
  {
    const auto catalog =
        must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kWrite));
    const Cell name = must(catalog->single("SELECT table_name FROM ducklake_inlined_data_tables"));
    const auto transaction = must(catalog->begin());
    must(catalog->execute("UPDATE " + quote_identifier(std::get<std::string>(name)) +
                          " SET day = 'infinity' WHERE end_snapshot IS NOT NULL"));
    must(transaction->commit());
  }
  hub = ground.open();
  EXPECT_EQ(must(hub->compact(kAtOnce)).rows, 1);
  EXPECT_EQ(must(hub->compact(kAtOnce)).state, CompactionState::kNothing);
  EXPECT_EQ(inlined_rows(*hub), 1);
  EXPECT_EQ(must(hub->read(all_types().name, hub->latest_snapshot())).row_count(), 1);
  while (must(hub->collect({.policy = {.snapshots_max = 1, .then_us = 0}, .grace_us = 0})).more) {
  }
  EXPECT_EQ(inlined_rows(*hub), 0) << "no snapshot has it any more";
}

// Fails at each file operation in turn: before and after, every snapshot is as it was.
TEST(Compaction, ThatFailsAtAnyOperationMovesAllOrNothing) {  // hub-1, hub-8
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 4);
  const SnapshotId first = hub->latest_snapshot();
  std::int64_t rows = 4;
  for (int fail_at = 1;; ++fail_at) {
    put(*hub, numbered_rows(rows, rows + 3));
    rows += 3;
    int seen = 0;
    ground.io().observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++seen == fail_at) return make_error(Code::kIo, "the test's disk failed");
      return {};
    });
    const auto done = hub->compact(kAtOnce);
    ground.io().observe({});
    hub.reset();
    hub = ground.open();
    EXPECT_EQ(must(hub->read(small_table().name, hub->latest_snapshot())).row_count(), rows)
        << fail_at;
    EXPECT_EQ(must(hub->read(small_table().name, first)).row_count(), 4) << fail_at;
    const auto found = must(hub->lookup(small_table().name, numbered_rows(0, rows)));
    EXPECT_EQ(found.rows.row_count(), rows) << fail_at;
    if (seen < fail_at) {
      EXPECT_TRUE(done.ok());
      EXPECT_GT(fail_at, 5);
      break;
    }
    ASSERT_LT(fail_at, 200);
  }
}

}  // namespace
}  // namespace lockstep
