// What may be asked of an ordered index, and what of its table's columns changing.
#include "base/simulated_io.h"
#include "hub/alter_history.h"
#include "hub/ordered_index.h"
#include "hub/ordered_index_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

TEST(OrderedIndexQuestion, RefusesAGroupOfMoreRowsThanMayBe) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
  must(hub->commit(creation_of(numbered_rows(0, 51))));
  const Batch groups = batch_of(Schema({{"name", Type::kText}, {"x", Type::kFloat}}),
                                {{std::string("nobody"), 0.0}, {std::string("name 4"), 10.5}});
  GroupQuestion question{.groups = groups, .rows_max = 3};
  EXPECT_EQ(must(hub->lookup_groups(small_table().name, names_by_x(), question)).first_row_of,
            (std::vector<std::int64_t>{0, 0, 3}));
  question.rows_max = 2;
  const auto refused = hub->lookup_groups(small_table().name, names_by_x(), question);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message, "raw.vitals: the group name=name 4 has more than 2 rows");
  EXPECT_EQ(refused.error().hint, "raise the limit of rows a group, or group by one more column");
  // What is within reach counts.
  question.reach = GroupReach{1, 0};
  EXPECT_EQ(must(hub->lookup_groups(small_table().name, names_by_x(), question)).rows.row_count(),
            2);
}

TEST(OrderedIndexQuestion, RefusesQuestionsThatDoNotFitTheTable) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
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
  EXPECT_TRUE(message(names_by_x(), {.groups = names, .rows_max = 9, .reach = GroupReach{1, 1}})
                  .starts_with("looking up in raw.vitals: "));
  EXPECT_EQ(message(names_by_x(), {.groups = names, .rows_max = 0}),
            "groups of no rows are asked for");
  EXPECT_EQ(message({{"name"}, {}}, {.groups = names, .rows_max = 9, .reach = GroupReach{-1, 1}}),
            "the reach of a question for groups is negative");
  const auto reader = ground.open(kSmallPieces, HubMode::kRead);
  EXPECT_FALSE(reader->lookup_groups(table, names_by_x(), {.groups = names, .rows_max = 9}).ok());
}

// hub-10
TEST(OrderedIndexQuestion, FollowsAColumnByItsIdAndNotByItsName) {
  HubPlayground ground;
  auto hub = ground.open(kSmallPieces);
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
  const std::vector<std::string> before = ordered_files(ground.folder());
  const auto alter = [&](std::vector<Field> fields, std::map<std::string, std::string> renamed) {
    table.schema = Schema(std::move(fields));
    CommitRequest request;
    request.alter.push_back({table, std::move(renamed)});
    must(hub->commit(request));
  };
  // Renamed: the same file.
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kInt}}, {{"unit", "ward"}});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  EXPECT_EQ(ordered_files(ground.folder()), before);
  // Of another type: another index under its name.
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kFloat}}, {});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  // Gone, and a new one of its name: the file goes too.
  alter({{"id", Type::kInt}, {"unit", Type::kText}}, {});
  EXPECT_TRUE(ordered_files(ground.folder()).empty());
  alter({{"id", Type::kInt}, {"unit", Type::kText}, {"hour", Type::kInt}}, {});
  ASSERT_EQ(difference_of_groups_now(*hub, table.name, {{"unit"}, {"hour"}}), "");
  EXPECT_NE(ordered_files(ground.folder()), before);
  CommitRequest drop;
  drop.drop.push_back(table.name);
  must(hub->commit(drop));
  EXPECT_TRUE(ordered_files(ground.folder()).empty());
}

TEST(OrderedIndexQuestion, OfATableWhoseColumnsChangeAnswersAsAModelDoes) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HubPlayground ground;
    auto hub = ground.open(kSmallPieces);
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
      hub = ground.open(kSmallPieces);
      history.use(*hub);
    }
  }
}

TEST(OrderedIndexQuestion, GroupsOfTextsWithNulsAndOfNumbersStandInOrder) {
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
