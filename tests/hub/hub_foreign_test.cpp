// Commits of another program: refused, or adopted with the writer's memory made anew (hub-9). What
// DuckDB itself writes is tried in tests/e2e.
#include "hub/grouped_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

constexpr std::int64_t kRows = 10;

// A hub with raw.vitals and clean.vitals, and a second connection to its catalog.
class ForeignCommit : public ::testing::Test {
 protected:
  void SetUp() override {
    CommitRequest request;
    for (const Layer layer : {Layer::kRaw, Layer::kClean}) {
      request.create.push_back(small_table(layer));
      request.changes.push_back({small_table(layer).name, numbered_rows(0, kRows)});
    }
    auto hub = ground_.open();
    own_ = number(*must(hub->commit(request)).snapshot);
  }

  std::unique_ptr<Hub> adopting() {
    HubPlace place = ground_.place();
    place.foreign = ForeignCommits::kAdopt;
    return must(Hub::open(ground_.io(), place, HubMode::kWrite));
  }

  // As DuckDB does it: a row in the inlined table, and a snapshot that says so.
  void insert(Layer layer, std::int64_t id) {
    const auto catalog =
        must(open_sqlite(ground_.io(), ground_.folder() + "/catalog.sqlite", CatalogMode::kWrite));
    RecordStore records(*catalog);
    LakeSnapshot next = must(newest_snapshot(*catalog));
    ++next.id;
    ++next.next_file_id;
    ++next.time.us;
    for (const LakeTable& table : must(load_tables(*catalog, must(records.tables()), own_))) {
      if (table.definition.name.layer != layer) continue;
      must(catalog->execute(fmt::format(
          "INSERT INTO {}(row_id, begin_snapshot, id, name, x) VALUES ({}, {}, {}, 'theirs', "
          "'1.5');"
          "UPDATE ducklake_table_stats SET record_count = record_count + 1, next_row_id = "
          "next_row_id + 1 WHERE table_id = {};",
          table.inlined,
          100 + id,
          next.id,
          id,
          table.id)));
      must(insert_snapshot(
          *catalog, next, {fmt::format("inlined_insert:{}", table.id), "theirs", ""}));
    }
  }

  Result<Committed> adopt(Hub& hub) {
    CommitRequest request;
    request.kind = CommitKind::kForeign;
    request.adopt = TRY(hub.foreign_commits());
    return hub.commit(request);
  }

  HubPlayground ground_;
  std::int64_t own_ = 0;
};

TEST_F(ForeignCommit, IsRecordedAndItsRowsAreFoundAndWrittenOn) {  // hub-9
  const auto hub = adopting();
  EXPECT_EQ(must(hub->lookup(small_table().name, numbered_rows(0, 30))).rows.row_count(), kRows);
  EXPECT_FALSE(must(hub->has_foreign_commits()));
  insert(Layer::kRaw, 20);
  insert(Layer::kRaw, 21);
  EXPECT_TRUE(must(hub->has_foreign_commits()));
  must(adopt(*hub));
  EXPECT_FALSE(must(hub->has_foreign_commits()));
  EXPECT_EQ(must(hub->lookup(small_table().name, numbered_rows(0, 30))).rows.row_count(),
            kRows + 2);
  const auto commits = must(hub->commits({.count = 3}));
  ASSERT_EQ(commits.size(), 3U);
  EXPECT_FALSE(commits[0].snapshot.has_value());
  EXPECT_EQ(number(*commits[1].snapshot), own_ + 2);
  EXPECT_EQ(commits[1].kind, CommitKind::kForeign);
  EXPECT_EQ(commits[1].inserted, 1);
  EXPECT_EQ(commits[2].message, "theirs");
  EXPECT_LT(commits[2].time, commits[1].time);
  CommitRequest next;
  BatchBuilder rows(small_table().schema);
  rows.append_row(std::vector<Value>{std::int64_t{21}, std::string("theirs"), 1.5}, -1);
  rows.append_row(std::vector<Value>{std::int64_t{22}, std::string("ours"), 2.5}, 1);
  next.changes.push_back({small_table().name, must(rows.finish())});
  const SnapshotId at = *must(hub->commit(next)).snapshot;
  EXPECT_EQ(must(hub->read(small_table().name, at)).row_count(), kRows + 2);
}

TEST_F(ForeignCommit, IsFollowedByTheIndexesOfGroups) {  // hub-9
  const auto hub = adopting();
  const TableName table = small_table().name;
  const GroupOrder by_name{{"name"}, {"x"}};
  EXPECT_EQ(difference_of_groups_now(*hub, table, by_name), "");
  insert(Layer::kRaw, 20);
  insert(Layer::kRaw, 21);
  must(adopt(*hub));
  EXPECT_EQ(difference_of_groups_now(*hub, table, by_name), "");
  const Batch theirs = batch_of(Schema({{"name", Type::kText}}), {{std::string("theirs")}});
  EXPECT_EQ(
      must(hub->lookup_groups(table, by_name, {.groups = theirs, .rows_max = 9})).rows.row_count(),
      2);
}

TEST_F(ForeignCommit, StopsEveryCommitThatDoesNotAdoptIt) {  // hub-9
  insert(Layer::kRaw, 20);
  const auto hub = adopting();
  const auto unseen = hub->commit({});
  ASSERT_FALSE(unseen.ok());
  EXPECT_EQ(unseen.error().code, Code::kRefused);
  EXPECT_EQ(must(hub->foreign_commits()).size(), 1U);
  EXPECT_EQ(hub->commit({}).error().code, Code::kRefused);
  must(adopt(*hub));
  EXPECT_TRUE(hub->commit({}).ok());
}

TEST_F(ForeignCommit, IsRefusedWhenAKeyStandsTwice) {  // hub-9
  const auto hub = adopting();
  insert(Layer::kRaw, 3);
  const auto refused = hub->foreign_commits();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().message.find("raw.vitals has more than one row with id=3"),
            std::string::npos)
      << refused.error().message;
}

TEST_F(ForeignCommit, IsRefusedInALayerThatFollowsFromRaw) {  // hub-9
  const auto hub = adopting();
  insert(Layer::kClean, 20);
  const auto refused = hub->foreign_commits();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().message.find("clean.vitals changed"), std::string::npos)
      << refused.error().message;
}

// NULL is what another program does not know: a minimum of our next rows would be too narrow.
TEST_F(ForeignCommit, LeavesUnknownBoundsUnknown) {  // hub-4
  {
    const auto catalog =
        must(open_sqlite(ground_.io(), ground_.folder() + "/catalog.sqlite", CatalogMode::kWrite));
    must(
        catalog->execute("UPDATE ducklake_table_column_stats SET min_value = NULL, max_value = "
                         "'beyond' WHERE column_id = 1"));
  }

  auto hub = ground_.open();
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(50, 51)});
  must(hub->commit(request));
  hub.reset();
  const auto catalog =
      must(open_sqlite(ground_.io(), ground_.folder() + "/catalog.sqlite", CatalogMode::kWrite));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(must(
      catalog->single("SELECT max(min_value) FROM ducklake_table_column_stats JOIN "
                      "lockstep_table USING (table_id) WHERE column_id = 1 AND layer = 'raw'"))));
}

}  // namespace
}  // namespace lockstep
