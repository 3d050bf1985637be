// Rows of groups in their order (grouped_rows.h): whatever happened to the hub or to the files of
// its ordered indexes, the answer is that of a plain model, which sorts the rows in memory (hub-7).
#include "hub/ordered_index.h"

#include "hub/hub_history.h"
#include "hub/ordered_index_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lockstep {
namespace {

namespace files = std::filesystem;

// Groups of many and of few rows, null among their names, ties and NaN in their order.
const std::vector<GroupOrder>& orders_of_all_types() {
  static const std::vector<GroupOrder> orders = {
      {{"flag"}, {"amount"}}, {{"note", "flag"}, {"day", "amount"}}, {{"amount"}, {}}};
  return orders;
}

void expect_groups(Hub& hub, const RandomHistory& history) {
  const auto& [snapshot, model] = *history.snapshots().rbegin();
  for (const TableDefinition& table : RandomHistory::definitions()) {
    BatchBuilder builder(table.schema);
    for (const auto& [id, row] : model.at(table.name))
      builder.append_row(row);
    const Batch rows = must(builder.finish());
    for (const GroupOrder& order : orders_of_all_types())
      ASSERT_EQ(difference_of_all_groups(hub, table, rows, order), "") << table_text(table.name);
  }
}

// Counts how often an index is made from the rows, while it lives.
class Makings {
 public:
  explicit Makings(Io& io) : io_(io) {
    io_.observe([this](IoOperation operation, std::string_view path) -> Result<void> {
      if (operation == IoOperation::kRemove && path.ends_with(".ordered")) ++count_;
      return {};
    });
  }

  ~Makings() { io_.observe({}); }

  Makings(const Makings&) = delete;
  Makings& operator=(const Makings&) = delete;

  int count() const { return count_; }

 private:
  Io& io_;
  int count_ = 0;
};

TEST(OrderedIndex, OfARandomHistoryAnswersAsAModelDoes) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HubPlayground ground;
    auto hub = ground.open(kSmallPieces);
    RandomHistory history(*hub, seed);
    for (int step = 0; step < 30; ++step) {
      SCOPED_TRACE(fmt::format("step {}", step));
      history.commit();
      must(hub->tend_log());
      // In some histories the indexes are asked for late, or fall behind.
      if (history.below(3) == 0) expect_groups(*hub, history);
      if (history.below(5) == 0) history.compact();
      if (history.below(10) == 0) history.collect();
      if (history.below(6) == 0) {
        hub.reset();
        hub = ground.open(kSmallPieces);
        history.use(*hub);
      }
      if (HasFailure()) return;
    }
    expect_groups(*hub, history);
  }
}

TEST(OrderedIndex, IsMadeOnceAndThenKeptUp) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 50))));
  const Makings makings(ground.io());
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 1);
  for (std::int64_t id = 50; id < 90; id += 10) {
    must(hub->commit(change_of(numbered_rows(id, id + (id == 70 ? 3 : 10)))));
    must(hub->commit(change_of(numbered_rows(id - 50, id - 45, -1))));
    compact_small(*hub);
    expect_small_groups(*hub);
    if (id != 60) continue;
    hub.reset();
    hub = ground.open(kSmallPieces);
    must(hub->commit(change_of(numbered_rows(1'000, 1'010))));  // before anybody asks
  }
  must(hub->begin_group());
  must(hub->commit(change_of(numbered_rows(200, 210))));
  expect_small_groups(*hub);
  must(hub->flush());
  must(hub->stage("load", {{small_table().name, numbered_rows(300, 340)}}, "note"));
  must(hub->commit(change_of(numbered_rows(340, 345))));
  expect_small_groups(*hub);
  must(hub->tend_log());
  hub.reset();
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 1);
}

// As after a crash between a commit and the index's, with any number of commits in between.
TEST(OrderedIndex, BehindTheCatalogFollowsWhatCameSince) {
  HubPlayground ground;
  const std::string folder = ground.folder() + "/catalog.sqlite.index";
  const std::string kept = ground.folder() + "/kept";
  auto hub = ground.open(kSmallPieces);
  RandomHistory history(*hub, 7);
  for (int step = 0; step < 6; ++step)
    history.commit();
  expect_groups(*hub, history);
  hub.reset();
  files::copy(folder, kept, files::copy_options::recursive);
  for (int round = 0; round < 4; ++round) {
    hub = ground.open(kSmallPieces);
    history.use(*hub);
    for (std::size_t step = 0; step < 1 + history.below(6); ++step)
      history.commit();
    history.compact();
    hub.reset();
    files::remove_all(folder);
    files::copy(kept, folder, files::copy_options::recursive);
    hub = ground.open(kSmallPieces);
    expect_groups(*hub, history);
    hub.reset();
  }
}

TEST(OrderedIndex, BehindTheCatalogIsNotMadeAgain) {
  HubPlayground ground;
  const std::string folder = ground.folder() + "/catalog.sqlite.index";
  const std::string kept = ground.folder() + "/kept";
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 50))));
  expect_small_groups(*hub);
  hub.reset();
  files::copy(folder, kept, files::copy_options::recursive);
  hub = ground.open(kSmallPieces);
  const std::vector<Batch> moved = {numbered_rows(0, 9, -1), numbered_rows(3, 9, 1, -2.0)};
  must(hub->commit(change_of(must(concatenate(small_table().schema, moved)))));
  must(hub->commit(change_of(numbered_rows(60, 80))));
  compact_small(*hub);
  must(hub->commit(change_of(numbered_rows(20, 25, -1))));
  hub.reset();
  files::remove_all(folder);
  files::copy(kept, folder, files::copy_options::recursive);
  const Makings makings(ground.io());
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 0);
}

// An index of a future that was lost, or whose snapshot expired, is of no use.
TEST(OrderedIndex, OfAnotherHistoryIsMadeAgain) {
  HubPlayground ground;
  const std::string catalog = ground.folder() + "/catalog.sqlite";
  const std::string index = catalog + ".index";
  const std::string kept = ground.folder() + "/kept";
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 20))));
  hub.reset();
  files::create_directories(kept);
  files::copy(catalog, kept + "/catalog");
  hub = ground.open(kSmallPieces);
  must(hub->commit(change_of(numbered_rows(20, 40))));
  expect_small_groups(*hub);
  hub.reset();
  files::copy(index, kept + "/index");
  // Restored: the index is ahead.
  files::copy(kept + "/catalog", catalog, files::copy_options::overwrite_existing);
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
  // Then it went on beyond the snapshot of that index, which comes back.
  must(hub->commit(change_of(numbered_rows(50, 60))));
  must(hub->commit(change_of(numbered_rows(70, 80))));
  expect_small_groups(*hub);
  hub.reset();
  files::remove_all(index);
  files::copy(kept + "/index", index);
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
  must(hub->commit(change_of(numbered_rows(90, 93))));
  expect_small_groups(*hub);
}

TEST(OrderedIndex, ThatIsGoneOrDamagedIsMadeAgain) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 400))));
  expect_small_groups(*hub);
  hub.reset();
  ASSERT_EQ(ordered_files(ground.folder()).size(), 1U);
  const std::string path = ordered_files(ground.folder()).front();
  const auto size = files::file_size(path);
  ASSERT_GT(size, 8'192U);
  // Nothing of it, its head, its first half.
  for (const std::uintmax_t left : {std::uintmax_t{0}, std::uintmax_t{100}, size / 2}) {
    files::resize_file(path, left);
    hub = ground.open(kSmallPieces);
    expect_small_groups(*hub);
    hub.reset();
  }
  // A byte of it here and there.
  for (std::size_t at = 5; at < size; at += 311) {
    std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const int was = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(was ^ 0x10));
    bytes.close();
    hub = ground.open(kSmallPieces);
    expect_small_groups(*hub);
    must(hub->commit(change_of(numbered_rows(1'000 + number(hub->next_snapshot()),
                                             1'001 + number(hub->next_snapshot())))));
    expect_small_groups(*hub);
    hub.reset();
    if (HasFailure()) return;
  }
  files::remove(path);
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
}

// hub-11
TEST(OrderedIndex, KnowsTheCommitsOfAnOpenGroupAndForgetsThoseOfALostOne) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 20))));
  expect_small_groups(*hub);
  for (const bool flushed : {true, false}) {
    SCOPED_TRACE(flushed);
    must(hub->begin_group());
    const std::int64_t first = flushed ? 100 : 200;
    for (std::int64_t id = first; id < first + 30; id += 10) {
      must(hub->commit(change_of(numbered_rows(id, id + 10))));
      expect_small_groups(*hub);
    }
    must(hub->commit(change_of(numbered_rows(0, flushed ? 3 : 0, -1))));
    expect_small_groups(*hub);
    // Asked for the first time within a group.
    ASSERT_EQ(
        difference_of_groups_now(*hub, small_table().name, {{"x"}, {flushed ? "id" : "name"}}), "");
    // Refused before it wrote anything: the group is as it was.
    EXPECT_FALSE(hub->commit(change_of(numbered_rows(10, 11))).ok());
    expect_small_groups(*hub);
    if (flushed) must(hub->flush());
    if (!flushed) hub = nullptr;
    if (!flushed) hub = ground.open(kSmallPieces);
    expect_small_groups(*hub);
    ASSERT_EQ(difference_of_groups_now(*hub, small_table().name, {{"x"}, {"name"}}), "");
    must(hub->commit(change_of(numbered_rows(first + 50, first + 55))));
    expect_small_groups(*hub);
  }
}

// hub-13
TEST(OrderedIndex, KnowsWhatALoadStagedAndForgetsItWithTheLoad) {
  for (const std::string end : {"committed", "left", "resumed"}) {
    SCOPED_TRACE(end);
    HubPlayground ground;
    auto hub = ground.open(kSmallPieces);
    must(hub->commit(creation_of(numbered_rows(0, 20))));
    expect_small_groups(*hub);
    std::vector<Batch> parts = {numbered_rows(0, 20)};
    const auto expect_staged = [&](const GroupOrder& order) {
      const Batch all = must(net(must(concatenate(small_table().schema, parts)), std::vector{0}));
      ASSERT_EQ(difference_of_all_groups(*hub, small_table(), all, order), "");
    };
    // The second takes away rows of the snapshot and of the first, and brings one back elsewhere.
    const std::vector<Batch> both = {
        numbered_rows(5, 8, -1), numbered_rows(30, 35, -1), numbered_rows(6, 7, 1, -3.0)};
    const std::vector<Batch> stages = {numbered_rows(20, 60),
                                       must(concatenate(small_table().schema, both))};
    for (const Batch& stage : stages) {
      must(hub->stage("load", {{small_table().name, stage}}, "note"));
      parts.push_back(stage);
      expect_staged(names_by_x());
    }
    expect_staged({{"name"}, {}});  // made amid the load
    if (end != "committed") {
      hub.reset();
      hub = ground.open(kSmallPieces);
      expect_small_groups(*hub);
    }
    if (end == "resumed") {
      ASSERT_TRUE(must(hub->left_load("load")).has_value());
      must(hub->resume_load());
      expect_staged(names_by_x());
    }
    must(hub->commit(change_of(numbered_rows(70, 75))));
    expect_small_groups(*hub);
    ASSERT_EQ(difference_of_groups_now(*hub, small_table().name, {{"name"}, {}}), "");
    hub.reset();
    hub = ground.open(kSmallPieces);
    expect_small_groups(*hub);
    EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())),
              end == "left" ? 25 : 58);
  }
}

// Of a -1 row only the key is used.
TEST(OrderedIndex, PassesOverRowsThatWentWithoutSayingWhereTheyStood) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 60))));
  expect_small_groups(*hub);
  // One says nothing, one something else, and one that it stood where it goes to.
  BatchBuilder rows(small_table().schema);
  rows.append_row(std::vector<Value>{std::int64_t{3}, Value{}, Value{}}, -1);
  rows.append_row(std::vector<Value>{std::int64_t{20}, std::string("name 5"), 2.5}, -1);
  rows.append_row(std::vector<Value>{std::int64_t{37}, std::string("new"), 0.25}, -1);
  rows.append_row(std::vector<Value>{std::int64_t{37}, std::string("new"), 0.25}, 1);
  must(hub->commit(change_of(must(rows.finish()))));
  // Three of the group's four rows are there no more, so that they are not too many.
  const Batch group = batch_of(Schema({{"name", Type::kText}}), {{std::string("name 3")}});
  EXPECT_EQ(
      must(hub->lookup_groups(small_table().name, names_by_x(), {.groups = group, .rows_max = 1}))
          .rows.row_count(),
      1);
  expect_small_groups(*hub);
  // A row comes back to where it had stood.
  must(hub->commit(change_of(numbered_rows(3, 4))));
  expect_small_groups(*hub);
  hub.reset();
  hub = ground.open(kSmallPieces);
  expect_small_groups(*hub);
}

}  // namespace
}  // namespace lockstep
