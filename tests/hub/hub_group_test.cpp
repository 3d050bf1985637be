// Commits that are durable together (hub-11).
#include "base/one_failure.h"
#include "hub/change_scan.h"
#include "hub/hub_history.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

constexpr HubOptions kMixed{.inline_rows_max = 6, .log_bytes_max = 1 << 20};

CommitRequest insert(std::int64_t first, std::int64_t end) {
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(first, end)});
  request.positions["a"] = {{"", std::to_string(end)}};
  return request;
}

CommitRequest creation() {
  CommitRequest request;
  request.create.push_back(small_table());
  return request;
}

std::int64_t row_count(Hub& hub) {
  return must(hub.read(small_table().name, hub.latest_snapshot())).row_count();
}

TEST(HubGroup, IsReadByItsWriterAtOnceAndByOthersWhenItIsFlushed) {
  HubPlayground ground;
  auto hub = ground.open(kMixed);
  must(hub->commit(creation()));
  const auto reader = ground.open(kMixed, HubMode::kRead);
  must(hub->begin_group());
  std::vector<SnapshotId> snapshots;
  for (std::int64_t id = 0; id < 30; id += 10) {
    const CommitId expected = hub->next_commit();
    EXPECT_EQ(must(hub->commit(insert(id, id + 10))).commit, expected);
    snapshots.push_back(hub->latest_snapshot());
    EXPECT_EQ(row_count(*hub), id + 10);
  }
  EXPECT_EQ(must(hub->lookup(small_table().name, numbered_rows(0, 30))).rows.row_count(), 30);
  must(reader->refresh());
  EXPECT_EQ(row_count(*reader), 0);
  must(hub->flush());
  must(reader->refresh());
  for (std::size_t index = 0; index < snapshots.size(); ++index) {
    const Batch rows = must(reader->read(small_table().name, snapshots[index]));
    EXPECT_EQ(rows.row_count(), static_cast<std::int64_t>(index + 1) * 10);
  }
  EXPECT_EQ(must(reader->positions()).at("a").at(""), "30");
  must(hub->flush());  // no group is open: nothing happens
}

TEST(HubGroup, TakesWhatModelsMadeOfItsCommitsBehindTheirRows) {
  HubPlayground ground;
  auto hub = ground.open(kMixed);
  must(hub->commit(creation()));
  must(hub->begin_group());
  std::vector<Committed> committed;
  for (std::int64_t id = 0; id < 3; ++id)
    committed.push_back(must(hub->commit(insert(id, id + 1))));
  for (std::size_t index = 0; index < committed.size(); ++index) {
    const auto version = static_cast<std::int64_t>(index + 1);
    CommitRequest models;
    ModelVersionRecord& made = models.versions.emplace_back();
    made.model = "m";
    made.version = version;
    made.snapshot = *committed[index].snapshot;
    AliasEvent& alias = models.aliases.emplace_back();
    alias.model = "m";
    alias.alias = "champion";
    alias.version = version;
    models.model_states.push_back({"m", fmt::format("[{}]", version)});
    must(hub->add_models(committed[index], models));
  }
  must(hub->flush());
  hub.reset();
  hub = ground.open(kMixed);
  EXPECT_EQ(must(hub->model_state("m")), "[3]");
  const auto aliases = must(hub->alias_history("m"));
  ASSERT_EQ(aliases.size(), 3U);
  for (std::size_t index = 0; index < committed.size(); ++index) {
    const auto versions = must(hub->versions_of_snapshot(*committed[index].snapshot));
    ASSERT_EQ(versions.size(), 1U);
    EXPECT_EQ(versions[0].version, static_cast<std::int64_t>(index + 1));
    EXPECT_EQ(aliases[index].time.us, committed[index].time.us);
  }
  const auto catalog =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kRead));
  const Cell noted = must(catalog->single(
      "SELECT commit_extra_info FROM ducklake_snapshot_changes WHERE snapshot_id = ?",
      {number(*committed[1].snapshot)}));
  EXPECT_EQ(noted, Cell(std::string(R"({"models":[{"model":"m","version":2}]})")));
}

TEST(HubGroup, ThatIsNotFlushedIsNotThere) {
  HubPlayground ground;
  {
    auto hub = ground.open(kMixed);
    must(hub->commit(creation()));
    must(hub->begin_group());
    must(hub->commit(insert(0, 3)));
    must(hub->commit(insert(3, 60)));
  }
  auto hub = ground.open(kMixed);
  EXPECT_EQ(row_count(*hub), 0);
  must(hub->commit(insert(0, 60)));  // the keys are free
  EXPECT_EQ(row_count(*hub), 60);
}

TEST(HubGroup, IsLeftAsItWasByACommitThatIsRefused) {
  HubPlayground ground;
  auto hub = ground.open(kMixed);
  must(hub->commit(creation()));
  must(hub->begin_group());
  must(hub->commit(insert(0, 3)));
  const Result<Committed> refused = hub->commit(insert(2, 5));  // hub-3: 2 is there
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  must(hub->commit(insert(3, 5)));
  must(hub->flush());
  hub.reset();
  hub = ground.open(kMixed);
  EXPECT_EQ(row_count(*hub), 5);
}

TEST(HubGroup, LeavesALogThatIsKeptShort) {
  HubPlayground ground;
  auto hub = ground.open({.log_bytes_max = 1 << 18});
  must(hub->commit(creation()));
  for (std::int64_t id = 0; id < 200; ++id) {
    must(hub->begin_group());
    must(hub->commit(insert(id, id + 1)));
    must(hub->flush());
    must(hub->tend_log());
  }
  const std::uint64_t log =
      must(ground.io().info(ground.folder() + "/catalog.sqlite-wal")).size_bytes;
  EXPECT_LT(log, std::uint64_t{1} << 20);
  EXPECT_EQ(row_count(*hub), 200);
}

// Two groups of three commits each, the second one of each with a file of its own.
Result<int> two_groups(Hub& hub) {
  int flushed = 0;
  for (std::int64_t group = 0; group < 2; ++group) {
    const std::int64_t first = group * 60;
    TRY(hub.begin_group());
    TRY(hub.commit(insert(first, first + 2)));
    TRY(hub.commit(insert(first + 2, first + 50)));
    TRY(hub.commit(insert(first + 50, first + 60)));
    const Result<void> durable = hub.flush();
    if (!durable.ok()) return flushed;
    ++flushed;
  }
  return flushed;
}

TEST(HubGroup, IsThereAsAWholeWhateverOperationFails) {
  int failed = 0;
  for (int operation = 0; operation < 1'000; operation += 3) {
    SCOPED_TRACE(fmt::format("operation {}", operation));
    HubPlayground ground;
    auto hub = ground.open(kMixed);
    must(hub->commit(creation()));
    int flushed = 0;
    bool happened = false;
    {
      const OneFailure failure(ground.io(), operation);
      const Result<int> done = two_groups(*hub);
      happened = failure.happened();
      flushed = done.ok() ? done.value() : -1;
      if (happened && flushed != 2) {
        ++failed;
        // What the writer remembers of a lost group is nothing to go on from.
        const Result<Committed> more = hub->commit(insert(500, 501));
        if (more.ok()) must(hub->flush());
      }
    }
    hub.reset();
    hub = ground.open(kMixed);
    const Lookup extra = must(hub->lookup(small_table().name, numbered_rows(500, 501)));
    const std::int64_t rows = row_count(*hub) - extra.rows.row_count();
    EXPECT_TRUE(rows == 0 || rows == 60 || rows == 120) << rows;
    EXPECT_GE(rows, 60 * std::max(flushed, 0));
    if (!happened) break;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failed, 10);
}

// The same history, one by one and in groups of any size.
TEST(HubGroup, OfAnySizeMakesTheSnapshotsThatSingleCommitsMake) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HubPlayground ground;
    auto hub = ground.open(kMixed);
    RandomHistory history(*hub, seed);
    std::mt19937_64 random(seed);
    for (int commit = 0; commit < 40;) {
      must(hub->begin_group());
      for (std::uint64_t left = random() % 8; left > 0 && commit < 40; --left, ++commit)
        history.commit();
      must(hub->flush());
      if (random() % 4 != 0) continue;
      hub.reset();
      hub = ground.open(kMixed);
      history.use(*hub);
    }
    const auto reader = ground.open(kMixed, HubMode::kRead);
    for (const auto& [snapshot, model] : history.snapshots()) {
      for (const auto& [name, table] : model) {
        BatchBuilder expected(all_types().schema);
        for (const auto& [id, row] : table)
          expected.append_row(row, 1);
        const Batch rows = must(reader->read(name, SnapshotId{snapshot}));
        const Batch sorted = must(in_key_order(rows, {0}));
        EXPECT_TRUE(sorted.equals(must(expected.finish()))) << table_text(name) << snapshot;
      }
    }
  }
}

}  // namespace
}  // namespace lockstep
