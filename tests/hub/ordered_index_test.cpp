// Rows of groups in their order (grouped_rows.h): whatever happened to the hub or to the files of
// its ordered indexes, the answer is that of a plain model, which sorts the rows in memory (hub-7).
#include "hub/ordered_index.h"

#include "hub/alter_history.h"
#include "hub/fault_support.h"
#include "hub/grouped_model.h"
#include "hub/hub_history.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lockstep {
namespace {

namespace files = std::filesystem;

// Files and inlined rows, a small key index, and entries sorted a few at a time.
constexpr HubOptions kSmall{.inline_rows_max = 6,
                            .log_bytes_max = 1 << 20,
                            .index = {.recent_max = 8, .build_max = 16},
                            .change_window_bytes = 1'000};

const GroupOrder kByName{{"name"}, {"x"}};

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

CommitRequest change_of(Batch rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, std::move(rows)});
  return request;
}

CommitRequest creation_of(Batch rows) {
  CommitRequest request = change_of(std::move(rows));
  request.create.push_back(small_table());
  return request;
}

void expect_small_groups(Hub& hub) {
  ASSERT_EQ(difference_of_groups_now(hub, small_table().name, kByName), "");
}

std::vector<std::string> ordered_files(const HubPlayground& ground) {
  std::vector<std::string> found;
  for (const auto& file : files::directory_iterator(ground.folder() + "/catalog.sqlite.index")) {
    if (file.path().extension() == ".ordered") found.push_back(file.path().string());
  }
  return found;
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
    auto hub = ground.open(kSmall);
    RandomHistory history(*hub, seed);
    for (int step = 0; step < 30; ++step) {
      SCOPED_TRACE(fmt::format("step {}", step));
      history.commit();
      // In some histories the indexes are asked for late, or fall behind.
      if (history.below(3) == 0) expect_groups(*hub, history);
      if (history.below(5) == 0) history.compact();
      if (history.below(10) == 0) history.collect();
      if (history.below(6) == 0) {
        hub.reset();
        hub = ground.open(kSmall);
        history.use(*hub);
      }
      if (HasFailure()) return;
    }
    expect_groups(*hub, history);
  }
}

TEST(OrderedIndex, IsMadeOnceAndThenKeptUp) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 50))));
  const Makings makings(ground.io());
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 1);
  for (std::int64_t id = 50; id < 90; id += 10) {
    must(hub->commit(change_of(numbered_rows(id, id + (id == 70 ? 3 : 10)))));
    must(hub->commit(change_of(numbered_rows(id - 50, id - 45, -1))));
    while (must(hub->compact({.rows_min = 1, .rows_max = 20, .older_rows_min = 1})).state !=
           CompactionState::kNothing) {
    }
    expect_small_groups(*hub);
    if (id != 60) continue;
    hub.reset();
    hub = ground.open(kSmall);
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
  hub = ground.open(kSmall);
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 1);
}

// As after a crash between a commit and the index's, with any number of commits in between.
TEST(OrderedIndex, BehindTheCatalogFollowsWhatCameSince) {
  HubPlayground ground;
  const std::string folder = ground.folder() + "/catalog.sqlite.index";
  const std::string kept = ground.folder() + "/kept";
  auto hub = ground.open(kSmall);
  RandomHistory history(*hub, 7);
  for (int step = 0; step < 6; ++step)
    history.commit();
  expect_groups(*hub, history);
  hub.reset();
  files::copy(folder, kept, files::copy_options::recursive);
  for (int round = 0; round < 4; ++round) {
    hub = ground.open(kSmall);
    history.use(*hub);
    for (std::size_t step = 0; step < 1 + history.below(6); ++step)
      history.commit();
    history.compact();
    hub.reset();
    files::remove_all(folder);
    files::copy(kept, folder, files::copy_options::recursive);
    hub = ground.open(kSmall);
    expect_groups(*hub, history);
    hub.reset();
  }
}

TEST(OrderedIndex, BehindTheCatalogIsNotMadeAgain) {
  HubPlayground ground;
  const std::string folder = ground.folder() + "/catalog.sqlite.index";
  const std::string kept = ground.folder() + "/kept";
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 50))));
  expect_small_groups(*hub);
  hub.reset();
  files::copy(folder, kept, files::copy_options::recursive);
  hub = ground.open(kSmall);
  const std::vector<Batch> moved = {numbered_rows(0, 9, -1), numbered_rows(3, 9, 1, -2.0)};
  must(hub->commit(change_of(must(concatenate(small_table().schema, moved)))));
  must(hub->commit(change_of(numbered_rows(60, 80))));
  while (must(hub->compact({.rows_min = 1, .rows_max = 20, .older_rows_min = 1})).state !=
         CompactionState::kNothing) {
  }
  must(hub->commit(change_of(numbered_rows(20, 25, -1))));
  hub.reset();
  files::remove_all(folder);
  files::copy(kept, folder, files::copy_options::recursive);
  const Makings makings(ground.io());
  hub = ground.open(kSmall);
  expect_small_groups(*hub);
  EXPECT_EQ(makings.count(), 0);
}

// An index of a future that was lost, or whose snapshot expired, is of no use.
TEST(OrderedIndex, OfAnotherHistoryIsMadeAgain) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 20))));
  hub.reset();
  const std::string kept = ground.folder() + "/kept";
  files::copy(ground.folder() + "/catalog.sqlite", kept);
  hub = ground.open(kSmall);
  must(hub->commit(change_of(numbered_rows(20, 40))));
  expect_small_groups(*hub);
  hub.reset();
  files::copy(kept, ground.folder() + "/catalog.sqlite", files::copy_options::overwrite_existing);
  hub = ground.open(kSmall);
  expect_small_groups(*hub);
  must(hub->commit(change_of(numbered_rows(50, 60))));
  expect_small_groups(*hub);
}

TEST(OrderedIndex, ThatIsGoneOrDamagedIsMadeAgain) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 400))));
  expect_small_groups(*hub);
  hub.reset();
  ASSERT_EQ(ordered_files(ground).size(), 1U);
  const std::string path = ordered_files(ground).front();
  const auto size = files::file_size(path);
  ASSERT_GT(size, 8'192U);
  // Nothing of it, its head, its first half.
  for (const std::uintmax_t left : {std::uintmax_t{0}, std::uintmax_t{100}, size / 2}) {
    files::resize_file(path, left);
    hub = ground.open(kSmall);
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
    hub = ground.open(kSmall);
    expect_small_groups(*hub);
    must(hub->commit(change_of(numbered_rows(1'000 + number(hub->next_snapshot()),
                                             1'001 + number(hub->next_snapshot())))));
    expect_small_groups(*hub);
    hub.reset();
    if (HasFailure()) return;
  }
  files::remove(path);
  hub = ground.open(kSmall);
  expect_small_groups(*hub);
}

// hub-11
TEST(OrderedIndex, KnowsTheCommitsOfAnOpenGroupAndForgetsThoseOfALostOne) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
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
    if (!flushed) hub = ground.open(kSmall);
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
    auto hub = ground.open(kSmall);
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
      expect_staged(kByName);
    }
    expect_staged({{"name"}, {}});  // made amid the load
    if (end != "committed") {
      hub.reset();
      hub = ground.open(kSmall);
      expect_small_groups(*hub);
    }
    if (end == "resumed") {
      ASSERT_TRUE(must(hub->left_load("load")).has_value());
      must(hub->resume_load());
      expect_staged(kByName);
    }
    must(hub->commit(change_of(numbered_rows(70, 75))));
    expect_small_groups(*hub);
    ASSERT_EQ(difference_of_groups_now(*hub, small_table().name, {{"name"}, {}}), "");
    hub.reset();
    hub = ground.open(kSmall);
    expect_small_groups(*hub);
    EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())),
              end == "left" ? 25 : 58);
  }
}

// Of a -1 row only the key is used.
TEST(OrderedIndex, PassesOverRowsThatWentWithoutSayingWhereTheyStood) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
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
  EXPECT_EQ(must(hub->lookup_groups(small_table().name, kByName, {.groups = group, .rows_max = 1}))
                .rows.row_count(),
            1);
  expect_small_groups(*hub);
  // A row comes back to where it had stood.
  must(hub->commit(change_of(numbered_rows(3, 4))));
  expect_small_groups(*hub);
  hub.reset();
  hub = ground.open(kSmall);
  expect_small_groups(*hub);
}

TEST(OrderedIndex, RefusesAGroupOfMoreRowsThanMayBe) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 51))));
  const Batch groups = batch_of(Schema({{"name", Type::kText}, {"x", Type::kFloat}}),
                                {{std::string("nobody"), 0.0}, {std::string("name 4"), 10.5}});
  GroupQuestion question{.groups = groups, .rows_max = 3};
  EXPECT_EQ(must(hub->lookup_groups(small_table().name, kByName, question)).first_row_of,
            (std::vector<std::int64_t>{0, 0, 3}));
  question.rows_max = 2;
  const auto refused = hub->lookup_groups(small_table().name, kByName, question);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message, "raw.vitals: the group name=name 4 has more than 2 rows");
  EXPECT_EQ(refused.error().hint, "raise the limit of rows a group, or group by one more column");
  // What is within reach counts.
  question.reach = GroupReach{1, 0};
  EXPECT_EQ(must(hub->lookup_groups(small_table().name, kByName, question)).rows.row_count(), 2);
}

TEST(OrderedIndex, RefusesQuestionsThatDoNotFitTheTable) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  must(hub->commit(creation_of(numbered_rows(0, 3))));
  const Batch names = batch_of(Schema({{"name", Type::kText}}), {{std::string("name 1")}});
  const Batch ids = batch_of(Schema({{"id", Type::kInt}, {"name", Type::kInt}}),
                             {{std::int64_t{1}, std::int64_t{1}}});
  const TableName table = small_table().name;
  const auto message = [&](const GroupOrder& order, const GroupQuestion& question) {
    const auto found = hub->lookup_groups(table, order, question);
    return found.ok() ? std::string("an answer") : found.error().message;
  };
  EXPECT_EQ(message({{}, {"x"}}, {.groups = names, .rows_max = 9}),
            "groups of raw.vitals: no column is named that makes them");
  EXPECT_TRUE(message({{"nam"}, {}}, {.groups = names, .rows_max = 9})
                  .starts_with("groups of raw.vitals: "));
  EXPECT_EQ(message({{"name"}, {}}, {.groups = ids, .rows_max = 9}),
            "looking up in raw.vitals: name is int, the table has text");
  EXPECT_TRUE(message(kByName, {.groups = names, .rows_max = 9, .reach = GroupReach{1, 1}})
                  .starts_with("looking up in raw.vitals: "));
  EXPECT_EQ(message(kByName, {.groups = names, .rows_max = 0}), "groups of no rows are asked for");
  EXPECT_EQ(message({{"name"}, {}}, {.groups = names, .rows_max = 9, .reach = GroupReach{-1, 1}}),
            "the reach of a question for groups is negative");
  const auto reader = ground.open(kSmall, HubMode::kRead);
  EXPECT_FALSE(reader->lookup_groups(table, kByName, {.groups = names, .rows_max = 9}).ok());
}

// hub-10
TEST(OrderedIndex, FollowsAColumnByItsIdAndNotByItsName) {
  HubPlayground ground;
  auto hub = ground.open(kSmall);
  TableDefinition table{{Layer::kRaw, "visits"},
                        Schema({{"id", Type::kInt}, {"ward", Type::kText}, {"hour", Type::kInt}}),
                        {"id"}};
  CommitRequest load;
  load.create.push_back(table);
  std::vector<std::vector<Value>> rows;
  for (std::int64_t id = 0; id < 30; ++id)
    rows.push_back({id, std::string(id % 3 == 0 ? "a" : "b"), id * 7 % 10});
  load.changes.push_back({table.name, batch_of(table.schema, rows)});
  must(hub->commit(load));
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"ward"}, {"hour"}}), "");
  const std::vector<std::string> before = ordered_files(ground);
  const auto alter = [&](std::vector<Field> fields, std::map<std::string, std::string> renamed) {
    table.schema = Schema(std::move(fields));
    CommitRequest request;
    request.alter.push_back({table, std::move(renamed)});
    must(hub->commit(request));
  };
  // Renamed: the same file.
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kInt}}, {{"unit", "ward"}});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  EXPECT_EQ(ordered_files(ground), before);
  // Of another type: another index under its name.
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kFloat}}, {});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  // Gone, and a new one of its name: the file goes too.
  alter({{"id", Type::kInt}, {"unit", Type::kText}}, {});
  EXPECT_TRUE(ordered_files(ground).empty());
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kInt}}, {});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  EXPECT_NE(ordered_files(ground), before);
  CommitRequest drop;
  drop.drop.push_back(table.name);
  must(hub->commit(drop));
  EXPECT_TRUE(ordered_files(ground).empty());
}

TEST(OrderedIndex, OfATableWhoseColumnsChangeAnswersAsAModelDoes) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HubPlayground ground;
    auto hub = ground.open(kSmall);
    AlterHistory history(*hub, seed);
    for (int step = 0; step < 25; ++step) {
      history.commit();
      const auto table = must(hub->table(AlterHistory::table(), hub->latest_snapshot()));
      const auto& fields = table->schema.fields();
      const GroupOrder order{{fields[1].name}, {fields.back().name}};
      if (history.below(3) > 0) {
        ASSERT_EQ(difference_of_groups_now(*hub, AlterHistory::table(), order), "") << step;
      }
      if (history.below(5) > 0) continue;
      hub.reset();
      hub = ground.open(kSmall);
      history.use(*hub);
    }
  }
}

TEST(OrderedIndex, GroupsOfTextsWithNulsAndOfNumbersStandInOrder) {
  const auto io = make_simulated_machine(1);
  OrderedIndex index(*io, {"/x/7-1-2.ordered", SqliteFiles::kIo, "test"});
  EXPECT_FALSE(index.open().has_value());
  must(index.create());
  const std::string nul(1, '\0');
  const std::vector<Value> groups = {Value{},
                                     std::string(),
                                     nul,
                                     nul + nul,
                                     std::string("a"),
                                     "a" + nul,
                                     std::string("a\x01", 2),
                                     std::string("ab")};
  const std::vector<Value> orders = {Value{}, -INFINITY, -1.5, 0.0, 5e-324, 2.0, INFINITY, NAN};
  OrderedEntries all;
  for (const Value& group : groups) {
    for (const Value& order : orders) {
      for (const std::int64_t id : {-2, 1})
        all.push_back({encode_key({{group}}), encode_key({{order}}), encode_key({{Value{id}}})});
    }
  }
  EXPECT_TRUE(std::ranges::is_sorted(all));
  OrderedEntries turned = all;
  std::ranges::reverse(turned);
  must(index.add(turned));
  must(index.add(turned));  // no harm
  must(index.settle({.snapshot = 3, .time_us = 4, .next_file_id = 5}));
  index.close();
  EXPECT_EQ(index.open(), (IndexStamp{.snapshot = 3, .time_us = 4, .next_file_id = 5}));
  for (std::size_t at = 0; at < all.size(); at += 2) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(at / 16 * 16);
    const auto place = all.begin() + static_cast<std::ptrdiff_t>(at);
    const OrderedPlace asked{place->group, place->order};
    EXPECT_EQ(must(index.of_group(asked.group, 100)), OrderedEntries(first, first + 16));
    EXPECT_EQ(must(index.at(asked, 100)), OrderedEntries(place, place + 2));
    EXPECT_EQ(must(index.before(asked, 100)), OrderedEntries(first, place));
    EXPECT_EQ(must(index.behind(asked, 100)), OrderedEntries(place + 2, first + 16));
    EXPECT_EQ(
        must(index.before(asked, 3)),
        OrderedEntries(std::max(first, place - std::min<std::ptrdiff_t>(3, place - first)), place));
  }
  EXPECT_FALSE(
      OrderedIndex(*io, {"/x/7-1-2.ordered", SqliteFiles::kIo, "other"}).open().has_value());
}

}  // namespace
}  // namespace lockstep
