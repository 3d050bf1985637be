// The promises of hub.h, one by one: hub-1 under failures, hub-3, hub-5, hub-6.
#include "hub/hub_support.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace lockstep {
namespace {

CommitRequest with_table(std::int64_t row_count) {
  CommitRequest request;
  request.create.push_back(small_table());
  request.changes.push_back({small_table().name, numbered_rows(0, row_count)});
  return request;
}

CommitRequest change_of(Batch rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, std::move(rows)});
  return request;
}

Batch joined(const Batch& first, const Batch& second) {
  const std::vector<Batch> both = {first, second};
  return must(concatenate(first.schema(), both));
}

TEST(HubPromises, AKeyThatIsThereOrIsNotFailsTheWholeCommit) {  // hub-3
  HubPlayground ground;
  auto hub = ground.open();
  must(hub->commit(with_table(10)));
  const SnapshotId before = hub->latest_snapshot();

  struct Case {
    Batch rows;
    const char* message;
  };

  const Case cases[] = {
      {joined(numbered_rows(10, 11), numbered_rows(3, 4)),
       "raw.vitals: id=3 is to enter, but is there already"},
      {numbered_rows(10, 11, -1), "raw.vitals: id=10 is to leave, but is not there"},
      {joined(numbered_rows(10, 11), numbered_rows(10, 11)),
       "raw.vitals: id=10 enters twice in one commit"},
      {joined(numbered_rows(1, 2, -1), numbered_rows(1, 2, -1)),
       "raw.vitals: id=1 leaves twice in one commit"},
  };
  for (const Case& wrong : cases) {
    const auto done = hub->commit(change_of(wrong.rows));
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Code::kInvalid);
    EXPECT_EQ(done.error().message, wrong.message);
    EXPECT_EQ(hub->latest_snapshot(), before);
    EXPECT_TRUE(must(hub->read(small_table().name, before)).equals(numbered_rows(0, 10)));
  }
}

TEST(HubPromises, ASecondWriterIsToldWhoHoldsTheHub) {  // hub-5
  HubPlayground ground;
  const auto first = ground.open();
  const auto second = Hub::open(ground.io(), ground.place(), HubMode::kWrite);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kLocked);
  EXPECT_NE(second.error().message.find(std::to_string(ground.io().process_id())),
            std::string::npos);
  EXPECT_TRUE(Hub::open(ground.io(), ground.place(), HubMode::kRead).ok());
}

TEST(HubPromises, AWriterThatLostItsEpochCommitsNothingMore) {  // hub-5
  HubPlayground ground;
  auto hub = ground.open();
  must(hub->commit(with_table(1)));
  const auto other =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kWrite));
  RecordStore records(*other);
  must(records.put_epoch(must(records.epoch()) + 1));
  const auto done = hub->commit(change_of(numbered_rows(5, 6)));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kLocked);
  EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())), 1);
}

TEST(HubPromises, ASnapshotOfSomebodyElseStopsTheWriter) {  // hub-5
  HubPlayground ground;
  auto hub = ground.open();
  must(hub->commit(with_table(1)));
  const auto other =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kWrite));
  LakeSnapshot foreign = must(newest_snapshot(*other));
  ++foreign.id;
  must(insert_snapshot(*other, foreign, {"", "", ""}));
  const auto done = hub->commit(change_of(numbered_rows(5, 6)));
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kRefused);
  hub.reset();
  const auto again = Hub::open(ground.io(), ground.place(), HubMode::kWrite);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kRefused);
}

TEST(HubPromises, TimesRiseWithinOneMicrosecond) {  // hub-6
  HubPlayground ground;
  auto hub = ground.open();
  Timestamp last = must(hub->commit(with_table(1))).time;
  for (std::int64_t id = 1; id < 6; ++id) {
    const Timestamp time =
        must(hub->commit(id % 2 == 0 ? CommitRequest{} : change_of(numbered_rows(id, id + 1))))
            .time;
    EXPECT_GT(time, last);
    last = time;
  }
}

TEST(HubPromises, ACommitWithoutRowsMakesNoSnapshot) {
  HubPlayground ground;
  auto hub = ground.open();
  const SnapshotId before = hub->latest_snapshot();
  CommitRequest request;
  request.positions["clinic"] = {{"", "0/16B3748"}};
  EXPECT_FALSE(must(hub->commit(request)).snapshot.has_value());
  EXPECT_EQ(hub->latest_snapshot(), before);
  EXPECT_EQ(must(hub->positions()).at("clinic").at(""), "0/16B3748");
}

TEST(HubPromises, AReaderSeesOneStateOfRowsAndRecordsUntilItRefreshes) {
  HubPlayground ground;
  auto writer = ground.open();
  const auto reader = must(Hub::open(ground.io(), ground.place(), HubMode::kRead));
  const std::size_t commits = must(reader->commits({.count = 100})).size();
  CommitRequest request;
  request.positions["clinic"] = {{"", "1"}};
  must(writer->commit(request));
  EXPECT_EQ(must(reader->commits({.count = 100})).size(), commits);
  EXPECT_TRUE(must(reader->positions()).empty());
  ASSERT_TRUE(reader->refresh().ok());
  EXPECT_EQ(must(reader->commits({.count = 100})).size(), commits + 1);
  EXPECT_EQ(must(reader->positions()).size(), 1U);
}

TEST(HubPromises, ThereIsNoHubWhereNoneWasMadeAndNoSecondOne) {
  HubPlayground ground;
  const auto none = Hub::open(ground.io(),
                              {"sqlite:" + ground.folder() + "/other.sqlite", ground.folder()},
                              HubMode::kRead);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::kNoHub);
  const auto second = Hub::create(ground.io(), ground.place(), "");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kRefused);
}

std::int64_t parquet_files(const HubPlayground& ground) {
  std::int64_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(ground.folder())) {
    count += entry.path().extension() == ".parquet" ? 1 : 0;
  }
  return count;
}

// Fails the commit at each of its file operations in turn: all of it is there afterwards, or none
// (hub-1).
TEST(HubPromises, ACommitThatFailsAtAnyOperationIsThereWholeOrNotAtAll) {
  HubPlayground ground;
  const HubOptions options{.inline_rows_max = 5, .log_bytes_max = 1 << 24};
  auto hub = ground.open(options);
  must(hub->commit(with_table(3)));
  std::int64_t rows = 3;
  for (int fail_at = 1;; ++fail_at) {
    const SnapshotId before = hub->latest_snapshot();
    CommitRequest request = change_of(numbered_rows(rows, rows + 8));
    request.positions["source"] = {{"", std::to_string(fail_at)}};
    int seen = 0;
    ground.io().observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++seen == fail_at) return make_error(Code::kIo, "the test's disk failed");
      return {};
    });
    const auto done = hub->commit(request);
    ground.io().observe({});
    hub.reset();
    hub = ground.open(options);
    const bool stored = hub->latest_snapshot() != before;
    EXPECT_TRUE(stored || !done.ok());
    if (stored) rows += 8;
    EXPECT_EQ(must(hub->positions())["source"][""] == std::to_string(fail_at), stored);
    EXPECT_TRUE(must(hub->read(small_table().name, hub->latest_snapshot())).row_count() == rows)
        << fail_at;
    if (seen < fail_at) {
      EXPECT_TRUE(done.ok());
      EXPECT_GT(fail_at, 5);
      break;
    }
    ASSERT_LT(fail_at, 200);
  }
  // A commit that ended half-way may leave its file, which no row names; nothing else may.
  EXPECT_LE(must(hub->disk_use()).data_files, parquet_files(ground));
}

TEST(HubPromises, AStateFileComesBackUnlessItIsBroken) {
  HubPlayground ground;
  auto hub = ground.open();
  must(hub->commit(with_table(1)));
  CheckpointRecord record;
  record.model = "bp";
  record.definition = std::string(64, 'd');
  record.snapshot = hub->latest_snapshot();
  must(hub->write_checkpoint(record, "the older state"));
  CheckpointRecord newer = record;
  must(hub->commit(change_of(numbered_rows(1, 2))));
  newer.snapshot = hub->latest_snapshot();
  must(hub->write_checkpoint(newer, "the newer state"));
  const auto found = must(hub->read_checkpoint("bp", record.definition, hub->latest_snapshot()));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->second, "the newer state");
  must(write_file_atomically(ground.io(), ground.folder() + "/data/" + found->first.path, "torn"));
  const auto older = must(hub->read_checkpoint("bp", record.definition, hub->latest_snapshot()));
  ASSERT_TRUE(older.has_value());
  EXPECT_EQ(older->second, "the older state");
  EXPECT_FALSE(
      must(hub->read_checkpoint("bp", std::string(64, 'e'), hub->latest_snapshot())).has_value());
}

}  // namespace
}  // namespace lockstep
