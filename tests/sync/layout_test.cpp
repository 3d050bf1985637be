// The layout of a dataset's files: which tables take it, and what a hub makes of another one.
#include "hub/partition.h"
#include "sync/dataset_layout.h"
#include "sync/plan.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

// `when` is text in raw, and a date from clean on.
std::string yaml(const std::string& layout) {
  return fmt::format(R"(
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  a: {{type: files, path: "a/*.csv", mode: upsert}}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {{id: int, ward: text, when: text, x: float}}
    {}
    clean:
      - cast: {{when: date}}
)",
                     layout);
}

std::string rows(int first, int count) {
  std::string text = "id,ward,when,x\n";
  for (int id = first; id < first + count; ++id)
    text += fmt::format("{},{},2026-{:02}-01,{}\n", id, id % 2 == 0 ? "a" : "b", id % 12 + 1, id);
  return text;
}

class Layout : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.configure(yaml("partition: [ward, month(when)]"));
    world_.put("a/1.csv", rows(0, 30));
    world_.open();
    ASSERT_TRUE(world_.is_open());
    world_.sync();
  }

  std::string partition_of(Layer layer) {
    const auto table = world_.hub().table({layer, "d"}, world_.hub().latest_snapshot());
    EXPECT_TRUE(table.ok());
    std::string text;
    for (const PartitionKey& key : table.value()->partition)
      text += (text.empty() ? "" : ", ") + partition_text(key);
    return text;
  }

  Plan plan_of(const std::string& layout) {
    world_.configure(yaml(layout));
    const Result<Configuration> configuration = world_.configuration();
    EXPECT_TRUE(configuration.ok()) << configuration.error().message;
    auto plan = make_plan(world_.hub(), configuration.value());
    EXPECT_TRUE(plan.ok()) << plan.error().message;
    return std::move(plan).value();
  }

  World world_;
};

TEST_F(Layout, IsTakenByTheTablesThatHaveTheColumns) {
  EXPECT_EQ(partition_of(Layer::kRaw), "ward");
  EXPECT_EQ(partition_of(Layer::kClean), "ward, month(when)");
  EXPECT_EQ(partition_of(Layer::kTrain), "ward, month(when)");
  EXPECT_EQ(partition_of(Layer::kRejected), "");
}

TEST_F(Layout, ChangesForNewFilesWithoutAsking) {
  EXPECT_TRUE(plan_of("partition: [ward, month(when)]").items.empty());
  const Plan plan = plan_of("partition: [ward]\n    sort: [x]");
  ASSERT_EQ(plan.items.size(), 1U);
  EXPECT_FALSE(plan.needs_apply());
  EXPECT_NE(plan.items[0].text.find("by ward, sorted by x"), std::string::npos) << plan.text();
  world_.open();
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(partition_of(Layer::kTrain), "ward");
  EXPECT_EQ(world_.hub().row_count({Layer::kRaw, "d"}, world_.hub().latest_snapshot()).value(), 30);
}

TEST_F(Layout, WritesAllRowsAnewForBuckets) {
  EXPECT_TRUE(plan_of("partition: [\"bucket(4, id)\"]").needs_apply());
  EngineOptions options;
  options.apply = true;
  world_.open(options);
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(partition_of(Layer::kRaw), "bucket(4, id)");
  EXPECT_EQ(world_.hub().row_count({Layer::kClean, "d"}, world_.hub().latest_snapshot()).value(),
            30);
}

TEST(LayoutOfADataset, IsRefusedWhereNoTableCanTakeIt) {
  World world;
  for (const char* layout : {"partition: [nobody]", "partition: [month(ward)]", "sort: [nobody]"}) {
    world.configure(yaml(layout));
    const Result<Configuration> configuration = world.configuration();
    ASSERT_TRUE(configuration.ok()) << configuration.error().message;
    const DatasetConfiguration& dataset = configuration.value().datasets.front();
    const auto flow = DatasetFlow::make(dataset, dataset.columns);
    ASSERT_FALSE(flow.ok()) << layout;
    EXPECT_NE(flow.error().message.find("dataset 'd', "), std::string::npos);
    EXPECT_FALSE(flow.error().hint.empty());
  }
}

}  // namespace
}  // namespace lockstep::test
