// A file of more rows than one batch is one snapshot, with what the same batches give one by one;
// and a load that ends half-way shows nothing and is gone on with.
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace lockstep::test {
namespace {

std::string yaml(const std::string& load) {
  return "hub: {commit_rows_max: 9, load: " + load + "}\n" + R"(
sources:
  a: {type: files, path: "in/*.csv", mode: upsert, operation: _op}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, ward: text, x: float, y: float}
    clean: [range: {columns: [x], min: 0, max: 50, otherwise: reject}]
    train: [split: {by: id, test: 0.2}]
models:
  m:
    dataset: d
    features: [x]
    targets: [y]
    expand: [standardize]
    learner: {type: ridge, l2: auto}
    calibrate_after: 5 rows
    gate: "off"
)";
}

// Rows whose keys come again, leave, are refused, and are rejected by a step.
std::string random_rows(Dice& dice, int count, int key_count) {
  std::string text = "_op,id,ward,x,y\n";
  for (int row = 0; row < count; ++row) {
    const auto id = dice.below(static_cast<std::uint64_t>(key_count));
    const auto x = dice.below(53);
    const char* operation = dice.one_in(6) ? "D" : "U";
    const std::string cell = dice.one_in(15) ? "wrong" : std::to_string(x);
    text += fmt::format("{},{},w{},{},{}\n", operation, id, id % 3, cell, 2 * x + id % 4);
  }
  return text;
}

std::string new_rows(int first, int count) {
  std::string text = "_op,id,ward,x,y\n";
  for (int id = first; id < first + count; ++id)
    text += fmt::format("I,{},w{},{},{}\n", id, id % 3, id % 47, 3 * (id % 47) + id % 5);
  return text;
}

struct Outcome {
  std::vector<std::vector<std::string>> layers;
  std::string weights;
  std::int64_t folded = 0;
  std::int64_t tested = 0;

  bool operator==(const Outcome&) const = default;
};

Outcome outcome(World& world) {
  Outcome out;
  for (const Layer layer : {Layer::kRaw, Layer::kClean, Layer::kTrain, Layer::kRejected})
    out.layers.push_back(world.lines(layer, "d"));
  const std::vector<ModelVersionRecord> versions = world.versions("m");
  if (versions.empty()) return out;
  out.weights = versions.back().weights_sha256;
  out.folded = versions.back().folded;
  out.tested = versions.back().tested;
  return out;
}

TEST(Load, GivesWhatTheSameBatchesGiveOneByOne) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::vector<Outcome> outcomes;
    for (const char* load : {"one snapshot", "by batch"}) {
      World world;
      world.configure(yaml(load));
      world.open();
      ASSERT_TRUE(world.is_open());
      Dice dice(seed);
      world.put("in/1.csv", new_rows(0, 40));
      world.sync();
      for (int file = 2; file < 6; ++file) {
        world.put(fmt::format("in/{}.csv", file), random_rows(dice, 60, 50));
        world.sync();
      }
      world.expect_exact();
      outcomes.push_back(outcome(world));
      // A writer that opens the hub anew finds the same rows under the same keys.
      world.open();
      world.put("in/9.csv", random_rows(dice, 20, 50));
      world.sync();
      world.expect_exact();
      outcomes.push_back(outcome(world));
    }
    EXPECT_EQ(outcomes[0].layers, outcomes[2].layers);
    EXPECT_TRUE(outcomes[0] == outcomes[2]);
    EXPECT_TRUE(outcomes[1] == outcomes[3]);
  }
}

TEST(Load, IsOneSnapshotWithOneVersionUnlessTheUserWantsMany) {
  for (const bool in_one : {true, false}) {
    World world;
    world.configure(yaml(in_one ? "one snapshot" : "by batch"));
    world.put("in/1.csv", new_rows(0, 45));
    world.open();
    ASSERT_TRUE(world.is_open());
    const SnapshotId before = world.hub().latest_snapshot();
    const Json report = world.sync();
    EXPECT_EQ(report["commits"].get<int>(), in_one ? 1 : 5);
    EXPECT_EQ(number(world.hub().latest_snapshot()) - number(before), in_one ? 1 : 5);
    EXPECT_EQ(world.versions("m").size(), in_one ? 1U : 5U);
    EXPECT_EQ(report["changes"]["inserted"].get<int>(), 45);
    EXPECT_EQ(report["unfinished"].dump(), "[]");
  }
}

TEST(Load, OfRowsThatAreAllThereMakesNoSnapshot) {
  World world;
  world.configure(yaml("one snapshot"));
  world.put("in/1.csv", new_rows(0, 45));
  world.open();
  ASSERT_TRUE(world.is_open());
  world.sync();
  const SnapshotId before = world.hub().latest_snapshot();
  world.put("in/2.csv", new_rows(0, 45));
  EXPECT_EQ(world.sync()["commits"].get<int>(), 0);
  EXPECT_EQ(world.hub().latest_snapshot(), before);
  world.open();
  EXPECT_EQ(world.sync()["commits"].get<int>(), 0);
}

std::set<std::string> parquet_files(World& world) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.path("hub/data"))) {
    if (entry.path().extension() == ".parquet") names.insert(entry.path().filename());
  }
  return names;
}

TEST(Load, ThatWasStoppedShowsNothingAndIsGoneOnWith) {
  World whole;
  whole.configure(yaml("one snapshot"));
  Dice dice(77);
  const std::string text = random_rows(dice, 210, 60);
  whole.put("in/1.csv", new_rows(0, 40));
  whole.put("in/2.csv", text);
  whole.open();
  ASSERT_TRUE(whole.is_open());
  whole.sync();
  const Outcome expected = outcome(whole);

  World world;
  world.configure(yaml("one snapshot"));
  world.put("in/1.csv", new_rows(0, 40));
  world.open();
  ASSERT_TRUE(world.is_open());
  world.sync();
  world.put("in/2.csv", text);
  const Outcome before = outcome(world);
  const SnapshotId snapshot = world.hub().latest_snapshot();
  std::set<std::string> kept;
  for (int stops = 0; stops < 3; ++stops) {
    int batches = 0;
    EngineOptions options;
    options.stop = [&batches] { return ++batches > 6; };
    world.open(options);
    ASSERT_TRUE(world.is_open());
    EXPECT_EQ(world.sync()["unfinished"].dump(), R"(["a"])");
    world.open();
    EXPECT_EQ(world.hub().latest_snapshot(), snapshot);
    EXPECT_TRUE(outcome(world) == before);
    const std::set<std::string> now = parquet_files(world);
    EXPECT_GT(now.size(), kept.size());
    for (const std::string& name : kept)
      EXPECT_TRUE(now.contains(name)) << name << " was written in vain";
    kept = now;
  }
  world.sync();
  EXPECT_EQ(number(world.hub().latest_snapshot()), number(snapshot) + 1);
  EXPECT_EQ(outcome(world).layers, expected.layers);
  EXPECT_TRUE(outcome(world) == expected);
  world.expect_exact();
}

TEST(Load, ThatFailsAtAnyOperationIsWholeAfterTheNextSync) {
  Dice dice(5);
  const std::string text = random_rows(dice, 60, 40);
  std::optional<Outcome> expected;
  for (int failing = -1;; failing += failing < 0 ? 1 : 1 + failing / 12) {
    SCOPED_TRACE(failing);
    World world;
    world.configure(yaml("one snapshot"));
    world.put("in/1.csv", new_rows(0, 20));
    world.open();
    ASSERT_TRUE(world.is_open());
    world.sync();
    world.put("in/2.csv", text);
    int count = 0;
    bool happened = false;
    world.io().observe([&](IoOperation operation, std::string_view path) -> Result<void> {
      if (path.find("/in/") != std::string_view::npos || count++ != failing) return {};
      happened = true;
      return make_error(Code::kIo,
                        fmt::format("{} of {} fails", io_operation_name(operation), path));
    });
    const Result<Json> report = world.engine().sync();
    world.io().observe({});
    if (failing >= 0 && !happened) break;
    world.open();
    ASSERT_TRUE(world.is_open());
    world.sync();
    world.expect_exact();
    if (!expected) expected = outcome(world);
    EXPECT_TRUE(outcome(world) == *expected);
    EXPECT_EQ(std::filesystem::exists(world.path("hub/data/_load.journal")), false);
  }
}

// Stopped behind some of its batches.
void begin_load(World& world, int batches) {
  int asked = 0;
  EngineOptions options;
  options.stop = [&] { return ++asked > batches + 1; };
  world.open(options);
  ASSERT_TRUE(world.is_open());
  EXPECT_EQ(world.sync()["unfinished"].dump(), R"(["a"])");
}

TEST(Load, ThatWasLeftTakesItsFileAsItIsNow) {
  for (const char* change : {"other rows", "gone", "more rows"}) {
    SCOPED_TRACE(change);
    World world;
    world.configure(yaml("one snapshot"));
    world.open();
    ASSERT_TRUE(world.is_open());
    const std::string text = new_rows(0, 60);
    world.put("in/1.csv", text);
    begin_load(world, 3);
    if (std::string(change) == "other rows") world.put("in/1.csv", new_rows(1000, 50));
    if (std::string(change) == "more rows") world.put("in/1.csv", text + "I,777,w1,1,2\n");
    if (std::string(change) == "gone") world.remove("in/1.csv");
    world.open();
    world.sync();
    const std::map<std::string, std::size_t> rows = {
        {"other rows", 50}, {"more rows", 61}, {"gone", 0}};
    const std::size_t expected = rows.at(change);
    EXPECT_EQ(world.lines(Layer::kRaw, "d").size(), expected);
    if (expected == 50) {
      for (const std::string& line : world.lines(Layer::kRaw, "d"))
        EXPECT_NE(line.find("10"), std::string::npos) << line << " is of the old content";
    }
    if (expected > 0) world.expect_exact();
  }
}

TEST(Load, IsOfOneFileAlone) {
  for (const int count : {17, 18, 19}) {
    SCOPED_TRACE(count);
    World world;
    world.configure(yaml("one snapshot"));
    world.put("in/1.csv", new_rows(0, count));
    world.put("in/2.csv", new_rows(100, 3));
    world.put("in/3.csv", new_rows(200, 30));
    world.open();
    ASSERT_TRUE(world.is_open());
    const Json report = world.sync();
    EXPECT_EQ(report["changes"]["inserted"].get<int>(), count + 33);
    EXPECT_EQ(report["commits"].get<int>(), 3);
    std::set<std::string> messages;
    for (const CommitRecord& commit : world.hub().commits({.count = 10}).value())
      messages.insert(commit.message);
    EXPECT_TRUE(messages.contains("1.csv") || messages.contains("in/1.csv"));
    world.expect_exact();
  }
}

TEST(Load, WhoseRowsAllLeftAgainHasItsVersions) {
  World world;
  world.configure(yaml("one snapshot"));
  world.put("in/1.csv", new_rows(0, 45));
  world.open();
  ASSERT_TRUE(world.is_open());
  world.sync();
  std::string text = new_rows(100, 20);
  for (int id = 100; id < 120; ++id)
    text += fmt::format("D,{},w1,1,1\n", id);
  world.put("in/2.csv", text);
  const auto before = world.lines(Layer::kTrain, "d");
  EXPECT_EQ(world.sync()["commits"].get<int>(), 1);
  EXPECT_EQ(world.versions("m").back().snapshot, world.hub().latest_snapshot());
  EXPECT_EQ(world.lines(Layer::kTrain, "d"), before);
  world.expect_exact();
  world.open();
  world.put("in/3.csv", new_rows(100, 20));
  world.sync();
  world.expect_exact();
}

std::string gated_yaml(int batch_rows) {
  return fmt::format("hub: {{commit_rows_max: {}}}\n", batch_rows) + R"(
sources: {a: {type: files, path: "in/*.csv", mode: upsert}}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, y: float}
    train: [split: {by: id, test: 0.3}]
models:
  m:
    dataset: d
    features: [x]
    targets: [y]
    expand: [standardize]
    learner: {type: ridge, l2: 0.001}
    calibrate_after: 10 rows
    gate: {batch_error: 3x, at_most_worse: 2%}
)";
}

std::string lines_of(int first, int count, int sign) {
  std::string text = "id,x,y\n";
  for (int id = first; id < first + count; ++id) {
    const double x = static_cast<double>((id * 37) % 101) / 10.0;
    const double noise = static_cast<double>((id * 53) % 17 - 8) / 20.0;
    text += fmt::format("{},{},{}\n", id, x, sign * (2 * x + noise));
  }
  return text;
}

void expect_near(const Json& one, const Json& other, const std::string& where) {
  ASSERT_EQ(one.type(), other.type()) << where;
  if (one.is_number_float()) {
    EXPECT_NEAR(one.get<double>(), other.get<double>(), 1e-9 * (1 + std::abs(one.get<double>())))
        << where;
    return;
  }
  if (!one.is_object()) {
    EXPECT_EQ(one, other) << where;
    return;
  }
  ASSERT_EQ(one.size(), other.size()) << where;
  for (const auto& [name, value] : one.items())
    expect_near(value, other.at(name), where + "." + name);
}

// The gate sees the rows of a load as it sees those of a commit that has them all.
TEST(Load, IsJudgedAsOneCommitOfAllItsRows) {
  for (const int sign : {1, -1}) {
    SCOPED_TRACE(sign);
    std::vector<ModelVersionRecord> newest;
    for (const int batch_rows : {40, 10'000}) {
      World world;
      world.configure(gated_yaml(batch_rows));
      world.put("in/1.csv", lines_of(0, 400, 1));
      world.open();
      ASSERT_TRUE(world.is_open());
      world.sync();
      // The same definition under both: made of all rows that there are.
      world.run({{"command", "recalibrate"}, {"model", "m"}});
      world.put("in/2.csv", lines_of(1'000, 300, sign));
      world.sync();
      newest.push_back(world.versions("m").back());
      world.expect_exact();
    }
    EXPECT_EQ(newest[0].status, sign > 0 ? VersionStatus::kReady : VersionStatus::kBlocked);
    EXPECT_EQ(newest[0].status, newest[1].status) << newest[0].reason << " | " << newest[1].reason;
    EXPECT_EQ(newest[0].definition, newest[1].definition);
    EXPECT_EQ(newest[0].weights_sha256, newest[1].weights_sha256);
    EXPECT_EQ(newest[0].reason, newest[1].reason);
    expect_near(Json::parse(newest[0].metrics), Json::parse(newest[1].metrics), "metrics");
  }
}

}  // namespace
}  // namespace lockstep::test
