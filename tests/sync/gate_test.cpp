#include "sync/gate.h"

#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

namespace lockstep::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Metrics metrics_of(double rmse, std::int64_t rows = 100) {
  return {rows, {{"y", rmse, 0.5}}};
}

GateMemory usual_error_of_one() {
  GateMemory memory;
  memory.usual = {200, {200}};
  return memory;
}

struct EvidenceCase {
  const char* name;
  GateMemory::Errors batch;
  std::optional<Metrics> challenger;
  std::optional<Metrics> champion;
  std::optional<Metrics> reference;
  const char* why;  // empty: it may pass
};

// clang-format off
const EvidenceCase kEvidence[] = {
    {"nothing to judge by", {}, {}, {}, {}, ""},
    {"an honest batch", {100, {110}}, metrics_of(1), metrics_of(1), metrics_of(1), ""},
    {"exactly at the limit of the batch", {100, {200}}, {}, {}, {}, ""},
    {"above the limit of the batch", {100, {201}}, {}, {}, {},
     "the champion's error on the batch is 2.01, 2.0 times the usual 1.00 (limit 2.0)"},
    {"a bad batch of few rows", {19, {1'900}}, {}, {}, {}, ""},
    {"a NaN in the batch", {100, {kNan}}, {}, {}, {},
     "the champion's error on the batch is nan, nan times the usual 1.00 (limit 2.0)"},
    {"errors of another number of targets", {100, {500, 500}}, {}, {}, {}, ""},
    {"as good as the champion", {}, metrics_of(1.02), metrics_of(1), {}, ""},
    {"worse than the champion", {}, metrics_of(1.03), metrics_of(1), {},
     "test rmse of y is 1.030, 3.0 % worse than the champion's 1.000 (limit 2.0 %)"},
    {"worse than the last calibration", {}, metrics_of(1.2), metrics_of(1.19), metrics_of(1),
     "test rmse of y is 1.200, 20.0 % worse than the last calibration's 1.000 (limit 2.0 %)"},
    {"a challenger of NaN", {}, metrics_of(kNan), metrics_of(1), {},
     "test rmse of y is nan, nan % worse than the champion's 1.000 (limit 2.0 %)"},
    {"a target that no test row of the champion has", {}, metrics_of(1), metrics_of(kNan), {}, ""},
    {"a target that few rows of the batch have", {100, {1'900}, {5}}, {}, {}, {}, ""},
    {"no test rows", {}, metrics_of(9, 0), metrics_of(1), metrics_of(1), ""},
};
// clang-format on

TEST(Gate, DecidesByTheBatchTheChampionAndTheLastCalibration) {
  for (const EvidenceCase& wanted : kEvidence) {
    GateEvidence evidence;
    evidence.batch = wanted.batch;
    if (wanted.challenger) evidence.challenger = *wanted.challenger;
    evidence.champion = wanted.champion;
    evidence.reference = wanted.reference;
    const GateDecision decision = judge({}, usual_error_of_one(), evidence);
    EXPECT_EQ(decision.why, wanted.why) << wanted.name;
    EXPECT_EQ(decision.blocked, wanted.why[0] != '\0') << wanted.name;
  }
}

TEST(Gate, PassesEverythingWhenItIsOff) {
  GateConfiguration off;
  off.enabled = false;
  GateEvidence evidence;
  evidence.batch = {100, {kNan}};
  evidence.challenger = metrics_of(9);
  evidence.champion = metrics_of(1);
  EXPECT_FALSE(judge(off, usual_error_of_one(), evidence).blocked);
}

TEST(Gate, SaysNothingAboutABatchWhileItHardlyKnowsWhatIsUsual) {
  GateMemory memory;
  memory.usual = {49, {49}};
  GateEvidence evidence;
  evidence.batch = {100, {10'000}};
  EXPECT_FALSE(judge({}, memory, evidence).blocked);
  memory.usual = {50, {50}};
  EXPECT_TRUE(judge({}, memory, evidence).blocked);
}

TEST(Gate, JudgesSmallBatchesTogetherWithThoseBefore) {
  const GateConfiguration gate;
  GateMemory memory = usual_error_of_one();
  GateEvidence evidence;
  evidence.batch = {5, {50}};  // ten times the usual, five rows at a time
  int passed = 0;
  while (passed < 10 && !judge(gate, memory, evidence).blocked) {
    remember(gate, memory, evidence.batch);
    ++passed;
  }
  EXPECT_EQ(passed, 3);  // the fourth makes twenty rows
}

TEST(Gate, ForgetsOldErrorsSoThatTheUsualFollowsTheSeason) {
  const GateConfiguration gate;
  GateMemory memory;
  for (int batch = 0; batch < 100; ++batch)
    remember(gate, memory, {100, {100}});
  EXPECT_LE(memory.usual.rows, 2'000);
  for (int batch = 0; batch < 100; ++batch)
    remember(gate, memory, {100, {150}});
  EXPECT_NEAR(memory.usual.absolute[0] / memory.usual.rows, 1.5, 0.02);
  EXPECT_EQ(memory.recent.size(), 20U);
}

TEST(Gate, StartsWithTheErrorsOfItsTestRows) {
  GateMemory memory;
  remember_start(memory, {3, 0.5}, 40);
  EXPECT_EQ(memory.usual, (GateMemory::Errors{40, {120, 20}, {40, 40}}));
  remember_start(memory, {}, 0);
  EXPECT_EQ(memory.usual, GateMemory::Errors());
}

TEST(Gate, ReadsBackWhatItRemembers) {
  GateMemory memory = usual_error_of_one();
  memory.pending = {3, {1.25}};
  memory.recent = {{1, {0.1}}, {2, {1.0 / 3}}};
  memory.latched = true;
  memory.latched_at = 7;
  memory.why = "a \"reason\"";
  memory.reference = 3;
  memory.calibrated_rows = 900;
  memory.pending_changes = 4;
  memory.last_version_us = 1'700'000'000'000'000;
  const Result<GateMemory> read = parse_gate_memory(gate_memory_json(memory));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value(), memory);
}

TEST(Gate, RefusesAMemoryThatIsNone) {
  for (const char* text : {"", "{", "[]", "{\"usual\": 3}", "7"}) {
    const Result<GateMemory> read = parse_gate_memory(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, Code::kCorrupt) << text;
  }
}

// ---- in a hub

const char* const kYaml = R"(
sources:
  a: {type: files, path: "in/*.csv", mode: upsert, operation: _op}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, y: float}
    train:
      - split: {by: id, test: 0.2}
models:
  m:
    dataset: d
    features: [x]
    targets: [y]
    expand: [standardize, splines: 3]
    learner: {type: ridge, l2: 1}
    calibrate_after: 300 rows
)";

// y = 2 x and a little noise; poisoned rows are `shift` off.
std::string rows(int first_id, int count, double shift = 0) {
  std::string text = "_op,id,x,y\n";
  Dice dice(static_cast<std::uint64_t>(first_id));
  for (int id = first_id; id < first_id + count; ++id) {
    const double x = static_cast<double>(dice.below(1'000)) / 10;
    const double noise = static_cast<double>(dice.below(1'000)) / 500 - 1;
    text += fmt::format("U,{},{},{}\n", id, x, 2 * x + noise + shift);
  }
  return text;
}

class GateInAHub : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.configure(kYaml);
    world_.put("in/000.csv", rows(0, 1'000));
    world_.open();
    ASSERT_TRUE(world_.is_open());
    world_.sync();
    ASSERT_EQ(newest().status, VersionStatus::kReady);
  }

  Json deliver(int count, double shift = 0) {
    ++file_;
    const int first = 10'000 * file_;
    world_.put(fmt::format("in/{:03}.csv", file_), rows(first, count, shift));
    return world_.sync();
  }

  ModelVersionRecord newest() { return world_.versions("m").back(); }

  AliasEvent champion() { return *world_.hub().alias("m", "champion").value(); }

  std::int64_t champion_version() {
    return referred_version(world_.hub(), parse_model_reference("m@champion")).value().version;
  }

  World world_;
  int file_ = 0;
};

TEST_F(GateInAHub, MovesTheChampionWithEachHonestVersion) {
  for (const int count : {1, 19, 20, 200}) {
    deliver(count);
    EXPECT_EQ(newest().status, VersionStatus::kReady) << count << ": " << newest().reason;
    EXPECT_EQ(champion_version(), newest().version);
  }
  EXPECT_TRUE(champion().follow);
}

TEST_F(GateInAHub, BlocksPoisonedBatchesOfEverySize) {
  for (const int count : {50, 200, 1'000}) {
    const std::int64_t before = champion_version();
    const std::string bits = newest().weights_sha256;
    const Json report = deliver(count, 40);
    EXPECT_EQ(newest().status, VersionStatus::kBlocked) << count;
    EXPECT_NE(newest().reason.find("the champion's error on the batch"), std::string::npos);
    EXPECT_EQ(report["versions"][0]["blocked"], 1);
    EXPECT_EQ(champion_version(), before);
    EXPECT_FALSE(champion().follow);
    EXPECT_EQ(champion().who, "gate");
    world_.run({{"command", "revert"}, {"snapshot", "latest"}});
    EXPECT_EQ(newest().status, VersionStatus::kReady);
    EXPECT_EQ(newest().weights_sha256, bits);
    EXPECT_EQ(champion_version(), newest().version);
    EXPECT_TRUE(champion().follow);
  }
}

TEST_F(GateInAHub, BlocksAPoisonThatComesInSmallBatches) {
  int passed = 0;
  while (passed < 10 && newest().status == VersionStatus::kReady) {
    deliver(5, 40);
    ++passed;
  }
  EXPECT_LE(passed, 4);
}

TEST_F(GateInAHub, StaysLatchedOverHonestBatchesAndANewProcess) {
  deliver(100, 40);
  const ModelVersionRecord first = newest();
  world_.open();
  for (int batch = 0; batch < 3; ++batch) {
    deliver(100);
    EXPECT_EQ(newest().status, VersionStatus::kBlocked);
    EXPECT_EQ(newest().reason,
              fmt::format("latched since version {}: {}", first.version, first.reason));
    world_.open();
  }
  EXPECT_EQ(champion_version(), 1);
}

TEST_F(GateInAHub, LetsGoWhenTheUserAccepts) {
  deliver(100, 40);
  deliver(30);
  const Json report = world_.run({{"command", "accept"}, {"model", "m"}});
  EXPECT_EQ(report["version"], newest().version);
  EXPECT_EQ(champion_version(), newest().version);
  EXPECT_TRUE(champion().follow);
  const Result<Json> again = world_.try_run({{"command", "accept"}, {"model", "m"}});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message, "model 'm' is not blocked: there is nothing to accept");
  deliver(30);
  EXPECT_EQ(newest().status, VersionStatus::kReady) << newest().reason;
  EXPECT_EQ(champion_version(), newest().version);
}

TEST_F(GateInAHub, TakesTheErrorsOfAnAcceptedVersionAsUsualInANewProcessToo) {
  deliver(100, 40);
  world_.open();
  world_.run({{"command", "accept"}, {"model", "m"}});
  const GateMemory memory = parse_gate_memory(*world_.hub().model_state("m").value()).value();
  EXPECT_GT(memory.usual.absolute.at(0) / memory.usual.rows, 3);
}

TEST_F(GateInAHub, LetsGoWithARecalibration) {
  deliver(100, 40);
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  deliver(100, 40);
  ASSERT_EQ(newest().status, VersionStatus::kBlocked);
  const Result<Json> done = world_.try_run({{"command", "recalibrate"}, {"model", "m"}});
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(newest().kind, VersionKind::kRecalibration);
  // The latch is off; the recalibrated version is judged for itself.
  EXPECT_EQ(newest().reason.find("latched"), std::string::npos) << newest().reason;
}

TEST_F(GateInAHub, LeavesAChampionThatTheUserPinnedWhereItIs) {
  deliver(30);
  world_.run({{"command", "alias-set"}, {"model", "m"}, {"alias", "champion"}, {"version", 1}});
  deliver(30);
  EXPECT_EQ(newest().status, VersionStatus::kReady);
  EXPECT_EQ(champion_version(), 1);
  world_.run(
      {{"command", "alias-set"}, {"model", "m"}, {"alias", "champion"}, {"version", "latest"}});
  EXPECT_EQ(champion_version(), newest().version);
  world_.run({{"command", "rollback"}, {"model", "m"}, {"version", nullptr}});
  EXPECT_EQ(champion_version(), newest().version - 1);
}

TEST_F(GateInAHub, KeepsEveryEventOfTheChampion) {
  deliver(100, 40);
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  std::vector<std::string> story;
  for (const AliasEvent& event : world_.hub().alias_history("m").value()) {
    story.push_back(fmt::format(
        "{} {} {}", event.who, event.follow ? "follows from" : "holds", event.version.value_or(0)));
  }
  EXPECT_EQ(story,
            (std::vector<std::string>{
                "calibration follows from 1", "gate holds 1", "revert follows from 3"}));
}

}  // namespace
}  // namespace lockstep::test
