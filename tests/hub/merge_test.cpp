// Merging of files: many become one, and nothing that a snapshot reads changes (hub-8).
#include "hub/change_scan.h"
#include "hub/compact_merge.h"
#include "hub/hub_support.h"
#include "hub/inspect.h"
#include "hub/table_scan.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

namespace lockstep {
namespace {

// Every commit makes a file, and three files of a size become one.
constexpr HubOptions kFiles{.inline_rows_max = 0};
constexpr CompactionLimits kAtOnce{
    .rows_min = 1, .rows_max = 1'000, .older_rows_min = 1, .files_min = 3};
constexpr CompactionLimits kBeside{
    .rows_min = 1, .rows_max = 1'000, .older_rows_min = 1, .files_min = 3, .background = true};

SnapshotId put(Hub& hub, const Batch& rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, rows});
  return *must(hub.commit(request)).snapshot;
}

Batch update(std::int64_t first, std::int64_t end, double from, double to) {
  const std::vector<Batch> both = {numbered_rows(first, end, -1, from),
                                   numbered_rows(first, end, 1, to)};
  return must(concatenate(both[0].schema(), both));
}

std::unique_ptr<Hub> hub_with_table(HubPlayground& ground) {
  auto hub = ground.open(kFiles);
  CommitRequest request;
  request.create.push_back(small_table());
  must(hub->commit(request));
  return hub;
}

std::int64_t file_count(Hub& hub) {
  return must(hub.disk_use()).data_files;
}

std::int64_t files_on_disk(const HubPlayground& ground) {
  std::int64_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(ground.folder() + "/data"))
    count += entry.path().extension() == ".parquet" ? 1 : 0;
  return count;
}

// All that can be read, in an order of its own.
std::vector<std::string> everything(Hub& hub, std::int64_t newest) {
  std::vector<std::string> all;
  const auto add = [&](const Batch& rows) {
    std::string text;
    const Batch sorted = must(in_key_order(rows, {0}));
    for (std::int64_t row = 0; row < sorted.row_count(); ++row) {
      text += sorted.sign(row) < 0 ? '-' : '+';
      append_row_bytes(sorted, row, text);
    }
    all.push_back(text);
  };
  for (std::int64_t at = 2; at <= newest; ++at) {
    add(must(hub.read(small_table().name, SnapshotId{at})));
    all.push_back(std::to_string(must(hub.row_count(small_table().name, SnapshotId{at}))));
    for (std::int64_t from = 2; from <= newest; ++from)
      add(must(hub.changes(small_table().name, SnapshotId{from}, SnapshotId{at})));
  }
  return all;
}

std::int64_t found(Hub& hub, std::int64_t first, std::int64_t end) {
  return must(hub.lookup(small_table().name, numbered_rows(first, end))).rows.row_count();
}

CompactionStep finish(Hub& hub) {
  CompactionStep step = must(hub.compact(kBeside));
  while (step.state == CompactionState::kUnderway)
    step = must(hub.compact(kBeside));
  return step;
}

// Deletes of files' rows that stand in the catalog.
std::int64_t inlined_deletes(const HubPlayground& ground, Io& io) {
  const auto catalog =
      must(open_sqlite(io, ground.folder() + "/catalog.sqlite", CatalogMode::kRead));
  const Cell table =
      must(catalog->single("SELECT table_id FROM ducklake_table WHERE end_snapshot IS NULL"));
  const Cell count = must(catalog->single("SELECT count(*) FROM " +
                                          inlined_deletes_name(std::get<std::int64_t>(table))));
  return std::get<std::int64_t>(count);
}

void compact_all(Hub& hub, const CompactionLimits& limits = kAtOnce) {
  while (must(hub.compact(limits)).state != CompactionState::kNothing) {
  }
}

TEST(Merge, TakesTheOldestFilesOfTheLowestSizeThatHasEnough) {
  LakeTable table;
  table.begin = 5;
  table.columns.resize(3);
  std::map<std::int64_t, DataFile> files;
  const auto add = [&](std::int64_t id, std::int64_t begin, std::int64_t row_count) {
    DataFile& file = files[id];
    file.id = id;
    file.begin = begin;
    file.row_count = row_count;
  };
  const auto chosen = [&](std::int64_t count, const std::set<std::int64_t>& passed_over = {}) {
    std::vector<std::int64_t> ids;
    for (const DataFile& file : files_to_merge(files, table, passed_over, count))
      ids.push_back(file.id);
    return ids;
  };
  using Ids = std::vector<std::int64_t>;
  add(1, 4, 10);  // from before the table was altered
  add(2, 5, 999);
  add(3, 5, 100);
  add(4, 5, 1'000);
  add(5, 6, 10);
  add(6, 6, 99);
  EXPECT_EQ(chosen(3), Ids{});
  add(7, 7, 100);
  EXPECT_EQ(chosen(3), (Ids{2, 3, 7}));
  add(8, 7, 50);
  EXPECT_EQ(chosen(3), (Ids{5, 6, 8}));
  EXPECT_EQ(chosen(3, {6}), (Ids{2, 3, 7}));
  EXPECT_EQ(chosen(4), Ids{});
  for (std::int64_t id = 10; id < 13; ++id)
    add(id, 8, kMergedRowsMax);
  EXPECT_EQ(chosen(3, {5, 2}), Ids{});
}

TEST(Merge, PutsFilesIntoOneAndLeavesEverySnapshotAsItWas) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  put(*hub, numbered_rows(0, 20));
  put(*hub, numbered_rows(20, 40));
  put(*hub, numbered_rows(5, 9, -1));
  put(*hub, update(10, 13, 0.5, 2));
  put(*hub, numbered_rows(40, 70));
  const SnapshotId last = put(*hub, update(11, 12, 2, 3));
  const auto before = everything(*hub, number(last));
  const std::int64_t files = file_count(*hub);
  compact_all(*hub);
  EXPECT_LT(file_count(*hub), files);
  EXPECT_EQ(everything(*hub, number(last)), before);
  EXPECT_EQ(must(hub->commits({.count = 1})).front().kind, CommitKind::kMaintenance);
  EXPECT_EQ(found(*hub, 0, 100), 66);
  // Rows that moved change like any other.
  put(*hub, update(0, 2, 0.5, 7));
  put(*hub, numbered_rows(12, 13, -1, 2));
  EXPECT_EQ(everything(*hub, number(last)), before);
  const auto after = everything(*hub, number(hub->latest_snapshot()));
  hub.reset();
  hub = ground.open(kFiles);
  EXPECT_EQ(found(*hub, 0, 100), 65);
  EXPECT_EQ(everything(*hub, number(hub->latest_snapshot())), after);
}

TEST(Merge, FollowsWhatChangesWhileItIsUnderway) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 60; first += 20)
    put(*hub, numbered_rows(first, first + 20));
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  put(*hub, numbered_rows(5, 9, -1));
  put(*hub, update(30, 40, 0.5, 2));
  const SnapshotId during = put(*hub, numbered_rows(100, 105));
  EXPECT_EQ(found(*hub, 0, 200), 61);
  const auto before = everything(*hub, number(during));
  const CompactionStep step = finish(*hub);
  EXPECT_EQ(step.rows, 60);
  EXPECT_EQ(step.files, 1);
  EXPECT_EQ(everything(*hub, number(during)), before);
  EXPECT_EQ(found(*hub, 0, 200), 61);
  put(*hub, update(0, 5, 0.5, 2));
  put(*hub, numbered_rows(30, 31, -1, 2));
  EXPECT_EQ(everything(*hub, number(during)), before);
  hub.reset();
  hub = ground.open(kFiles);
  EXPECT_EQ(found(*hub, 0, 200), 60);
  EXPECT_EQ(everything(*hub, number(during)), before);
}

// More than a transaction has time to move: they go into the merged file's delete file too.
TEST(Merge, CatchesUpWithDeletesThatComeWhileItIsUnderway) {  // hub-8
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 600; first += 200)
    put(*hub, numbered_rows(first, first + 200));
  // The thread waits before its first file until the deletes are there.
  std::promise<void> deleted;
  const std::shared_future<void> wait = deleted.get_future().share();
  const auto here = std::this_thread::get_id();
  ground.io().observe([&](IoOperation, std::string_view path) -> Result<void> {
    if (std::this_thread::get_id() != here && path.ends_with(".parquet")) wait.wait();
    return {};
  });
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  put(*hub, numbered_rows(10, 250, -1));
  put(*hub, update(300, 310, 0.5, 2));
  put(*hub, numbered_rows(590, 595, -1));
  deleted.set_value();
  const auto before = everything(*hub, number(hub->latest_snapshot()));
  EXPECT_EQ(finish(*hub).rows, 600);
  ground.io().observe({});
  EXPECT_EQ(everything(*hub, number(hub->latest_snapshot()) - 1), before);
  while (must(hub->compact({.rows_min = 1'000'000, .files_min = 0})).state !=
         CompactionState::kNothing) {
  }
  EXPECT_LE(inlined_deletes(ground, ground.io()), 100);
  EXPECT_EQ(found(*hub, 0, 600), 355);
}

// Those of a file that no merge takes would gather in the catalog.
TEST(Merge, MovesManyDeletesOfAFileToADeleteFile) {  // hub-8
  HubPlayground ground;
  const HubOptions options{.inline_rows_max = 0, .inlined_deletes_max = 6};
  CompactionLimits limits = kAtOnce;
  limits.rows_max = 4;
  auto hub = hub_with_table(ground);
  put(*hub, numbered_rows(0, 40));
  hub.reset();
  hub = ground.open(options);
  put(*hub, numbered_rows(0, 5, -1));
  compact_all(*hub, limits);
  EXPECT_EQ(inlined_deletes(ground, ground.io()), 5) << "few may stay";
  for (std::int64_t row = 5; row < 30; row += 5) {
    put(*hub, numbered_rows(row, row + 3, -1));
    put(*hub, update(row + 3, row + 5, 0.5, 2));
    const SnapshotId last = hub->latest_snapshot();
    const auto before = everything(*hub, number(last));
    compact_all(*hub, limits);
    EXPECT_LT(inlined_deletes(ground, ground.io()), 6);
    EXPECT_EQ(everything(*hub, number(last)), before);
    EXPECT_EQ(found(*hub, 0, 40), 35 - 3 * row / 5);
  }
  hub.reset();
  EXPECT_EQ(
      must(ground.open(options)->lookup(small_table().name, numbered_rows(0, 40))).rows.row_count(),
      20);
  for (const Finding& finding : must(inspect_hub(ground.io(), ground.place())))
    EXPECT_EQ(finding.level, FindingLevel::kOk) << finding.message;
}

// The files of the index as a crash right behind the merge leaves them: from before it.
TEST(Merge, IsReplayedByAnIndexFromBeforeIt) {  // hub-7
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 15'000; first += 5'000)
    put(*hub, numbered_rows(first, first + 5'000));
  hub.reset();
  const std::string index = ground.folder() + "/catalog.sqlite.index";
  std::filesystem::copy(index, ground.folder() + "/index-before");
  hub = ground.open(kFiles);
  put(*hub, numbered_rows(7, 9, -1));
  compact_all(*hub);
  put(*hub, update(20, 30, 0.5, 2));
  hub.reset();
  std::filesystem::remove_all(index);
  std::filesystem::rename(ground.folder() + "/index-before", index);
  hub = ground.open(kFiles);
  EXPECT_EQ(found(*hub, 0, 20'000), 14'998);
  put(*hub, update(4'000, 6'000, 0.5, 2));
  EXPECT_EQ(found(*hub, 0, 20'000), 14'998);
}

TEST(Merge, FollowsALargeCommitThatOvertakesIt) {
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 60; first += 20)
    put(*hub, numbered_rows(first, first + 20));
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  put(*hub, numbered_rows(100, 100 + 17'000));  // goes to the index at once
  put(*hub, numbered_rows(10, 20, -1));
  EXPECT_EQ(finish(*hub).files, 1);
  EXPECT_EQ(found(*hub, 0, 100), 50);
  compact_all(*hub);
  EXPECT_EQ(file_count(*hub), 2);
  EXPECT_EQ(found(*hub, 0, 200), 150);
  EXPECT_EQ(must(hub->lookup(small_table().name, numbered_rows(10, 20))).rows.row_count(), 0);
}

TEST(Merge, OfATableThatWasDroppedMeanwhileMovesNothing) {
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 60; first += 20)
    put(*hub, numbered_rows(first, first + 20));
  const SnapshotId before = hub->latest_snapshot();
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  CommitRequest request;
  request.drop.push_back(small_table().name);
  must(hub->commit(request));
  EXPECT_EQ(finish(*hub).files, 0);
  EXPECT_EQ(must(hub->read(small_table().name, before)).row_count(), 60);
  EXPECT_EQ(files_on_disk(ground), 3);
}

TEST(Merge, ThatNobodyFinishesLeavesNoFile) {
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 60; first += 20)
    put(*hub, numbered_rows(first, first + 20));
  ASSERT_EQ(must(hub->compact(kBeside)).state, CompactionState::kUnderway);
  hub.reset();
  EXPECT_EQ(files_on_disk(ground), 3);
  hub = ground.open(kFiles);
  EXPECT_EQ(found(*hub, 0, 100), 60);
}

// Versions of the same rows cannot lie in one file, so that merging would make no fewer.
TEST(Merge, OfVersionsOfTheSameRowsIsNotWorthIt) {
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  put(*hub, numbered_rows(0, 10));
  for (int version = 0; version < 5; ++version)
    put(*hub, update(0, 10, version == 0 ? 0.5 : version, version + 1));
  const std::int64_t files = file_count(*hub);
  compact_all(*hub);
  EXPECT_EQ(file_count(*hub), files);
  EXPECT_EQ(files_on_disk(ground), files);
}

TEST(Merge, LeavesOutRowsThatNoSnapshotHasAndItsFilesGo) {  // hub-12
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  for (std::int64_t first = 0; first < 60; first += 20)
    put(*hub, numbered_rows(first, first + 20));
  put(*hub, numbered_rows(0, 19, -1));
  put(*hub, numbered_rows(30, 50, -1));
  const CollectionLimits limits{.policy = {.snapshots_max = 1, .then_us = 0}, .grace_us = 0};
  while (must(hub->collect(limits)).more) {
  }
  compact_all(*hub);
  EXPECT_EQ(file_count(*hub), 1);
  while (must(hub->collect(limits)).more) {
  }
  EXPECT_EQ(files_on_disk(ground), 1);
  EXPECT_EQ(must(hub->read(small_table().name, hub->latest_snapshot())).row_count(), 21);
  EXPECT_EQ(found(*hub, 0, 100), 21);
  hub.reset();
  for (const Finding& finding : must(inspect_hub(ground.io(), ground.place())))
    EXPECT_EQ(finding.level, FindingLevel::kOk) << finding.message;
}

TEST(Merge, WritesAFileAnewOnceHalfOfItsRowsAreInNoSnapshot) {  // hub-12
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  const CollectionLimits limits{.policy = {.snapshots_max = 1, .then_us = 0}, .grace_us = 0};
  const auto collect = [&] {
    while (must(hub->collect(limits)).more) {
    }
  };
  const auto rows_in_files = [&] {
    std::int64_t rows = 0;
    for (CompactionStep step = must(hub->compact(kAtOnce)); step.state != CompactionState::kNothing;
         step = must(hub->compact(kAtOnce)))
      rows += step.rows;
    return rows;
  };
  put(*hub, numbered_rows(0, 20));
  put(*hub, numbered_rows(0, 9, -1));
  collect();
  EXPECT_EQ(rows_in_files(), 0);
  put(*hub, numbered_rows(9, 10, -1));
  EXPECT_EQ(rows_in_files(), 0) << "a snapshot still has that row";
  collect();
  EXPECT_EQ(rows_in_files(), 10);
  EXPECT_EQ(found(*hub, 0, 20), 10);
  // In two parts, since a file whose rows leave at once ends.
  put(*hub, numbered_rows(10, 15, -1));
  put(*hub, numbered_rows(15, 20, -1));
  collect();
  EXPECT_EQ(rows_in_files(), 0);
  EXPECT_EQ(file_count(*hub), 0);
  collect();
  EXPECT_EQ(files_on_disk(ground), 0);
}

// Fails at each file operation in turn: before and after, every snapshot is as it was.
TEST(Merge, ThatFailsAtAnyOperationMovesAllOrNothing) {  // hub-1, hub-8
  HubPlayground ground;
  auto hub = hub_with_table(ground);
  std::int64_t rows = 0;
  for (int fail_at = 1;; ++fail_at) {
    for (int files = 0; files < 3; ++files, rows += 3)
      put(*hub, numbered_rows(rows, rows + 3));
    put(*hub, numbered_rows(rows - 1, rows, -1));
    put(*hub, numbered_rows(rows - 1, rows));
    const SnapshotId last = hub->latest_snapshot();
    int seen = 0;
    ground.io().observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++seen == fail_at) return make_error(Code::kIo, "the test's disk failed");
      return {};
    });
    const auto done = hub->compact(kAtOnce);
    ground.io().observe({});
    hub.reset();
    hub = ground.open(kFiles);
    EXPECT_EQ(must(hub->read(small_table().name, last)).row_count(), rows) << fail_at;
    EXPECT_EQ(must(hub->read(small_table().name, hub->latest_snapshot())).row_count(), rows);
    EXPECT_EQ(found(*hub, 0, rows), rows) << fail_at;
    if (seen < fail_at) {
      EXPECT_TRUE(done.ok());
      EXPECT_GT(fail_at, 20);
      break;
    }
    ASSERT_LT(fail_at, 400);
    compact_all(*hub);
  }
}

}  // namespace
}  // namespace lockstep
