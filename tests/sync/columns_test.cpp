// Columns of a dataset that come, go, widen and change their names under a hub with rows and
// models.
#include "sync/plan.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

// m reads x, w and y; n reads age and y; nobody reads z.
const std::string kYaml = R"(
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  a: {type: files, path: "a/*.csv", mode: upsert}
datasets:
  d:
    from: [a]
    key: [id]
    columns: {id: int, x: float, w: text, y: float, age: int, z: int}
    clean:
      - range: {columns: [x], max: 90, otherwise: reject}
    train:
      - split: {by: id, test: 0.2}
models:
  m:
    dataset: d
    features: [x, w]
    targets: [y]
    expand: [{one_hot: [w]}, standardize]
    learner: {type: ridge, l2: 1}
    calibrate_after: 20 rows
    gate: off
  n:
    dataset: d
    features: [age]
    targets: [y]
    learner: {type: ridge, l2: 1}
    calibrate_after: 20 rows
    gate: off
)";

const char* const kColumns = "columns: {id: int, x: float, w: text, y: float, age: int, z: int}";

std::string changed(std::string yaml, const std::string& from, const std::string& to) {
  const std::size_t at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? yaml : yaml.replace(at, from.size(), to);
}

std::string with_columns(const std::string& columns) {
  return changed(kYaml, kColumns, "columns: {" + columns + "}");
}

// `more`: a column more, and its values.
std::string rows(int first_id, int count, const std::string& more = {}) {
  Dice dice(static_cast<std::uint64_t>(first_id) + 1);
  std::string text = "id,x,w,y,age,z" + (more.empty() ? "" : "," + more) + "\n";
  for (int id = first_id; id < first_id + count; ++id) {
    const double x = static_cast<double>(dice.below(400)) / 4;
    text += fmt::format("{},{},{},{},{},{}{}\n",
                        id,
                        x,
                        dice.below(2) == 0 ? "east" : "west",
                        2 * x + static_cast<double>(dice.below(20)),
                        dice.below(60) + 18,
                        id * 3,
                        more.empty() ? "" : fmt::format(",{}", id % 5));
  }
  return text;
}

class Columns : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.configure(kYaml);
    world_.put("a/1.csv", rows(0, 100));
    world_.open();
    ASSERT_TRUE(world_.is_open());
    world_.sync();
    ASSERT_EQ(world_.versions("m").size(), 1U);
    ASSERT_EQ(world_.versions("n").size(), 1U);
  }

  Result<Plan> plan_of(const std::string& yaml) {
    world_.configure(yaml);
    const Result<Configuration> configuration = world_.configuration();
    EXPECT_TRUE(configuration.ok()) << configuration.error().message;
    return make_plan(world_.hub(), configuration.value());
  }

  void apply(const std::string& yaml) {
    world_.configure(yaml);
    EngineOptions options;
    options.apply = true;
    world_.open(options);
    ASSERT_TRUE(world_.is_open());
  }

  std::vector<std::string> names(Layer layer, std::optional<SnapshotId> at = {}) {
    const auto table =
        world_.hub().table({layer, "d"}, at.value_or(world_.hub().latest_snapshot()));
    EXPECT_TRUE(table.ok());
    return table.ok() && table.value() ? table.value()->schema.names() : std::vector<std::string>();
  }

  bool has(Layer layer, const std::string& name) {
    const std::vector<std::string> all = names(layer);
    return std::find(all.begin(), all.end(), name) != all.end();
  }

  // The models' next versions are those of a hub whose columns never changed, bit for bit.
  void expect_bits_of_an_unchanged_hub(const std::string& model) {
    World other;
    other.configure(kYaml);
    other.put("a/1.csv", rows(0, 100));
    other.open();
    ASSERT_TRUE(other.is_open());
    other.sync();
    other.put("a/2.csv", rows(80, 60));
    other.sync();
    const ModelVersionRecord there = other.versions(model).back();
    const ModelVersionRecord here = world_.versions(model).back();
    EXPECT_EQ(here.weights_sha256, there.weights_sha256);
    EXPECT_EQ(here.folded, there.folded);
  }

  World world_;
};

struct PlanCase {
  const char* name;
  const char* columns;
  const char* plan;
};

// clang-format off
const PlanCase kPlans[] = {
    {"another order", "z: int, id: int, x: float, w: text, y: float, age: int", ""},
    {"a new column", "id: int, x: float, w: text, y: float, age: int, z: int, n: bool",
     "+ alter d: add n (bool)"},
    {"a column that nobody reads goes", "id: int, x: float, w: text, y: float, age: int",
     "! alter d: drop z: older snapshots keep it"},
    {"a column that nobody reads widens", "id: int, x: float, w: text, y: float, age: int, z: float",
     "! alter d: make z float: its rows are written anew"},
    {"a feature widens", "id: int, x: float, w: text, y: float, age: float, z: int",
     "! alter d: make age float: its rows are written anew\n"
     "! recalibrate model n: its definition changes"},
    {"another name", "id: int, x: float, w: text, y: float, age: int, zed: {type: int, renamed_from: z}",
     "+ alter d: rename z to zed"},
};
// clang-format on

TEST_F(Columns, HaveAPlanThatSaysWhatBecomesOfThem) {
  for (const PlanCase& wanted : kPlans) {
    const Result<Plan> plan = plan_of(with_columns(wanted.columns));
    ASSERT_TRUE(plan.ok()) << wanted.name << ": " << plan.error().message;
    EXPECT_EQ(plan.value().text(), wanted.plan) << wanted.name;
    EXPECT_EQ(plan.value().needs_apply(), wanted.plan[0] == '!') << wanted.name;
  }
}

TEST_F(Columns, AreRefusedWhereATableCannotTakeThem) {
  struct {
    const char* columns;
    const char* message;
  } const cases[] = {
      {"id: float, x: float, w: text, y: float, age: int, z: int",
       "dataset 'd': column id is int and cannot become float, since it is part of the key"},
      {"id: int, x: int, w: text, y: float, age: int, z: int",
       "dataset 'd': column x is float and cannot become int"},
      {"id: int, x: float, w: text, y: float, age: text, z: int",
       "dataset 'd': column age is int and cannot become text"},
  };

  for (const auto& wanted : cases) {
    const Result<Plan> plan = plan_of(with_columns(wanted.columns));
    ASSERT_FALSE(plan.ok()) << wanted.message;
    EXPECT_EQ(plan.error().code, Code::kUnsupported);
    EXPECT_EQ(plan.error().message, wanted.message);
    EXPECT_FALSE(plan.error().hint.empty());
  }
}

TEST_F(Columns, ThatAreNewLeaveEveryModelAsItWas) {
  const SnapshotId before = world_.hub().latest_snapshot();
  world_.configure(with_columns("id: int, x: float, w: text, y: float, age: int, z: int, n: int"));
  world_.open();  // nothing is rebuilt or lost: no --apply
  ASSERT_TRUE(world_.is_open());
  for (const Layer layer : {Layer::kRaw, Layer::kClean, Layer::kTrain})
    EXPECT_TRUE(has(layer, "n")) << layer_name(layer);
  EXPECT_EQ(number(world_.hub().latest_snapshot()), number(before) + 1);
  EXPECT_EQ(world_.versions("m").size(), 1U);
  world_.expect_exact();
  world_.put("a/2.csv", rows(80, 60, "n"));
  world_.sync();
  for (const char* model : {"m", "n"}) {
    const std::vector<ModelVersionRecord> versions = world_.versions(model);
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(versions[1].definition, versions[0].definition);
    EXPECT_EQ(versions[1].kind, VersionKind::kIncrement);
    expect_bits_of_an_unchanged_hub(model);
  }
  const Batch raw = world_.read(Layer::kRaw, "d");
  const int id = *raw.schema().index_of("id");
  const int added = *raw.schema().index_of("n");
  for (std::int64_t row = 0; row < raw.row_count(); ++row) {
    const std::int64_t number_of_row = raw.int_at(id, row);
    ASSERT_EQ(raw.is_null(added, row), number_of_row < 80);
    if (number_of_row < 80) continue;
    ASSERT_EQ(raw.int_at(added, row), number_of_row % 5);
  }
  world_.expect_exact();
  world_.expect_exact("m@1");
  world_.open();
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(world_.versions("m").size(), 2U);
}

TEST_F(Columns, ThatGoLeaveTheModelsThatDoNotReadThem) {
  const SnapshotId before = world_.hub().latest_snapshot();
  const std::string yaml = with_columns("id: int, x: float, w: text, y: float, age: int");
  world_.configure(yaml);
  const Result<void> refused = world_.try_open();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  apply(yaml);
  EXPECT_FALSE(has(Layer::kRaw, "z"));
  EXPECT_FALSE(has(Layer::kTrain, "z"));
  EXPECT_EQ(names(Layer::kRaw, before).back(), "z");
  world_.put("a/2.csv", rows(80, 60));
  world_.sync();
  for (const char* model : {"m", "n"}) {
    EXPECT_EQ(world_.versions(model).back().definition, world_.versions(model)[0].definition);
    expect_bits_of_an_unchanged_hub(model);
  }
  world_.expect_exact();
  world_.expect_exact("m@1");
  // It comes back as another column, without what the first one held.
  apply(kYaml);
  EXPECT_TRUE(has(Layer::kTrain, "z"));
  const Batch raw = world_.read(Layer::kRaw, "d");
  for (std::int64_t row = 0; row < raw.row_count(); ++row)
    ASSERT_TRUE(raw.is_null(*raw.schema().index_of("z"), row));
  world_.expect_exact();
}

TEST_F(Columns, ThatWidenCalibrateTheModelsThatReadThemAnew) {
  const std::size_t clean = world_.lines(Layer::kClean, "d").size();
  const SnapshotId before = world_.hub().latest_snapshot();
  apply(with_columns("id: int, x: float, w: text, y: float, age: float, z: int"));
  EXPECT_EQ(number(world_.hub().latest_snapshot()), number(before) + 1);
  EXPECT_EQ(world_.lines(Layer::kClean, "d").size(), clean);
  EXPECT_EQ(world_.versions("m").size(), 1U);
  ASSERT_EQ(world_.versions("n").size(), 2U);
  EXPECT_EQ(world_.versions("n")[1].kind, VersionKind::kRecalibration);
  EXPECT_NE(world_.versions("n")[1].definition, world_.versions("n")[0].definition);
  world_.put("a/2.csv", "id,x,w,y,age,z\n500,5,east,11,33.5,1\n");
  world_.sync();
  EXPECT_EQ(world_.versions("m").back().definition, world_.versions("m")[0].definition);
  world_.expect_exact();
  world_.expect_exact("n@1");
}

TEST_F(Columns, KeepTheirValuesUnderAnotherName) {
  const std::vector<std::string> raw = world_.lines(Layer::kRaw, "d");
  const std::string yaml = changed(
      with_columns("id: int, x: float, w: text, y: float, years: {type: int, renamed_from: age}, "
                   "z: int"),
      "features: [age]",
      "features: [years]");
  apply(yaml);
  EXPECT_EQ(world_.lines(Layer::kRaw, "d"), raw);
  EXPECT_TRUE(has(Layer::kTrain, "years"));
  EXPECT_FALSE(has(Layer::kTrain, "age"));
  EXPECT_EQ(world_.versions("m").size(), 1U);
  ASSERT_EQ(world_.versions("n").size(),
            2U);  // the names of its features are part of what it means
  EXPECT_EQ(world_.versions("n")[1].folded, world_.versions("n")[0].folded);
  world_.expect_exact();
  world_.expect_exact("n@1");
  world_.open();  // renamed_from stays in the file, and has nothing left to do
  ASSERT_TRUE(world_.is_open());
  EXPECT_EQ(world_.versions("n").size(), 2U);
}

TEST_F(Columns, OfTheKeyTakeAnotherName) {
  std::string yaml = changed(
      with_columns("pid: {type: int, renamed_from: id}, x: float, w: text, y: float, age: int, "
                   "z: int"),
      "key: [id]",
      "key: [pid]");
  yaml = changed(yaml, "by: id", "by: pid");
  const std::vector<std::string> raw = world_.lines(Layer::kRaw, "d");
  apply(yaml);
  EXPECT_EQ(world_.lines(Layer::kRaw, "d"), raw);
  world_.put("a/2.csv", "pid,x,w,y,age,z\n3,5,east,11,33,1\n200,6,west,12,34,2\n");
  world_.sync();
  EXPECT_EQ(world_.lines(Layer::kRaw, "d").size(), 101U);
  world_.expect_exact();
  world_.expect_exact("m@1");
}

TEST_F(Columns, ThatStepsReadAreRenamedWithTheSteps) {
  std::string yaml = changed(
      with_columns("id: int, ex: {type: float, renamed_from: x}, w: text, y: float, age: int, "
                   "z: int"),
      "columns: [x]",
      "columns: [ex]");
  yaml = changed(yaml, "features: [x, w]", "features: [ex, w]");
  const std::size_t rejected = world_.lines(Layer::kRejected, "d").size();
  ASSERT_GT(rejected, 0U);
  apply(yaml);
  EXPECT_EQ(world_.lines(Layer::kRejected, "d").size(), rejected);
  EXPECT_EQ(world_.versions("m").size(), 2U);
  world_.put("a/2.csv", changed(rows(90, 30), "id,x,", "id,ex,"));
  world_.sync();
  world_.expect_exact();
}

TEST_F(Columns, AreThoseOfTodayWhenASnapshotFromBeforeIsReverted) {
  world_.put("a/2.csv", rows(90, 30));
  world_.sync();
  const SnapshotId bad = world_.hub().latest_snapshot();
  apply(with_columns("id: int, x: float, w: text, y: float, age: float, n: int"));
  world_.run({{"command", "revert"}, {"snapshot", std::to_string(number(bad))}});
  EXPECT_EQ(world_.lines(Layer::kRaw, "d").size(), 100U);
  world_.expect_exact();
}

}  // namespace
}  // namespace lockstep::test
