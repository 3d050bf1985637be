// A scan with conditions gives what a whole scan and a look at each row give, and says what it
// passed over.
#include "hub/hub_support.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace lockstep {
namespace {

const Schema& schema() {
  static const Schema kSchema = all_types().schema;
  return kSchema;
}

Value random_value(std::mt19937& random, Type type) {
  const auto small = static_cast<std::int64_t>(random() % 9);
  if (random() % 8 == 0) return {};
  switch (type) {
    case Type::kBool:
      return small % 2 == 0;
    case Type::kInt:
      return small;
    case Type::kFloat:
      if (random() % 9 == 0) return std::numeric_limits<double>::quiet_NaN();
      if (random() % 9 == 0) return -std::numeric_limits<double>::infinity();
      return static_cast<double>(small) / 2 - 2;
    case Type::kText:
      return std::string(static_cast<std::size_t>(small % 3), 'a') + std::to_string(small);
    case Type::kDate:
      return Date{static_cast<std::int32_t>(small)};
    case Type::kTimestamp:
      return Timestamp{small};
  }
  return {};
}

Predicate random_predicate(std::mt19937& random) {
  const Field& field = schema().field(static_cast<int>(random() % 6));
  Predicate predicate;
  predicate.column = field.name;
  predicate.comparison = static_cast<Comparison>(random() % 6);
  while (is_null(predicate.value))
    predicate.value = random_value(random, field.type);
  return predicate;
}

Batch collect(Hub& hub, SnapshotId at, const ScanOptions& options, ScanCounters& counters) {
  auto scan = must(hub.scan(all_types().name, at, options));
  std::vector<Batch> parts;
  while (auto part = must(scan->next()))
    parts.push_back(*part);
  counters = scan->counters();
  return must(concatenate(schema(), parts));
}

TEST(ScanFilter, GivesTheRowsOfAWholeScanThatMatch) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    HubPlayground ground;
    auto hub = ground.open({.inline_rows_max = 6});
    CommitRequest create;
    create.create.push_back(all_types());
    must(hub->commit(create));
    std::int64_t id = 0;
    for (int commit = 0; commit < 8; ++commit) {
      BatchBuilder rows(schema());
      for (unsigned row = 0; row < 1 + random() % 20; ++row) {
        rows.append(0, Value(id++));
        for (int column = 1; column < schema().size(); ++column)
          rows.append(column, random_value(random, schema().field(column).type));
        rows.append_sign(1);
      }
      CommitRequest request;
      request.changes.push_back({all_types().name, must(rows.finish())});
      must(hub->commit(request));
    }
    ScanCounters counters;
    const Batch all = collect(*hub, hub->latest_snapshot(), {}, counters);
    for (int question = 0; question < 60; ++question) {
      ScanOptions options;
      for (unsigned one = 0; one < 1 + random() % 2; ++one)
        options.where.push_back(random_predicate(random));
      std::vector<std::int64_t> wanted;
      for (std::int64_t row = 0; row < all.row_count(); ++row) {
        bool matches = true;
        for (const Predicate& one : options.where) {
          const Value value = all.value(*schema().index_of(one.column), row);
          matches = matches && !is_null(value) && holds(value, one.comparison, one.value);
        }
        if (matches) wanted.push_back(row);
      }
      const Batch found = collect(*hub, hub->latest_snapshot(), options, counters);
      EXPECT_TRUE(found.equals(all.select_rows(wanted))) << options.where.front().column;
    }
  }
}

TEST(ScanFilter, PassesOverFilesByTheCatalogsStatisticsAndSaysSo) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 5});
  CommitRequest create;
  create.create.push_back(small_table());
  must(hub->commit(create));
  for (int file = 0; file < 5; ++file) {
    CommitRequest request;
    request.changes.push_back({small_table().name, numbered_rows(100 * file, 100 * file + 100)});
    must(hub->commit(request));
  }
  ScanOptions options;
  options.where = must(parse_predicates("id >= 250 and id < 260", small_table().schema));
  auto scan = must(hub->scan(small_table().name, hub->latest_snapshot(), options));
  std::int64_t rows = 0;
  while (auto part = must(scan->next()))
    rows += part->row_count();
  EXPECT_EQ(rows, 10);
  EXPECT_EQ(scan->counters().files_read, 1);
  EXPECT_EQ(scan->counters().files_skipped, 4);
}

TEST(ScanFilter, ReadsAConditionAsItIsWritten) {
  const Schema columns = small_table().schema;
  const auto two = must(parse_predicates(" id>=3 and \"name\" != 'it''s' ", columns));
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].column, "id");
  EXPECT_EQ(two[0].comparison, Comparison::kAtLeast);
  EXPECT_EQ(std::get<std::int64_t>(two[0].value), 3);
  EXPECT_EQ(two[1].comparison, Comparison::kNotEqual);
  EXPECT_EQ(std::get<std::string>(two[1].value), "it's");
  for (const char* wrong : {"",
                            "id",
                            "id =",
                            "id = x",
                            "nobody = 1",
                            "name = word",
                            "id = 1 or id = 2",
                            "id = 1 and",
                            "name = 'open",
                            "id == 1.5"}) {
    EXPECT_FALSE(parse_predicates(wrong, columns).ok()) << wrong;
  }
  ScanOptions options;
  options.where = {{"id", Comparison::kEqual, Value(std::string("3"))}};
  HubPlayground ground;
  auto hub = ground.open();
  CommitRequest create;
  create.create.push_back(small_table());
  must(hub->commit(create));
  EXPECT_FALSE(hub->scan(small_table().name, hub->latest_snapshot(), options).ok());
}

}  // namespace
}  // namespace lockstep
