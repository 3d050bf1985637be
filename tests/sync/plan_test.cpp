// A changed lockstep.yaml over a hub that has rows and versions.
#include "sync/plan.h"

#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

const std::string kYaml = R"(
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  a: {type: files, path: "a/*.csv", mode: upsert}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, w: text, y: float}
    clean:
      - range: {columns: [x], max: 90, otherwise: reject}
    train:
      - split: {by: id, test: 0.2}
models:
  m:
    dataset: d
    features: [x, w]
    targets: [y]
    expand: [{one_hot: [w]}, standardize, {splines: 3}]
    learner: {type: ridge, l2: 1}
    calibrate_after: 20 rows
)";

std::string changed(std::string yaml, const std::string& from, const std::string& to) {
  const std::size_t at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? yaml : yaml.replace(at, from.size(), to);
}

std::string rows(int first_id, int count) {
  static const char* const kWards[] = {"east", "west", "\"a \"\"b\"\"\"", ""};
  Dice dice(static_cast<std::uint64_t>(first_id) + 1);
  std::string text = "id,x,w,y\n";
  for (int id = first_id; id < first_id + count; ++id) {
    const double x = static_cast<double>(dice.below(400)) / 4;
    text += fmt::format(
        "{},{},{},{}\n", id, x, kWards[dice.below(4)], 2 * x + static_cast<double>(dice.below(20)));
  }
  return text;
}

class Plans : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.configure(kYaml);
    world_.put("a/1.csv", rows(0, 100));
    world_.open();
    ASSERT_TRUE(world_.is_open());
    world_.sync();
    ASSERT_EQ(world_.versions("m").size(), 1U);
  }

  Result<Plan> plan_of(const std::string& yaml) {
    world_.configure(yaml);
    const Result<Configuration> configuration = world_.configuration();
    EXPECT_TRUE(configuration.ok()) << configuration.error().message;
    return make_plan(world_.hub(), configuration.value());
  }

  // The layers of a hub that has known nothing but this configuration.
  void expect_layers_of_a_fresh_hub(const std::string& yaml) {
    World fresh;
    fresh.configure(yaml);
    fresh.put("a/1.csv", rows(0, 100));
    fresh.open();
    ASSERT_TRUE(fresh.is_open());
    fresh.sync();
    for (const Layer layer : {Layer::kClean, Layer::kTrain, Layer::kRejected}) {
      EXPECT_EQ(world_.lines(layer, "d"), fresh.lines(layer, "d")) << layer_name(layer);
    }
    EXPECT_EQ(world_.versions("m").back().definition, fresh.versions("m").back().definition);
    EXPECT_EQ(world_.versions("m").back().weights_sha256,
              fresh.versions("m").back().weights_sha256);
  }

  EngineOptions applying() {
    EngineOptions options;
    options.apply = true;
    return options;
  }

  World world_;
};

struct PlanCase {
  const char* name;
  const char* from;
  const char* to;
  const char* plan;
};

const char* const kRecalibrate = "! recalibrate model m: its definition changes";
const char* const kRebuild =
    "! rebuild clean, train and rejected of d from raw\n"
    "! recalibrate model m: its definition changes";

// clang-format off
const PlanCase kPlans[] = {
    {"nothing", "id", "id", ""},
    {"a comment", "\nmodels:", "\n# by the way\nmodels:", ""},
    {"when a version is made", "calibrate_after: 20 rows", "trigger: {changes: 5}", ""},
    {"the gate", "calibrate_after: 20 rows", "gate: off", ""},
    {"where a source reads", "a/*.csv", "*/*.csv", ""},
    {"the penalty", "l2: 1", "l2: auto", kRecalibrate},
    {"an expansion", "splines: 3", "splines: 4", kRecalibrate},
    {"a cleaning step", "max: 90", "max: 80", kRebuild},
    {"a training step", "test: 0.2", "test: 0.3", kRebuild},
    {"another model", "models:\n", "models:\n  n: {dataset: d, features: [x], targets: [y]}\n",
     "+ add model n"},
};
// clang-format on

TEST_F(Plans, SayWhatAChangedConfigurationAsksOfTheHub) {
  for (const PlanCase& wanted : kPlans) {
    const Result<Plan> plan = plan_of(changed(kYaml, wanted.from, wanted.to));
    ASSERT_TRUE(plan.ok()) << wanted.name << ": " << plan.error().message;
    EXPECT_EQ(plan.value().text(), wanted.plan) << wanted.name;
    EXPECT_EQ(plan.value().needs_apply(), wanted.plan[0] == '!') << wanted.name;
  }
}

TEST_F(Plans, SayThatAModelStops) {
  const Result<Plan> plan = plan_of(kYaml.substr(0, kYaml.find("models:")));
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ(plan.value().text(), "+ stop model m: it gets no more versions");
}

TEST_F(Plans, RefuseWhatAHubCannotTake) {
  const char* const kOther = "give the changed dataset another name, or another hub";

  struct {
    std::string yaml;
    const char* message;
    const char* hint;
  } const cases[] = {
      {changed(kYaml, "key: [id]", "key: [id, w]"),
       "dataset 'd': its key changed, which its hub cannot take",
       kOther},
      {changed(kYaml, "x: float", "x: text"),
       "dataset 'd': column x is float and cannot become text",
       "keep float, and cast a copy in the dataset's steps; or give the changed column, or the "
       "changed dataset, another name"},
      {changed(changed(kYaml, "  a: {type", "  b: {type"), "from: [a]", "from: [b]"),
       "dataset 'd': source 'a' was taken away and its rows are in raw, which its hub cannot take",
       kOther},
      {changed(changed(kYaml, "  d:\n", "  e:\n"), "dataset: d", "dataset: e"),
       "model 'm' learned from dataset 'd' and cannot move to 'e'",
       "give the model another name"},
  };

  for (const auto& wanted : cases) {
    const Result<Plan> plan = plan_of(wanted.yaml);
    ASSERT_FALSE(plan.ok()) << wanted.message;
    EXPECT_EQ(plan.error().code, Code::kUnsupported) << plan.error().message;
    EXPECT_EQ(plan.error().message, wanted.message);
    EXPECT_EQ(plan.error().hint, wanted.hint);
  }
}

TEST_F(Plans, AreRefusedUntilTheUserAppliesThem) {
  const SnapshotId before = world_.hub().latest_snapshot();
  world_.configure(changed(kYaml, "max: 90", "max: 80"));
  const Result<void> refused = world_.try_open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_EQ(refused.error().message,
            std::string("lockstep.yaml changed, and the hub would have to follow:\n") + kRebuild);
  EXPECT_EQ(refused.error().hint, "look with lockstep check, then add --apply");
  world_.configure(kYaml);
  world_.open();
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(world_.hub().latest_snapshot(), before);
}

TEST_F(Plans, RebuildTheLayersAndTheModelInOneSnapshot) {
  const std::size_t rejected = world_.lines(Layer::kRejected, "d").size();
  for (const auto& [from, to] :
       {std::pair("max: 90", "max: 40"), std::pair("test: 0.2", "test: 0.4")}) {
    const SnapshotId before = world_.hub().latest_snapshot();
    const std::string yaml = changed(kYaml, from, to);
    world_.configure(yaml);
    world_.open(applying());
    ASSERT_TRUE(world_.is_open());
    EXPECT_EQ(number(world_.hub().latest_snapshot()), number(before) + 1);
    const ModelVersionRecord newest = world_.versions("m").back();
    EXPECT_EQ(newest.snapshot, world_.hub().latest_snapshot());
    EXPECT_EQ(newest.kind, VersionKind::kRecalibration);
    expect_layers_of_a_fresh_hub(yaml);
    world_.expect_exact();
    world_.expect_exact("m@1");  // what the first was made from is there still
  }
  EXPECT_EQ(world_.lines(Layer::kRejected, "d").size(), rejected);
  world_.open();  // nothing is left to apply
  ASSERT_TRUE(world_.is_open());
  world_.put("a/2.csv", rows(50, 100));
  world_.sync();
  world_.expect_exact();
  EXPECT_EQ(world_.versions("m").back().kind, VersionKind::kIncrement);
}

TEST_F(Plans, RecalibrateAModelWhoseDefinitionChanges) {
  const std::string yaml = changed(kYaml, "splines: 3", "splines: 5");
  world_.configure(yaml);
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(world_.versions("m").size(), 2U);
  expect_layers_of_a_fresh_hub(yaml);
  world_.expect_exact();
  world_.open();
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(world_.versions("m").size(), 2U);
}

TEST_F(Plans, RebuildForFewRowsToo) {
  const std::string yaml = changed(kYaml, "max: 90", "max: 10");
  world_.configure(yaml);
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  ASSERT_LT(world_.lines(Layer::kTrain, "d").size(), 20U);
  EXPECT_EQ(world_.versions("m").size(), 2U);
  world_.expect_exact();
  world_.open();
  EXPECT_TRUE(world_.is_open());
}

TEST_F(Plans, KeepWhatTheSourceRefusedWhenLayersAreRebuilt) {
  world_.put("a/2.csv", "id,x,w,y\n7,seven,east,1\n");
  world_.sync();
  const auto decode_rejects = [this] {
    std::size_t count = 0;
    for (const std::string& line : world_.lines(Layer::kRejected, "d")) {
      count += line.find("id=7|decode") != std::string::npos ? 1 : 0;
    }
    return count;
  };
  ASSERT_EQ(decode_rejects(), 1U);
  world_.configure(changed(kYaml, "max: 90", "max: 40"));
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(decode_rejects(), 1U);
}

TEST_F(Plans, DropADatasetAndReadItAnewWhenItComesBack) {
  const std::vector<std::string> before = world_.lines(Layer::kRaw, "d");
  const std::string other =
      "sources:\n  b: {type: files, path: \"b/*.csv\"}\n"
      "datasets:\n  e: {from: [b], key: [id], columns: {id: int}}\n";
  world_.configure(other);
  const Result<void> refused = world_.try_open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            "lockstep.yaml changed, and the hub would have to follow:\n"
            "+ add dataset e\n"
            "! drop dataset d: its tables leave the newest snapshot\n"
            "+ stop model m: it gets no more versions");
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  const auto gone = world_.hub().table({Layer::kRaw, "d"}, world_.hub().latest_snapshot());
  ASSERT_TRUE(gone.ok());
  EXPECT_FALSE(gone.value().has_value());
  world_.configure(kYaml);
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  world_.sync();
  EXPECT_EQ(world_.lines(Layer::kRaw, "d"), before);
  world_.expect_exact("m@1");
  world_.expect_exact();
}

TEST_F(Plans, TakeASecondSource) {
  std::string yaml = changed(kYaml, "from: [a]", "from: [a, b]");
  yaml = changed(
      yaml, "\ndatasets:", "\n  b: {type: files, path: \"b/*.csv\", mode: upsert}\ndatasets:");
  world_.configure(yaml);
  world_.open(applying());
  ASSERT_TRUE(world_.is_open());
  world_.put("b/1.csv", rows(90, 50));
  world_.sync();
  EXPECT_EQ(world_.lines(Layer::kRaw, "d").size(), 150U);
  world_.expect_exact();
}

TEST_F(Plans, StoreAConfigurationWithoutItsSecrets) {
  world_.put("where.txt", "a/*.csv\n");
  world_.configure(changed(kYaml, "\"a/*.csv\"", "\"${file:where.txt}\""));
  world_.open();
  ASSERT_TRUE(world_.is_open());
  const std::string stored = world_.hub().configuration().value();
  EXPECT_NE(stored.find("${file:where.txt}"), std::string::npos) << stored;
  EXPECT_EQ(stored.find("a/*.csv"), std::string::npos) << stored;
}

}  // namespace
}  // namespace lockstep::test
