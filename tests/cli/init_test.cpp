#include "cli/init_text.h"
#include "sync/configuration.h"
#include "world.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

// Vitals of a few patients, with a ward and a note.
std::string vitals(int rows) {
  std::string text = "patient,hour,hr,ward,note,sbp\n";
  for (int row = 0; row < rows; ++row) {
    const std::string number = std::to_string(row);
    text += std::to_string(100 + row / 10) + "," + std::to_string(row % 10) + "," +
            (row % 7 == 0 ? "" : std::to_string(60 + row % 40)) + "," + (row % 2 == 0 ? "A" : "B") +
            ",note " + number + "," + std::to_string(100 + row % 50) + "\n";
  }
  return text;
}

DataFacts facts_of(const std::string& name, const std::string& text) {
  FakeWorld world;
  EXPECT_TRUE(write_file_atomically(*world.io, name, text).ok());
  const Result<DataFacts> facts = look_at_data(*world.io, name);
  EXPECT_TRUE(facts.ok()) << (facts.ok() ? "" : facts.error().message);
  return facts.ok() ? facts.value() : DataFacts{};
}

TEST(Init, WritesAConfigurationThatIsTaken) {
  FakeWorld world;
  ASSERT_TRUE(write_file_atomically(*world.io, "vitals.csv", vitals(600)).ok());
  EXPECT_EQ(world.run({"init", "vitals.csv"}), 0) << world.terminal.talk;
  EXPECT_NE(world.terminal.output.find("key: patient, hour"), std::string::npos)
      << world.terminal.output;
  EXPECT_NE(world.terminal.output.find("vitals_model predicts sbp from 2 columns"),
            std::string::npos)
      << world.terminal.output;
  const auto configuration = load_configuration(*world.io, "lockstep.yaml");
  ASSERT_TRUE(configuration.ok()) << configuration.error().message;
  const DatasetConfiguration* dataset = configuration.value().dataset("vitals");
  ASSERT_NE(dataset, nullptr);
  EXPECT_EQ(dataset->key, (std::vector<std::string>{"patient", "hour"}));
  EXPECT_EQ(dataset->columns.size(), 6);
  ASSERT_NE(configuration.value().model("vitals_model"), nullptr);
  EXPECT_EQ(configuration.value().model("vitals_model")->calibrate_after_rows, 300);
}

TEST(Init, OverwritesOnlyByForce) {
  FakeWorld world;
  ASSERT_TRUE(write_file_atomically(*world.io, "vitals.csv", vitals(50)).ok());
  ASSERT_TRUE(write_file_atomically(*world.io, "lockstep.yaml", "mine\n").ok());
  EXPECT_EQ(world.run({"init", "vitals.csv"}), 1);
  EXPECT_EQ(read_file(*world.io, "lockstep.yaml", 1 << 20).value(), "mine\n");
  EXPECT_EQ(world.run({"init", "vitals.csv", "--force"}), 0) << world.terminal.talk;
  EXPECT_NE(read_file(*world.io, "lockstep.yaml", 1 << 20).value(), "mine\n");
}

TEST(Init, AsksForTheTargetOnATerminalOnly) {
  FakeWorld world;
  ASSERT_TRUE(write_file_atomically(*world.io, "vitals.csv", vitals(50)).ok());
  world.terminal.interactive = true;
  world.terminal.answer = "hr";
  EXPECT_EQ(world.run({"init", "vitals.csv", "--color", "never"}), 0) << world.terminal.talk;
  EXPECT_NE(world.terminal.talk.find("what shall be predicted? [sbp]"), std::string::npos);
  EXPECT_NE(world.terminal.output.find("predicts hr"), std::string::npos);
  EXPECT_EQ(world.run({"init", "vitals.csv", "--force", "--target", "sbp,hr"}), 0);
  EXPECT_EQ(world.terminal.talk, "");
  EXPECT_NE(world.terminal.output.find("predicts sbp, hr"), std::string::npos);
}

TEST(Init, RefusesATargetThatIsNoColumnOrNoNumber) {
  FakeWorld world;
  ASSERT_TRUE(write_file_atomically(*world.io, "vitals.csv", vitals(50)).ok());
  EXPECT_EQ(world.run({"init", "vitals.csv", "--target", "spb"}), 1);
  EXPECT_NE(world.terminal.talk.find("sbp"), std::string::npos) << world.terminal.talk;
  EXPECT_EQ(world.run({"init", "vitals.csv", "--target", "ward"}), 1);
  EXPECT_NE(world.terminal.talk.find("target 'ward' is text, not a number"), std::string::npos);
}

TEST(Init, NamesTheMissingFile) {
  FakeWorld world;
  EXPECT_EQ(world.run({"init", "none.csv"}), 1);
  EXPECT_NE(world.terminal.talk.find("none.csv"), std::string::npos);
  EXPECT_EQ(world.run({"init"}), 2);
}

TEST(Guess, FindsTheKeyAsUniqueColumnsWithoutGaps) {
  struct Case {
    const char* text;
    std::vector<std::string> key;
  };

  const Case cases[] = {
      {"id,x\n1,5\n2,5\n", {"id"}},
      {"x,patient_id\n5,a\n5,b\n", {"patient_id"}},
      {"patient,hour,x\n1,1,5\n1,2,5\n2,1,5\n", {"patient", "hour"}},
      {"id,x\n1,5\n1,5\n", {}},
      {"id,x\n1,0.5\n,0.6\n", {}},
      {"x,y\n0.5,1.5\n0.7,1.5\n", {}},  // numbers with a fraction name nothing
  };
  for (const Case& one : cases) {
    EXPECT_EQ(facts_of("data.csv", one.text).key, one.key) << one.text;
  }
}

TEST(Guess, ReadsOtherDelimitersDecimalCommasAndMissingWords) {
  const DataFacts german = facts_of("data.csv", "id;weight\n1;70,5\n2;80,25\n");
  EXPECT_EQ(german.options.delimiter, ';');
  EXPECT_TRUE(german.options.decimal_comma);
  EXPECT_EQ(german.schema.field(1).type, Type::kFloat);
  const DataFacts missing = facts_of("data.csv", "id,weight\n1,70.5\n2,NA\n");
  EXPECT_EQ(missing.schema.field(1).type, Type::kFloat);
  EXPECT_EQ(missing.options.null_words, (std::vector<std::string>{"", "NA"}));
  EXPECT_TRUE(facts_of("data.csv", "id,x\n1,2").last_line_is_open);
}

TEST(Guess, TakesTheTargetByNameOrTheLastNumber) {
  EXPECT_EQ(guess_targets(facts_of("a.csv", "id,next_sbp,hr\n1,2,3\n2,2,3\n")),
            std::vector<std::string>{"next_sbp"});
  EXPECT_EQ(guess_targets(facts_of("a.csv", "id,sbp,hr,ward\n1,2,3,A\n2,2,3,B\n")),
            std::vector<std::string>{"hr"});
  EXPECT_TRUE(guess_targets(facts_of("a.csv", "id,ward\n1,A\n2,B\n")).empty());
}

TEST(Yaml, QuotesWhatWouldReadAsSomethingElse) {
  const std::pair<const char*, const char*> cases[] = {{"sbp", "sbp"},
                                                       {"no", "\"no\""},
                                                       {"60SecPulse", "\"60SecPulse\""},
                                                       {"blood pressure", "\"blood pressure\""},
                                                       {"a\"b\\c", "\"a\\\"b\\\\c\""},
                                                       {"", "\"\""}};
  for (const auto& [text, yaml] : cases)
    EXPECT_EQ(yaml_text(text), yaml);
}

TEST(Yaml, NamesADatasetAfterItsFile) {
  EXPECT_EQ(name_of_file("/data/ICU vitals.csv.gz"), "icu_vitals");
  EXPECT_EQ(name_of_file("NHANES_data_2017-2018.tsv"), "nhanes_data_2017_2018");
  EXPECT_EQ(name_of_file("血圧.csv"), "data");
}

}  // namespace
}  // namespace lockstep
