// Retention: what expires goes, and nothing that a retained snapshot, a tag, an alias or a reader
// needs (hub-12).
#include "hub/hub_support.h"
#include "hub/lease.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace lockstep {
namespace {

constexpr std::int64_t kYearUs = std::int64_t{365} * 24 * 3'600 * 1'000'000;
constexpr HubOptions kFiles{.inline_rows_max = 5};

CollectionLimits newest_only(std::int64_t count = 1) {
  return {.policy = {.keep_us = kYearUs, .snapshots_max = count, .then_us = 0}, .grace_us = 0};
}

CollectionStep round(Hub& hub, const CollectionLimits& limits) {
  CollectionStep sum{.more = true};
  while (sum.more) {
    const CollectionStep step = must(hub.collect(limits));
    sum.more = step.more;
    sum.snapshots += step.snapshots;
    sum.rows += step.rows;
    sum.files += step.files;
    sum.deleted += step.deleted;
  }
  return sum;
}

SnapshotId put(Hub& hub, const Batch& rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, rows});
  return *must(hub.commit(request)).snapshot;
}

std::unique_ptr<Hub> hub_with_rows(HubPlayground& ground, std::int64_t row_count) {
  auto hub = ground.open(kFiles);
  CommitRequest request;
  request.create.push_back(small_table());
  request.changes.push_back({small_table().name, numbered_rows(0, row_count)});
  must(hub->commit(request));
  return hub;
}

std::int64_t parquet_files(const HubPlayground& ground) {
  std::int64_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(ground.folder() + "/data"))
    count += entry.path().extension() == ".parquet" ? 1 : 0;
  return count;
}

TEST(Retention, KeepsTheNewestByCountAndTellsOfTheOthers) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 3);
  std::vector<SnapshotId> snapshots;
  for (std::int64_t id = 3; id < 10; ++id)
    snapshots.push_back(put(*hub, numbered_rows(id, id + 1)));
  const CollectionPlan plan = must(hub->collection_plan(newest_only(2)));
  const CollectionStep done = round(*hub, newest_only(2));
  EXPECT_EQ(static_cast<std::int64_t>(plan.snapshots.size()), done.snapshots);
  EXPECT_TRUE(must(hub->is_retained(snapshots.back())));
  EXPECT_TRUE(must(hub->is_retained(snapshots[snapshots.size() - 2])));
  EXPECT_FALSE(must(hub->is_retained(snapshots[0])));
  const auto gone = hub->read(small_table().name, snapshots[0]);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_EQ(must(hub->read(small_table().name, snapshots.back())).row_count(), 10);
  EXPECT_EQ(round(*hub, newest_only(2)).snapshots, 0);
}

TEST(Retention, KeepsTheLastOfAPeriod) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 3);
  put(*hub, numbered_rows(3, 4));
  const SnapshotId newest = put(*hub, numbered_rows(4, 5));
  // Everything lies within one period of ten years, whose last snapshot is the newest.
  CollectionLimits limits = newest_only();
  limits.policy.then_us = 10 * kYearUs;
  round(*hub, limits);
  EXPECT_TRUE(must(hub->is_retained(newest)));
  EXPECT_FALSE(must(hub->is_retained(SnapshotId{number(newest) - 1})));
  // A period of one microsecond keeps every snapshot.
  const SnapshotId later = put(*hub, numbered_rows(5, 6));
  put(*hub, numbered_rows(6, 7));
  limits.policy.then_us = 1;
  EXPECT_EQ(round(*hub, limits).snapshots, 0);
  EXPECT_TRUE(must(hub->is_retained(later)));
}

TEST(Retention, ATagAndAnAliasKeepTheirSnapshots) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 3);
  const SnapshotId tagged = put(*hub, numbered_rows(3, 4));
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(4, 5)});
  for (std::int64_t version : {1, 2}) {
    ModelVersionRecord record;
    record.model = "bp";
    record.version = version;
    record.snapshot = hub->next_snapshot();
    record.definition = std::string(64, 'd');
    record.metrics = "{}";
    request.versions = {record};
    if (version == 1) {
      AliasEvent event;
      event.model = "bp";
      event.alias = "champion";
      event.version = 1;
      request.aliases = {event};
    } else {
      request.aliases.clear();
      request.changes = {{small_table().name, numbered_rows(5, 6)}};
    }
    must(hub->commit(request));
  }
  const SnapshotId aliased{number(hub->latest_snapshot()) - 1};
  must(hub->set_tag("release", tagged, "me"));
  put(*hub, numbered_rows(6, 7));
  put(*hub, numbered_rows(7, 8));
  round(*hub, newest_only());
  EXPECT_EQ(must(hub->read(small_table().name, tagged)).row_count(), 4);
  EXPECT_EQ(must(hub->read(small_table().name, aliased)).row_count(), 5);
  EXPECT_EQ(must(hub->tags()).front().name, "release");
  must(hub->delete_tag("release"));
  EXPECT_EQ(hub->delete_tag("release").error().code, Code::kNotFound);
  round(*hub, newest_only());
  EXPECT_FALSE(must(hub->is_retained(tagged)));
  EXPECT_TRUE(must(hub->is_retained(aliased)));
  EXPECT_EQ(hub->set_tag("late", tagged, "me").error().code, Code::kNotFound);
}

TEST(Retention, RemovesRowsAndFilesThatNoSnapshotHas) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  put(*hub, numbered_rows(100, 102));
  put(*hub, numbered_rows(100, 101, -1));
  put(*hub, numbered_rows(0, 20, -1));  // the whole file
  const SnapshotId last = put(*hub, numbered_rows(200, 201));
  EXPECT_EQ(parquet_files(ground), 1);
  const CollectionStep done = round(*hub, newest_only());
  EXPECT_EQ(done.rows, 1);
  EXPECT_EQ(done.files, 1);
  EXPECT_EQ(done.deleted, 1);
  EXPECT_EQ(parquet_files(ground), 0);
  EXPECT_EQ(must(hub->read(small_table().name, last)).row_count(), 2);
  EXPECT_EQ(must(hub->disk_use()).inlined_rows, 2);
}

TEST(Retention, WaitsForTheGraceTimeOfOtherProgramsReaders) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  put(*hub, numbered_rows(0, 20, -1));
  CollectionLimits limits = newest_only();
  limits.grace_us = kYearUs;
  EXPECT_EQ(round(*hub, limits).files, 1);
  EXPECT_EQ(parquet_files(ground), 1);
  EXPECT_EQ(must(hub->collection_plan(limits)).files.size(), 1U);
  EXPECT_EQ(round(*hub, newest_only()).deleted, 1);
  EXPECT_EQ(parquet_files(ground), 0);
}

TEST(Retention, AReaderThatHoldsALeaseKeepsItsFiles) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  const SnapshotId before = hub->latest_snapshot();
  auto reader = ground.open(kFiles, HubMode::kRead);
  put(*hub, numbered_rows(0, 20, -1));
  EXPECT_EQ(round(*hub, newest_only()).deleted, 0);
  EXPECT_EQ(must(reader->read(small_table().name, before)).row_count(), 20);
  reader.reset();
  EXPECT_EQ(round(*hub, newest_only()).deleted, 1);
}

TEST(Retention, ALeaseOfADeadReaderHoldsNothing) {
  HubPlayground ground;
  const std::string catalog = ground.folder() + "/catalog.sqlite";
  std::filesystem::create_directories(catalog + ".readers");
  std::ofstream(catalog + ".readers/left-behind").put('x');
  EXPECT_FALSE(must(oldest_lease(ground.io(), catalog)).has_value());
  EXPECT_FALSE(std::filesystem::exists(catalog + ".readers/left-behind"));
  const auto lease = Lease::take(ground.io(), catalog);
  ASSERT_NE(lease, nullptr);
  EXPECT_TRUE(must(oldest_lease(ground.io(), catalog)).has_value());
}

TEST(Retention, RemovesWhatADroppedTableLeft) {
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  put(*hub, numbered_rows(100, 103));
  CommitRequest request;
  request.drop.push_back(small_table().name);
  request.create.push_back(small_table(Layer::kClean));
  must(hub->commit(request));
  round(*hub, newest_only());
  round(*hub, newest_only());
  hub.reset();
  const auto catalog =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kRead));
  const auto count = [&](const char* query) {
    return std::get<std::int64_t>(must(catalog->single(query)));
  };
  EXPECT_EQ(count("SELECT count(*) FROM ducklake_table"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM ducklake_inlined_data_tables"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM lockstep_table"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM ducklake_data_file"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM ducklake_file_column_stats"), 0);
  EXPECT_EQ(parquet_files(ground), 0);
}

// Beside commits or at once: more of them than one step deletes.
TEST(Retention, RemovesOldFilesThatNobodyNames) {
  constexpr int kOld = 100;
  for (const bool background : {false, true}) {
    SCOPED_TRACE(background);
    HubPlayground ground;
    auto hub = hub_with_rows(ground, 20);
    const std::string folder = ground.folder() + "/data/raw/vitals/";
    const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(2);
    const auto make = [&](const std::string& name, bool is_old) {
      std::ofstream(folder + name).put('x');
      if (is_old) std::filesystem::last_write_time(folder + name, old);
    };
    for (int file = 0; file < kOld; ++file)
      make(fmt::format("lockstep-old{}.parquet", file), true);
    make("lockstep-new.parquet", false);
    make("of-somebody.parquet", true);
    CollectionLimits limits = newest_only();
    limits.background = background;
    EXPECT_EQ(must(hub->collection_plan(limits)).orphans.size(), kOld);
    EXPECT_EQ(round(*hub, limits).deleted, kOld);
    EXPECT_EQ(parquet_files(ground), 3);
    EXPECT_TRUE(std::filesystem::exists(folder + "lockstep-new.parquet"));
    EXPECT_TRUE(std::filesystem::exists(folder + "of-somebody.parquet"));
    EXPECT_EQ(must(hub->read(small_table().name, hub->latest_snapshot())).row_count(), 20);
    EXPECT_EQ(round(*hub, limits).deleted, 0);
  }
}

// Fails at each file operation of a round in turn: the newest snapshot stays as it was.
TEST(Retention, ARoundThatFailsAtAnyOperationLosesNothing) {  // hub-12
  HubPlayground ground;
  auto hub = hub_with_rows(ground, 20);
  for (int fail_at = 1;; ++fail_at) {
    put(*hub, numbered_rows(100, 120));
    put(*hub, numbered_rows(100, 120, -1));
    put(*hub, numbered_rows(200, 202));
    const SnapshotId last = put(*hub, numbered_rows(200, 202, -1));
    int seen = 0;
    ground.io().observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++seen == fail_at) return make_error(Code::kIo, "the test's disk failed");
      return {};
    });
    Result<CollectionStep> step = CollectionStep{.more = true};
    while (step.ok() && step.value().more)
      step = hub->collect(newest_only(2));
    ground.io().observe({});
    hub.reset();
    hub = ground.open(kFiles);
    EXPECT_EQ(hub->latest_snapshot(), last);
    EXPECT_EQ(must(hub->read(small_table().name, last)).row_count(), 20) << fail_at;
    EXPECT_EQ(must(hub->read(small_table().name, SnapshotId{number(last) - 1})).row_count(), 22);
    if (seen < fail_at) {
      EXPECT_TRUE(step.ok());
      EXPECT_GT(fail_at, 10);
      break;
    }
    ASSERT_LT(fail_at, 400);
  }
  round(*hub, newest_only());
  EXPECT_EQ(parquet_files(ground), 1);
}

}  // namespace
}  // namespace lockstep
