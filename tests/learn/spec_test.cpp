#include "learn/sample.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

struct BadSpec {
  const char* yaml;
  const char* message;  // a part of it
  const char* hint;     // a part of it
};

const BadSpec kBadSpecs[] = {
    {"{features: [age, wad], targets: [sbp]}", "wad", "ward"},
    {"{features: [age, ward], targets: [sbp]}", "feature 'ward' is text", "one_hot: [ward]"},
    {"{features: [age], targets: [sbp, age]}", "named twice", ""},
    {"{features: [age], targets: [ward]}", "target 'ward' is text", ""},
    {"{features: [], targets: [sbp]}", "empty", ""},
    {"{features: [age]}", "targets", ""},
    {"{features: [age], targets: [sbp], expand: [spline: 4]}",
     "no such expansion: 'spline'",
     "splines"},
    {"{features: [age], targets: [sbp], expand: [splines: 400]}", "knots", ""},
    {"{features: [age], targets: [sbp], expand: [impute, impute]}", "listed twice", ""},
    {"{features: [age], targets: [sbp], expand: [standardize: 3]}", "no settings", ""},
    {"{features: [age], targets: [sbp], expand: [impute: {with: constant}]}",
     "needs its value",
     "value: 0"},
    {"{features: [age], targets: [sbp], expand: [splines: {columns: [visits]}]}",
     "no feature",
     "features"},
    {"{features: [age], targets: [sbp], expand: [one_hot: [age]]}", "a float", "text, bool or int"},
    {"{features: [age], targets: [sbp], learner: {l2: -1}}", "l2 is '-1'", "auto"},
    {"{features: [age], targets: [sbp], learner: {type: forest}}", "forest", ""},
    {"{features: [age], targets: [sbp], split: sex}", "sex", ""},
    {"{features: [age], targets: [sbp], split: age}", "not text", ""},
    {"{features: [age], targets: [sbp], outside: keep}", "keep", ""},
};

TEST(ModelSpec, SaysWhereAndWhatToWriteInstead) {
  for (const BadSpec& bad : kBadSpecs) {
    const Node node = parse_yaml(bad.yaml, "lockstep.yaml").value();
    const auto spec = parse_model_spec(node, "bp", testing::sample_schema(), {"id"});
    ASSERT_FALSE(spec.ok()) << bad.yaml;
    EXPECT_NE(spec.error().message.find(bad.message), std::string::npos) << spec.error().message;
    EXPECT_NE(spec.error().message.find("lockstep.yaml:1:"), std::string::npos)
        << spec.error().message;
    EXPECT_NE(spec.error().hint.find(bad.hint), std::string::npos)
        << bad.yaml << ": " << spec.error().hint;
  }
}

TEST(ModelSpec, TakesTheSplitColumnWhenThereIsOne) {
  const char* yaml = "{features: [age], targets: [sbp]}";
  EXPECT_EQ(testing::sample_spec(yaml).split_column, "split");
  EXPECT_EQ(
      testing::sample_spec(yaml, Schema({{"age", Type::kInt}, {"sbp", Type::kInt}})).split_column,
      "");
}

TEST(ModelSpec, EveryExampleOfAnExpansionParses) {
  for (const ExpansionInfo& info : expansions()) {
    const std::string yaml =
        "{features: [age, ward], targets: [sbp], expand: [one_hot: [ward], impute]}";
    Node node = parse_yaml(yaml, "x").value();
    const Node example = parse_yaml("- " + std::string(info.example), "x").value();
    node.fields[2].second.items = {parse_yaml("one_hot: [ward]", "x").value()};
    if (info.name != "one_hot") node.fields[2].second.items.push_back(example.items[0]);
    const auto spec = parse_model_spec(node, "bp", testing::sample_schema(), {"id"});
    EXPECT_TRUE(spec.ok()) << info.name << ": " << spec.error().message;
  }
}

TEST(Definition, TellsWhatWasAskedFor) {
  const ModelSpec spec =
      testing::sample_spec("{features: [age], targets: [dbp], expand: [impute]}");
  const std::vector<Batch> rows = {testing::sample_rows(100)};
  const Definition definition = calibrate(spec, rows, R"([{"range":1}])").value();
  EXPECT_EQ(spec_of_definition(definition.json).value(), spec_json(spec, R"([{"range":1}])"));
  EXPECT_NE(spec_of_definition(definition.json).value(), spec_json(spec, "[]"));
  EXPECT_EQ(definition.sha256, sha256_hex(definition.json));
  EXPECT_FALSE(
      make_sum_learner({definition.json + " ", definition.sha256}, testing::sample_schema()).ok());
  EXPECT_FALSE(make_sum_learner({"{}", sha256_hex("{}")}, testing::sample_schema()).ok());
}

TEST(Definition, NeedsRowsAndATargetThatVaries) {
  const ModelSpec spec =
      testing::sample_spec("{features: [age], targets: [dbp], expand: [impute]}");
  const std::vector<Batch> none = {testing::sample_rows(0)};
  ASSERT_FALSE(calibrate(spec, none, "[]").ok());
  BatchBuilder builder(testing::sample_schema());
  for (std::int64_t id = 0; id < 9; ++id) {
    builder.append_row(
        std::vector<Value>{id, 40.0 + static_cast<double>(id), {}, {}, {}, {}, 70.0});
  }
  const std::vector<Batch> same = {builder.finish().value()};
  const auto constant = calibrate(spec, same, "[]");
  ASSERT_FALSE(constant.ok());
  EXPECT_NE(constant.error().message.find("'dbp' is the same in all of 9 rows"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
