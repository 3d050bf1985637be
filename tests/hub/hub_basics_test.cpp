#include "hub/hub_over_ducklake.h"
#include "hub/hub_support.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace lockstep {
namespace {

TEST(Hub, BeginsWithTheFourLayersAndNoTables) {
  HubPlayground ground;
  auto hub = ground.open();
  EXPECT_EQ(number(hub->latest_snapshot()), 1);
  EXPECT_TRUE(must(hub->tables(hub->latest_snapshot())).empty());
  EXPECT_EQ(must(hub->configuration()), "configuration: here");
  EXPECT_EQ(must(hub->fingerprint_key()).size(), 32U);
}

TEST(Hub, ReadsBackARowOfEveryTypeAtItsSnapshot) {
  HubPlayground ground;
  auto hub = ground.open();
  CommitRequest request;
  request.create.push_back(all_types());
  const std::vector<std::vector<Value>> rows = {
      {std::int64_t{1},
       true,
       1.5,
       std::string("it's \"é\""),
       Date{20'000},
       Timestamp{1'767'225'600'123'456}},
      {std::int64_t{2}, {}, {}, {}, {}, {}},
      {std::int64_t{-3}, false, -0.0, std::string(), Date{-1}, Timestamp{-1}}};
  request.changes.push_back({all_types().name, batch_of(all_types().schema, rows)});
  const Committed done = must(hub->commit(request));
  ASSERT_TRUE(done.snapshot.has_value());
  EXPECT_TRUE(
      must(hub->read(all_types().name, *done.snapshot)).equals(batch_of(all_types().schema, rows)));
  hub.reset();
  hub = ground.open();
  EXPECT_TRUE(
      must(hub->read(all_types().name, *done.snapshot)).equals(batch_of(all_types().schema, rows)));
  EXPECT_EQ(must(hub->row_count(all_types().name, *done.snapshot)), 3);
}

TEST(Hub, ALargeGroupGoesToAFileAndIsFoundByKey) {
  HubPlayground ground;
  auto hub = ground.open();
  CommitRequest request;
  request.create.push_back(small_table());
  request.changes.push_back({small_table().name, numbered_rows(0, 2000)});
  const Committed done = must(hub->commit(request));
  EXPECT_EQ(must(hub->disk_use()).data_files, 1);
  EXPECT_EQ(must(hub->read(small_table().name, *done.snapshot)).row_count(), 2000);
  const Batch keys = numbered_rows(1990, 2010);
  const Lookup found = must(hub->lookup(small_table().name, keys));
  EXPECT_EQ(found.rows.row_count(), 10);
  EXPECT_EQ(found.row_of_key[0], 0);
  EXPECT_EQ(found.row_of_key[19], -1);
  EXPECT_TRUE(rows_equal(found.rows, 3, keys, 3));
}

}  // namespace
}  // namespace lockstep
