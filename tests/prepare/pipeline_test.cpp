#include "prepare/prepare_tests.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace lockstep {
namespace {

const Schema kSchema({{"patient", Type::kInt},
                      {"hour", Type::kInt},
                      {"sbp", Type::kFloat},
                      {"weight", Type::kFloat},
                      {"sex", Type::kText}});
const std::vector<std::string> kKey{"patient", "hour"};

constexpr std::string_view kClean = R"(
- required: [patient]
- filter: "weight >= 20"
- range: {columns: [sbp], min: 40, max: 300, otherwise: reject}
- map: {column: sex, values: {m: male, f: female}}
- rename: {patient: person}
)";
constexpr std::string_view kTrain = R"(
- expression: {ratio: "sbp / weight"}
- range: {columns: [ratio], max: 4}
- filter: "sex == 'female'"
- split: {by: person, test: 0.5}
- drop: [sex]
)";

Pipeline pipeline() {
  return Pipeline::make(yaml(kClean), yaml(kTrain), kSchema, kKey).value();
}

std::string rejects_text(const Prepared& prepared) {
  std::string out;
  for (const PreparedReject& one : prepared.rejects) {
    out += std::to_string(one.row) + " " + one.step + ": " + one.reason + "\n";
  }
  return out;
}

TEST(Pipeline, PutsEachRowInItsPlaceWithItsSign) {
  const Batch rows = batch_of(kSchema,
                              {{"1", "1", "120", "60", "f"},
                               {"1", "1", "121", "60", "f"},
                               {"2", "1", "900", "60", "m"},
                               {"3", "1", "120", "10", "m"},
                               {"4", "1", "120", "60", "x"},
                               {"5", "1", "200", "40", "f"},
                               {"6", "1", "-", "80", "m"},
                               {"-", "1", "120", "60", "f"}},
                              {-1, 1, 1, 1, -1, -1, 1, 1});
  const Prepared out = pipeline().apply(rows).value();
  EXPECT_EQ(rows_text(out.clean),
            "1 1 120 60 female | 1 1 121 60 female | 5 1 200 40 female | 6 1 - 80 male");
  EXPECT_EQ(out.clean_from, (std::vector<std::int64_t>{0, 1, 5, 6}));
  EXPECT_EQ(out.clean.sign(0), -1);  // prepare-2
  EXPECT_EQ(out.clean.sign(1), 1);
  EXPECT_EQ(out.clean.sign(2), -1);
  EXPECT_EQ(out.train_from, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(out.train.sign(0), -1);
  EXPECT_EQ(rejects_text(out),
            "2 clean[2] range: sbp is 900, above 300\n"
            "4 clean[3] map: sex is 'x', which is not listed\n"
            "5 train[1] range: ratio is 5, above 4\n"
            "7 clean[0] required: patient is null\n");
}

TEST(Pipeline, FollowsTheKeyThroughRenaming) {
  const Pipeline made = pipeline();
  EXPECT_EQ(made.clean_key(), (std::vector<std::string>{"person", "hour"}));
  EXPECT_EQ(made.train_key(), (std::vector<std::string>{"person", "hour"}));
  EXPECT_EQ(made.clean_schema().names(),
            (std::vector<std::string>{"person", "hour", "sbp", "weight", "sex"}));
  EXPECT_EQ(made.train_schema().names(),
            (std::vector<std::string>{"person", "hour", "sbp", "weight", "ratio", "split"}));
}

TEST(Pipeline, WithoutStepsHandsRowsThrough) {
  const Pipeline made = Pipeline::make({}, {}, kSchema, kKey).value();
  const Batch rows = batch_of(kSchema, {{"1", "2", "3", "4", "f"}}, {-1});
  const Prepared out = made.apply(rows).value();
  EXPECT_TRUE(out.clean.equals(rows));
  EXPECT_TRUE(out.train.equals(rows));
  EXPECT_EQ(made.json(),
            R"({"clean":[],"input":[["patient","int"],["hour","int"],["sbp","float"],)"
            R"(["weight","float"],["sex","text"]],"key":["patient","hour"],"train":[]})");
}

TEST(Pipeline, SaysInJsonAllThatItsRowsDependOn) {
  const std::string json = pipeline().json();
  EXPECT_EQ(json, pipeline().json());
  EXPECT_TRUE(node_from_json(json).ok());
  EXPECT_NE(json.find(R"({"split":{"as":"split","by":["person"],"hash":"xxh3_64)"),
            std::string::npos);
  const Pipeline other = Pipeline::make(yaml(kClean), yaml("- drop: [sex]"), kSchema, kKey).value();
  EXPECT_EQ(other.clean_json(), pipeline().clean_json());
  EXPECT_NE(other.json(), json);
}

TEST(Pipeline, RefusesWhatBreaksTheKeyOrIsNoStep) {
  struct Refusal {
    const char* steps;
    const char* message;
    const char* hint;
  };

  const Refusal refusals[] = {
      // prepare-4
      {"- drop: [hour]",
       "lockstep.yaml:1:3: step 'drop' drops or changes the key column 'hour'",
       ""},
      {"- select: [hour, sbp]", "key column 'patient'", ""},
      {"- cast: {patient: text}", "key column 'patient'", ""},
      {"- range: {columns: [hour], max: 9, otherwise: clip}", "key column 'hour'", ""},
      {"- map: {column: hour, values: {1: 2}}", "key column 'hour'", ""},
      {"- expression: {hour: \"hour + 1\"}", "key column 'hour'", ""},
      {"- rename: {patient: p}\n- drop: [p]", "lockstep.yaml:2:3: step 'drop'", ""},
      {"- filtr: \"a > 1\"", "no step 'filtr'", "did you mean 'filter'?"},
      {"- locf", "a step of clean is not one name with its settings", "write - filter"},
      {"- {filter: \"sbp > 1\", drop: [sbp]}", "not one name", ""},
      {"filter: \"sbp > 1\"", "clean is not a list of steps", "write clean:"},
      {"- rename: {sbp: _ducklake_x}", "_ducklake_x", ""},
  };
  for (const Refusal& one : refusals) {
    const auto made = Pipeline::make(yaml(one.steps), {}, kSchema, kKey);
    ASSERT_FALSE(made.ok()) << one.steps;
    EXPECT_NE(made.error().message.find(one.message), std::string::npos)
        << one.steps << ": " << made.error().message;
    EXPECT_NE(made.error().hint.find(one.hint), std::string::npos)
        << one.steps << ": " << made.error().hint;
  }
  EXPECT_FALSE(Pipeline::make({}, {}, kSchema, {"nobody"}).ok());
  EXPECT_TRUE(
      Pipeline::make(
          yaml("- range: {columns: [hour], max: 9}\n- cast: {hour: int}"), {}, kSchema, kKey)
          .ok());
}

TEST(Pipeline, RefusesRowsOfAnotherSchema) {
  EXPECT_FALSE(pipeline().apply(Batch::empty(Schema({{"patient", Type::kInt}}))).ok());
}

Batch any_rows() {
  const auto cell = [](std::vector<std::string> texts) {
    return *rc::gen::elementOf(std::move(texts));
  };
  std::vector<std::vector<std::string>> rows;
  std::vector<int> signs;
  const int count = *rc::gen::inRange(0, 12);
  for (int i = 0; i < count; ++i) {
    rows.push_back({cell({"1", "2", "3", "-"}),
                    cell({"1", "2"}),
                    cell({"120", "39", "900", "nan", "-", "250"}),
                    cell({"60", "10", "-", "nan", "40"}),
                    cell({"m", "f", "x", "-"})});
    signs.push_back(*rc::gen::elementOf(std::vector<int>{1, -1}));
  }
  return batch_of(kSchema, rows, signs);
}

// prepare-1: where the batches end does not matter.
RC_GTEST_PROP(Pipeline, GivesTheSameForAnyBatching, ()) {
  const Pipeline made = pipeline();
  const Batch rows = any_rows();
  const Prepared whole = made.apply(rows).value();
  std::vector<Batch> clean;
  std::vector<Batch> train;
  std::string rejects;
  for (std::int64_t begin = 0; begin < rows.row_count();) {
    const std::int64_t count = *rc::gen::inRange<std::int64_t>(1, rows.row_count() - begin + 1);
    Prepared part = made.apply(rows.slice(begin, count)).value();
    for (PreparedReject& one : part.rejects)
      one.row += begin;
    clean.push_back(part.clean);
    train.push_back(part.train);
    rejects += rejects_text(part);
    begin += count;
  }
  RC_ASSERT(concatenate(made.clean_schema(), clean).value().equals(whole.clean));
  RC_ASSERT(concatenate(made.train_schema(), train).value().equals(whole.train));
  RC_ASSERT(rejects == rejects_text(whole));
}

// prepare-2 and prepare-3.
RC_GTEST_PROP(Pipeline, PutsEveryRowInOnePlaceAndKeepsItsSign, ()) {
  const Batch rows = any_rows();
  const Prepared out = pipeline().apply(rows).value();
  RC_ASSERT(std::ranges::is_sorted(out.clean_from));
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    const auto in_clean = std::ranges::count(out.clean_from, row);
    const auto in_train = std::ranges::count(out.train_from, row);
    std::int64_t rejected_in_clean = 0;
    for (const PreparedReject& one : out.rejects) {
      if (one.row == row && one.step.starts_with("clean")) ++rejected_in_clean;
    }
    RC_ASSERT(in_clean + rejected_in_clean <= 1);
    RC_ASSERT(in_train <= in_clean);
  }
  for (std::int64_t i = 0; i < out.clean.row_count(); ++i) {
    RC_ASSERT(out.clean.sign(i) == rows.sign(out.clean_from[static_cast<std::size_t>(i)]));
  }
  for (std::int64_t i = 0; i < out.train.row_count(); ++i) {
    RC_ASSERT(out.train.sign(i) == rows.sign(out.train_from[static_cast<std::size_t>(i)]));
  }
}

}  // namespace
}  // namespace lockstep
