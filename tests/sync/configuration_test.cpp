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
    {"hub:\n", "hub: [\n",
     "lockstep.yaml:3:7: not YAML: end of sequence flow not found",
     "check the indentation (spaces, not tabs), the space after ':', and that quotes and brackets close"},
    {"hub:\n", "hub:\n  catalog: sqlite:x\n",
     "lockstep.yaml:3:3: 'catalog' is given twice, first in line 2",
     "remove one of the two"},
    {"hub:\n", "hubb:\n",
     "lockstep.yaml:2:3: lockstep.yaml has no setting 'hubb'",
     "did you mean 'hub'?"},
    {"sources:", "- sources:",
     "lockstep.yaml:4:1: not YAML: end of map not found",
     "check the indentation (spaces, not tabs), the space after ':', and that quotes and brackets close"},
    {"catalog: sqlite:hub/catalog.sqlite", "catalog: postgresql://db/hub",
     "lockstep.yaml:2:3: catalog 'postgresql://db/hub' is not one that Lockstep opens",
     "write sqlite:hub/catalog.sqlite"},
    {"catalog: sqlite:hub/catalog.sqlite", "catalog: \"sqlite:\"",
     "lockstep.yaml:2:3: catalog 'sqlite:' is not one that Lockstep opens",
     "write sqlite:hub/catalog.sqlite"},
    {"data: hub/data", "dta: hub/data",
     "lockstep.yaml:3:8: hub has no setting 'dta'",
     "did you mean 'data'?"},
    {"data: hub/data", "commit_rows_max: 0",
     "lockstep.yaml:3:20: 'commit_rows_max' of hub is '0', less than 1",
     "write 1 or more"},
    {"data: hub/data", "commit_rows_max: many",
     "lockstep.yaml:3:20: 'commit_rows_max' of hub is 'many', not a whole number",
     "write a whole number without quotes, such as 1000"},
    {"data: hub/data", "data: \"${LOCKSTEP_NO_SUCH_VARIABLE}\"",
     "lockstep.yaml:3:9: environment variable LOCKSTEP_NO_SUCH_VARIABLE is not set",
     "export LOCKSTEP_NO_SUCH_VARIABLE=..."},
    {"data: hub/data", "data: \"${HOME\"",
     "lockstep.yaml:3:9: '${HOME' opens ${ and does not close it",
     "write ${NAME}, or ${file:PATH}"},
    {"data: hub/data", "data: \"${file:/no/such/file}\"",
     "lockstep.yaml:3:9: cannot open /no/such/file: No such file or directory",
     "check the path, and that it is on this machine"},
    {"data: hub/data", "data: *there",
     "lockstep.yaml:3:9: not YAML: the referenced anchor is not defined",
     "check the indentation (spaces, not tabs), the space after ':', and that quotes and brackets close"},
    {"  clinic: {type: files", "  my clinic: {type: files",
     "lockstep.yaml:5:14: 'my clinic' cannot be a name in sources",
     "use letters, digits and _, at most 63"},
    {"type: files, ", "",
     "lockstep.yaml:5:11: source 'clinic' has no type",
     "write type: files"},
    {"type: files", "type: file",
     "lockstep.yaml:5:18: source 'clinic' has the unknown type 'file'",
     "did you mean files?"},
    {"type: files", "type: oracle",
     "lockstep.yaml:5:18: source 'clinic' has the unknown type 'oracle'",
     "types: files, http, postgres, kafka, mysql, query"},
    {"path: \"in/*.csv\"", "paths: \"in/*.csv\"",
     "lockstep.yaml:5:32: source 'clinic' has no setting 'paths'",
     "did you mean 'path'?"},
    {", path: \"in/*.csv\"", "",
     "lockstep.yaml:5:11: source 'clinic' lacks 'path'",
     "add 'path: ...' (A pattern, or a list of them: `*`, `?`, `[a-z]`, and `**` for any folders; relative to lockstep.yaml, or s3://bucket/folder/*.csv.)"},
    {"type: files", "type: files, mode: upset",
     "lockstep.yaml:5:31: 'mode' of source 'clinic' is 'upset', not append | upsert | mirror",
     "did you mean 'upsert'?"},
    {"type: files", "type: files, max_delete: 200%",
     "lockstep.yaml:5:37: max_delete is 200%, outside 0% to 100%",
     "write 20% or 0.2"},
    {"type: files", "type: files, max_delete: most",
     "lockstep.yaml:5:37: max_delete is 'most', not a share",
     "write 20% or 0.2"},
    {"from: [clinic]", "from: [clinik]",
     "lockstep.yaml:8:5: source 'clinik' does not exist",
     "did you mean clinic?"},
    {"from: [clinic]", "from: [clinic, clinic]",
     "lockstep.yaml:8:5: dataset 'vitals' names source 'clinic' twice",
     "a row's key says which of a source's rows it is: make a dataset of each table"},
    {"from: [clinic]", "from: [clinic.public.visits]",
     "lockstep.yaml:8:5: source 'clinic' is of type files, which has no tables",
     "write from: [clinic]"},
    {"    from: [clinic]\n", "",
     "lockstep.yaml:8:5: dataset 'vitals' lacks 'from'",
     "add 'from: ...' (The sources that feed it: drop, or clinic.public.visits for a table of one.)"},
    {"models:", "other: 1\nmodels:",
     "lockstep.yaml:11:8: lockstep.yaml has no setting 'other'",
     "write one of: hub, sources, datasets, models, serve"},
    {"    dataset: vitals\n", "    dataset: [vitals, others]\n",
     "lockstep.yaml:13:14: 'dataset' of model 'bp' is a list, not a text",
     "write one value, in quotes if need be"},
    {"key: [patient]", "key: [patent]",
     "lockstep.yaml:8:5: dataset 'vitals': there is no column 'patent'",
     "did you mean 'patient'?"},
    {"key: [patient]", "latest: agge",
     "lockstep.yaml:8:5: dataset 'vitals': there is no column 'agge'",
     "did you mean 'age'?"},
    {"age: int", "age: integer",
     "lockstep.yaml:10:34: column 'age' has the unknown type 'integer'",
     "types: bool, int, float, text, date, timestamp"},
    {"age: int", "age: decimal",
     "lockstep.yaml:10:34: column 'age' has the unknown type 'decimal'",
     "types: bool, int, float, text, date, timestamp"},
    {"age: int", "Patient: int",
     "lockstep.yaml:10:14: the columns 'patient' and 'Patient' differ only in case",
     "rename one, for instance to 'Patient_2'"},
    {"age: int", "row_id: int",
     "lockstep.yaml:10:14: the column name 'row_id' is kept by DuckLake",
     "rename it, for instance to 'my_row_id'"},
    {"columns: {patient: int, age: int, sbp: float}", "columns: [patient]",
     "lockstep.yaml:10:14: columns of dataset 'vitals' are not a map",
     "write columns: {age: int, weight: float}"},
    {"columns: {patient: int, age: int, sbp: float}", "column: {patient: int}",
     "lockstep.yaml:10:13: dataset 'vitals' has no setting 'column'",
     "did you mean 'columns'?"},
    {"dataset: vitals", "dataset: vital",
     "lockstep.yaml:13:5: dataset 'vital' does not exist",
     "did you mean vitals?"},
    {"    dataset: vitals\n", "",
     "lockstep.yaml:13:5: model 'bp' lacks 'dataset'",
     "add 'dataset: ...' (The dataset that it learns from.)"},
    {"features: [age]", "feature: [age]",
     "lockstep.yaml:14:14: model 'bp' has no setting 'feature'",
     "did you mean 'features'?"},
    {"features: [age]", "features: [age]\n    trigger: each commit",
     "lockstep.yaml:15:14: trigger 'each commit' is unknown",
     "write every commit, {changes: 1000} or {every: 10m}"},
    {"features: [age]", "features: [age]\n    trigger: {changes: 5, every: 10m}",
     "lockstep.yaml:15:14: a trigger has changes or every, one of them",
     "write {changes: 1000}"},
    {"features: [age]", "features: [age]\n    trigger: {every: 10 minutes}",
     "lockstep.yaml:15:22: 'every' of trigger: '10 minutes' is not a duration",
     "write a whole number and one of us, ms, s, m, h, d, such as 10m"},
    {"features: [age]", "features: [age]\n    trigger: {changes: 0}",
     "lockstep.yaml:15:24: 'changes' of trigger is '0', less than 1",
     "write 1 or more"},
    {"features: [age]", "features: [age]\n    calibrate_after: soon",
     "lockstep.yaml:15:22: calibrate_after is 'soon', not a number of rows",
     "write 1000 rows"},
    {"features: [age]", "features: [age]\n    calibrate_after: 0 rows",
     "lockstep.yaml:15:22: calibrate_after is '0 rows', not a number of rows",
     "write 1000 rows"},
    {"features: [age]", "features: [age]\n    gate: {batch_error: 1x}",
     "lockstep.yaml:15:25: batch_error is '1x', not a factor above 1",
     "write 2x"},
    {"features: [age]", "features: [age]\n    gate: {at_most_worse: bad}",
     "lockstep.yaml:15:27: at_most_worse is 'bad', not a share",
     "write 20% or 0.2"},
    {"features: [age]", "features: [age]\n    gate: {batch_rows: 20}",
     "lockstep.yaml:15:24: gate has no setting 'batch_rows'",
     "write one of: batch_error, batch_rows_min, at_most_worse"},
    {"features: [age]", "features: [age]\n    gate: on",
     "lockstep.yaml:15:11: gate is not a map of settings",
     "write 'name: value' lines below it"},
    {"features: [age]", "features: [age]\n    outside: drop",
     "lockstep.yaml:15:14: 'outside' of model 'bp' is 'drop', not clip | reject",
     "write one of: clip, reject"},
    {"features: [age]", "features: [age]\n    per_target: maybe",
     "lockstep.yaml:15:17: 'per_target' of model 'bp' is 'maybe', not true or false",
     "write true or false, without quotes"},
};
// clang-format on

TEST(Configuration, NamesThePlaceOfAMistakeAndWhatToWriteInstead) {
  for (const Mistake& mistake : kMistakes) {
    const Result<Configuration> parsed = parse(changed(mistake.from, mistake.to));
    EXPECT_FALSE(parsed.ok()) << mistake.to;
    if (parsed.ok()) continue;
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
    EXPECT_EQ(share.ok() ? std::optional(share.value()) : std::nullopt, wanted.share)
        << wanted.text;
    EXPECT_EQ(factor.ok() ? std::optional(factor.value()) : std::nullopt, wanted.factor)
        << wanted.text;
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
