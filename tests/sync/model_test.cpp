// When a model gets its versions: warming, calibration, triggers, a second model.
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

const std::string kYaml = R"(
sources:
  a: {type: files, path: "in/*.csv", mode: upsert, operation: _op}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, y: float}
models:
  m:
    dataset: d
    features: [x]
    targets: [y]
    expand: [standardize]
    learner: {type: ridge, l2: 1}
    calibrate_after: 20 rows
    gate: off
)";

class Models : public ::testing::Test {
 protected:
  void start(const std::string& yaml) {
    world_.configure(yaml);
    world_.open();
    ASSERT_TRUE(world_.is_open());
  }

  // y = slope * x, for the next ids.
  Json deliver(int count, int slope) {
    std::string text = "_op,id,x,y\n";
    for (int row = 0; row < count; ++row) {
      ++id_;
      text += fmt::format("U,{},{},{}\n", id_, id_ % 17, slope * (id_ % 17));
    }
    world_.put(fmt::format("in/{:03}.csv", ++file_), text);
    return world_.sync();
  }

  std::vector<std::string> kinds() {
    std::vector<std::string> out;
    for (const ModelVersionRecord& version : world_.versions("m")) {
      out.push_back(version_kind_name(version.kind));
    }
    return out;
  }

  World world_;
  int id_ = 0;
  int file_ = 0;
};

using Kinds = std::vector<std::string>;

TEST_F(Models, WarmUntilThereAreRowsEnough) {
  start(kYaml);
  EXPECT_EQ(deliver(19, 2)["versions"].size(), 0U);
  EXPECT_EQ(deliver(1, 2)["versions"].size(), 1U);
  deliver(1, 2);
  EXPECT_EQ(kinds(), (Kinds{"calibration", "increment"}));
  world_.expect_exact();
}

TEST_F(Models, AreCalibratedOnceMoreAtTenTimesTheRows) {
  start(kYaml);
  deliver(20, 2);
  deliver(179, 2);
  deliver(1, 2);
  deliver(1, 2);
  EXPECT_EQ(kinds(), (Kinds{"calibration", "increment", "recalibration", "increment"}));
  world_.expect_exact();
}

TEST_F(Models, HoldUpNoCommitWhenTheirRowsCannotBeCalibratedOn) {
  start(kYaml);
  const Json report = deliver(30, 0);  // one value of the target in all of them
  EXPECT_EQ(report["commits"], 1);
  EXPECT_EQ(world_.lines(Layer::kTrain, "d").size(), 30U);
  EXPECT_EQ(kinds(), Kinds{});
  deliver(5, 2);
  EXPECT_EQ(kinds(), Kinds{"calibration"});
  world_.expect_exact();
}

TEST_F(Models, MakeAVersionOnceTheirTriggerIsDue) {
  start(kYaml + "    trigger: {changes: 10}\n");
  deliver(20, 2);
  deliver(4, 2);
  deliver(5, 2);
  EXPECT_EQ(kinds(), Kinds{"calibration"});
  world_.open();
  deliver(1, 2);
  EXPECT_EQ(kinds(), (Kinds{"calibration", "increment"}));
  EXPECT_EQ(world_.versions("m").back().folded, 30);
  world_.expect_exact();
}

TEST_F(Models, AreAddedToADatasetThatHasRows) {
  start(kYaml);
  deliver(40, 2);
  world_.configure(kYaml +
                   "  n: {dataset: d, features: [x], targets: [y], expand: [standardize], "
                   "calibrate_after: 20 rows, learner: {type: ridge, l2: 1}}\n");
  world_.open();
  ASSERT_TRUE(world_.is_open());
  ASSERT_EQ(world_.versions("n").size(), 1U) << "the rows are there: the model owes a version";
  EXPECT_EQ(world_.versions("n").front().snapshot, world_.versions("m").back().snapshot);
  EXPECT_EQ(world_.versions("n").front().weights_sha256,
            world_.versions("m").back().weights_sha256);
  deliver(5, 2);
  EXPECT_EQ(world_.versions("n").size(), 2U);
  world_.expect_exact();
}

TEST_F(Models, AreCalibratedWhenFewerRowsAreAskedFor) {
  std::string more = kYaml;
  more.replace(more.find("after: 20 rows"), 14, "after: 99 rows");
  start(more);
  deliver(40, 2);
  EXPECT_EQ(kinds(), Kinds{});
  start(kYaml);
  EXPECT_EQ(kinds(), Kinds{"calibration"});
}

TEST_F(Models, AreMadeUnsolvedWhenAllRowsLeaveAndReadyWhenTheyComeBack) {
  start(kYaml);
  deliver(30, 2);
  const std::string bits = world_.versions("m").back().weights_sha256;
  std::string text = "_op,id,x,y\n";
  for (int id = 1; id <= 30; ++id)
    text += fmt::format("D,{},,\n", id);
  world_.put("in/900.csv", text);
  world_.sync();
  EXPECT_EQ(world_.versions("m").back().status, VersionStatus::kUnsolved);
  EXPECT_EQ(world_.versions("m").back().folded, 0);
  world_.expect_exact();
  world_.open();
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  EXPECT_EQ(world_.versions("m").back().status, VersionStatus::kReady);
  EXPECT_EQ(world_.versions("m").back().weights_sha256, bits);
}

TEST_F(Models, RecalibrateToTheSameBitsOnTheSameRows) {
  start(kYaml);
  deliver(30, 2);
  const Json same = world_.run({{"command", "recalibrate"}, {"model", "m"}});
  EXPECT_EQ(same["unchanged"], true);
  EXPECT_EQ(same["version"], 1);
  deliver(30, 2);
  const Json other = world_.run({{"command", "recalibrate"}, {"model", "m"}});
  EXPECT_EQ(other["unchanged"], false);
  EXPECT_EQ(other["version"], 3);
  deliver(3, 2);
  EXPECT_EQ(kinds(), (Kinds{"calibration", "increment", "recalibration", "increment"}));
  world_.expect_exact();
}

}  // namespace
}  // namespace lockstep::test
