// Corners where data, models and commands meet.
#include "sync/world.h"

#include <fmt/format.h>

namespace lockstep::test {
namespace {

std::string two_datasets(bool with_second) {
  std::string out =
      "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
      "sources:\n  a: {type: files, path: \"a/*.csv\", mode: upsert}\n";
  if (with_second) out += "  b: {type: files, path: \"b/*.csv\", mode: upsert}\n";
  out += "datasets:\n  first: {from: [a], key: [id], columns: {id: int, v: float}}\n";
  if (with_second) out += "  second: {from: [b], key: [id], columns: {id: int, v: float}}\n";
  return out;
}

TEST(Edges, ATargetThatNoTestRowHasHoldsUpNothing) {
  World world;
  world.configure(
      "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
      "sources: {drop: {type: files, path: \"in/*.csv\", mode: upsert}}\n"
      "datasets:\n"
      "  rows:\n"
      "    from: [drop]\n"
      "    key: [id]\n"
      "    columns: {id: int, x: float, y: float, z: float}\n"
      "    train: [split: {where: \"id % 3 == 0\"}]\n"
      "models:\n"
      "  m:\n"
      "    dataset: rows\n"
      "    features: [x]\n"
      "    targets: [y, z]\n"
      "    per_target: true\n"
      "    expand: [standardize]\n"
      "    learner: {type: ridge, l2: 0.01}\n"
      "    calibrate_after: 50 rows\n");
  const auto rows = [](int first, int count) {
    std::string out = "id,x,y,z\n";
    for (int id = first; id < first + count; ++id) {
      const double x = static_cast<double>((id * 37) % 101) / 10.0;
      const std::string z = id % 3 == 0 ? "" : fmt::format("{}", 3 * x + (id % 7) / 10.0);
      out += fmt::format("{},{},{},{}\n", id, x, 2 * x + (id % 5) / 10.0, z);
    }
    return out;
  };
  world.open();
  world.put("in/1.csv", rows(0, 300));
  EXPECT_EQ(world.sync()["versions"][0]["status"], "ready");
  world.open();
  for (int batch = 0; batch < 4; ++batch) {
    world.put(fmt::format("in/more-{}.csv", batch), rows(300 + 30 * batch, 30));
    const Json report = world.sync();
    EXPECT_EQ(report["versions"][0]["status"], "ready") << report.dump();
    world.open();
  }
}

TEST(Edges, ASnapshotFromBeforeADatasetCanBeReverted) {
  World world;
  world.configure(two_datasets(false));
  world.open();
  world.put("a/1.csv", "id,v\n1,1\n");
  const auto snapshot = world.sync()["snapshot"].get<std::int64_t>();
  world.configure(two_datasets(true));
  world.open();
  world.put("b/1.csv", "id,v\n7,1\n");
  world.sync();
  world.run({{"command", "revert"}, {"snapshot", std::to_string(snapshot)}});
  EXPECT_TRUE(world.lines(Layer::kRaw, "first").empty());
  EXPECT_EQ(world.lines(Layer::kRaw, "second").size(), 1U);
}

TEST(Edges, NaNInTheLatestColumnDecidesTheSameInEveryOrder) {
  for (const bool nan_first : {false, true}) {
    World world;
    world.configure(
        "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
        "sources:\n"
        "  a: {type: files, path: \"a/*.csv\", mode: upsert}\n"
        "  b: {type: files, path: \"b/*.csv\", mode: upsert}\n"
        "datasets:\n"
        "  rows: {from: [a, b], key: [id], columns: {id: int, v: float}, latest: v}\n");
    world.open();
    world.put(nan_first ? "a/1.csv" : "b/1.csv", "id,v\n1,nan\n");
    world.sync();
    world.put(nan_first ? "b/1.csv" : "a/1.csv", "id,v\n1,1\n");
    world.sync();
    EXPECT_EQ(world.lines(Layer::kClean, "rows"), std::vector<std::string>{"1|nan"}) << nan_first;
  }
}

TEST(Edges, AMirrorDoesNotUndoARevertedDelete) {
  World world;
  world.configure(
      "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
      "sources: {drop: {type: files, path: \"in/*.csv\", mode: mirror}}\n"
      "datasets:\n  rows: {from: [drop], key: [id], columns: {id: int, v: float}}\n");
  world.open();
  const std::string ten = "id,v\n1,1\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n10,1\n";
  world.put("in/a.csv", ten);
  world.sync();
  world.put("in/a.csv", ten.substr(0, ten.size() - 5));
  world.sync();
  ASSERT_EQ(world.lines(Layer::kRaw, "rows").size(), 9U);
  world.run({{"command", "revert"}, {"snapshot", "latest"}});
  ASSERT_EQ(world.lines(Layer::kRaw, "rows").size(), 10U);
  world.put("in/a.csv", "id,v\n1,2\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n");
  world.sync();
  EXPECT_EQ(world.lines(Layer::kRaw, "rows").size(), 10U) << "the row that a user brought back";
}

TEST(Edges, DatasetsThatDifferOnlyInCaseAreRefused) {
  World world;
  std::string text = two_datasets(true);
  text.replace(text.find("second:"), 6, "FIRST");
  world.configure(text);
  const Result<void> opened = world.try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("differ only in case"), std::string::npos)
      << opened.error().message;
}

TEST(Edges, ADateThatReadersTakeForInfinityIsRejected) {
  World world;
  world.configure(
      "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
      "sources: {drop: {type: files, path: \"in/*.csv\"}}\n"
      "datasets:\n  rows: {from: [drop], key: [id], columns: {id: int, t: timestamp, d: date}}\n");
  world.open();
  world.put("in/a.csv",
            "id,t,d\n1,294247-01-10 04:00:54.775807,2020-01-01\n2,2020-01-01 08:00,5881580-07-11\n"
            "3,2020-01-01 08:00,2020-01-01\n");
  EXPECT_EQ(world.sync()["rejected"], 2);
  EXPECT_EQ(world.lines(Layer::kRaw, "rows").size(), 1U);
}

}  // namespace
}  // namespace lockstep::test
