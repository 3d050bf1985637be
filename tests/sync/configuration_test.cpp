#include "sync/configuration.h"

#include "learn/learn.h"
#include "prepare/prepare.h"
#include "source/source.h"
#include "sync/configuration_values.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

const std::string kYaml = R"(hub:
  catalog: sqlite:hub/catalog.sqlite
  data: hub/data
sources:
  clinic: {type: files, path: "in/*.csv"}
datasets:
  vitals:
    from: [clinic]
    key: [patient]
    columns: {patient: int, age: int, sbp: float}
models:
  bp:
    dataset: vitals
    features: [age]
    targets: [sbp]
)";

std::string changed(const std::string& from, const std::string& to) {
  std::string yaml = kYaml;
  const std::size_t at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? yaml : yaml.replace(at, from.size(), to);
}

Result<Configuration> parse(const std::string& yaml) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  return parse_configuration(*io, yaml, "/clinic/lockstep.yaml");
}

struct Mistake {
  const char* from;
  const char* to;
  const char* message;
  const char* hint;
};

// clang-format off
const Mistake kMistakes[] = {
#include "sync/mistakes.inc"
};
// clang-format on

TEST(Configuration, NamesThePlaceOfAMistakeAndWhatToWriteInstead) {
  for (const Mistake& mistake : kMistakes) {
    const Result<Configuration> parsed = parse(changed(mistake.from, mistake.to));
    EXPECT_FALSE(parsed.ok()) << mistake.to;
    if (parsed.ok()) continue;
    fmt::print("@@{}@@{}@@{}@@END\n", &mistake - kMistakes, parsed.error().message, parsed.error().hint);
    EXPECT_EQ(parsed.error().code, Code::kInvalid) << mistake.to;
    EXPECT_EQ(parsed.error().message, mistake.message) << mistake.to;
    EXPECT_EQ(parsed.error().hint, mistake.hint) << mistake.to;
  }
}

TEST(Configuration, FillsInWhatIsNotWritten) {
  const Result<Configuration> parsed = parse(kYaml);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const Configuration& configuration = parsed.value();
  EXPECT_EQ(configuration.directory, "/clinic");
  EXPECT_EQ(configuration.hub.catalog, "sqlite:/clinic/hub/catalog.sqlite");
  EXPECT_EQ(configuration.hub.data, "/clinic/hub/data");
  EXPECT_EQ(configuration.hub.commit_rows_max, 100'000);
  ASSERT_NE(configuration.source("clinic"), nullptr);
  EXPECT_EQ(configuration.source("clinic")->type, "files");
  EXPECT_DOUBLE_EQ(configuration.source("clinic")->max_delete, 0.2);
  ASSERT_NE(configuration.dataset("vitals"), nullptr);
  EXPECT_EQ(configuration.dataset("vitals")->columns.size(), 3);
  const ModelConfiguration* model = configuration.model("bp");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->calibrate_after_rows, 1'000);
  EXPECT_EQ(model->trigger.kind, TriggerConfiguration::Kind::kEveryCommit);
  EXPECT_TRUE(model->gate.enabled);
  EXPECT_DOUBLE_EQ(model->gate.batch_error, 2);
  EXPECT_DOUBLE_EQ(model->gate.at_most_worse, 0.02);
  EXPECT_EQ(model->learn.find("dataset"), nullptr);
  EXPECT_EQ(configuration.model("nobody"), nullptr);
}

TEST(Configuration, ReadsTriggersAndGates) {
  const auto with = [](const std::string& lines) {
    const Result<Configuration> parsed = parse(kYaml + lines);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    return parsed.value().models.front();
  };
  EXPECT_EQ(with("    trigger: {changes: 50}\n").trigger.changes, 50);
  EXPECT_EQ(with("    trigger: {every: 10m}\n").trigger.interval_us, 600'000'000);
  EXPECT_EQ(with("    trigger: every commit\n").trigger.kind,
            TriggerConfiguration::Kind::kEveryCommit);
  EXPECT_FALSE(with("    gate: off\n").gate.enabled);
  const GateConfiguration gate =
      with("    gate: {batch_error: 3x, at_most_worse: 5%, batch_rows_min: 7}\n").gate;
  EXPECT_DOUBLE_EQ(gate.batch_error, 3);
  EXPECT_DOUBLE_EQ(gate.at_most_worse, 0.05);
  EXPECT_EQ(gate.batch_rows_min, 7);
  EXPECT_EQ(with("    calibrate_after: 12 rows\n").calibrate_after_rows, 12);
  EXPECT_EQ(with("    calibrate_after: 12\n").calibrate_after_rows, 12);
}

TEST(Configuration, ReadsTheExampleOfTheDocumentation) {
  const std::unique_ptr<Io> io = make_system_io();
  const Result<Configuration> parsed = load_configuration(
      *io, std::string(LOCKSTEP_SOURCE_DIR) + "/examples/blood_pressure/lockstep.yaml");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().models.size(), 1U);
}

TEST(Configuration, TakesSecretsFromFilesAndStoresThemNowhere) {
  World world;
  world.put("secret.txt", "in/*.csv\n");
  world.configure(changed("\"in/*.csv\"", "\"${file:secret.txt}\""));
  const Result<Configuration> parsed = world.configuration();
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value().sources[0].settings.find("path")->scalar, "in/*.csv");
  EXPECT_NE(parsed.value().json.find("${file:secret.txt}"), std::string::npos);
  EXPECT_EQ(parsed.value().json.find("in/*.csv"), std::string::npos);
}

TEST(Configuration, SaysHowToMakeAFileThatIsMissing) {
  World world;
  const Result<Configuration> parsed = world.configuration();
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, Code::kNotFound);
  EXPECT_EQ(parsed.error().message, "there is no " + world.path("lockstep.yaml"));
  EXPECT_EQ(parsed.error().hint, "lockstep init DATA.csv writes one, or name yours with --config");
}

struct ValueCase {
  const char* text;
  std::optional<double> share;
  std::optional<double> factor;
  std::optional<std::int64_t> rows;
};

// clang-format off
const ValueCase kValues[] = {
    {"20%",     0.2,  {},  {}},
    {"0.5",     0.5,  {},  {}},
    {"100 %",   1.0,  {},  {}},
    {"101%",    {},   {},  {}},
    {"-1%",     {},   {},  {}},
    {"2x",      {},   2.0, {}},
    {"2",       {},   2.0, 2},
    {"1",       1.0,  {},  1},
    {"1000 rows", {}, {},  1'000},
    {"0 rows",  {},   {},  {}},
    {"1e13",    {},   1e13, {}},
    {"nan",     {},   {},  {}},
    {"",        {},   {},  {}},
    {"x",       {},   {},  {}},
    {"two",     {},   {},  {}},
    {"2.5",     {},   2.5, {}},
    {"inf",     {},   {},  {}},
};
// clang-format on

TEST(Configuration, ReadsSharesFactorsAndRows) {
  for (const ValueCase& wanted : kValues) {
    const Node node = node_of(wanted.text);
    const Result<double> share = share_of(node, "share");
    const Result<double> factor = factor_of(node, "factor");
    const Result<std::int64_t> rows = rows_of(node, "rows");
    EXPECT_EQ(share.ok() ? std::optional(share.value()) : std::nullopt, wanted.share) << wanted.text;
    EXPECT_EQ(factor.ok() ? std::optional(factor.value()) : std::nullopt, wanted.factor) << wanted.text;
    EXPECT_EQ(rows.ok() ? std::optional(rows.value()) : std::nullopt, wanted.rows) << wanted.text;
  }
}

TEST(Manual, MentionsEverySettingAndEveryStep) {
  const std::string manual = configuration_manual();
  std::size_t count = 0;
  for (const SettingsSection& section : settings_sections()) {
    const std::size_t begin = manual.find(fmt::format("\n## {}\n", section.name));
    ASSERT_NE(begin, std::string::npos) << section.name;
    const std::string part = manual.substr(begin, manual.find("\n## ", begin + 1) - begin);
    for (const Setting& setting : section.settings) {
      EXPECT_NE(part.find(fmt::format("| `{}` |", setting.name)), std::string::npos)
          << section.name << " " << setting.name;
      EXPECT_NE(part.find(setting.text), std::string::npos) << section.name << " " << setting.name;
      ++count;
    }
  }
  EXPECT_GT(count, 40U);
  for (const StepInfo& step : steps()) {
    EXPECT_NE(manual.find(fmt::format("| `{}` | {} |", step.name, step.text)), std::string::npos)
        << step.name;
  }
}

TEST(Manual, IsASchemaThatMentionsEverySetting) {
  const Json schema = Json::parse(configuration_json_schema(), nullptr, false);
  ASSERT_FALSE(schema.is_discarded());
  EXPECT_EQ(schema.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  for (const SettingsSection& section : settings_sections()) {
    const bool top = section.name == "top";
    ASSERT_TRUE(top || schema.at("$defs").contains(section.name)) << section.name;
    const Json& part = top ? schema : schema.at("$defs").at(std::string(section.name));
    for (const Setting& setting : section.settings) {
      EXPECT_TRUE(part.at("properties").contains(setting.name))
          << section.name << " " << setting.name;
    }
    EXPECT_EQ(part.at("additionalProperties"), false) << section.name;
  }
}

}  // namespace
}  // namespace lockstep::test
