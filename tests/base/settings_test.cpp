#include "base/config.h"

#include <gtest/gtest.h>

#include <array>

namespace lockstep {
namespace {

using Type = Setting::Type;

constexpr std::array kTable = {
    Setting{.name = "path", .text = "Where the files are.", .required = true},
    Setting{.name = "batch_rows",
            .type = Type::kInteger,
            .fallback = "1000",
            .text = "Rows in a batch.",
            .min = 1,
            .max = 100'000},
    Setting{.name = "share", .type = Type::kNumber, .fallback = "0.2", .min = 0, .max = 1},
    Setting{.name = "strict", .type = Type::kBoolean, .fallback = "false"},
    Setting{.name = "columns", .type = Type::kTexts, .min = 1, .max = 3},
    Setting{.name = "mode",
            .type = Type::kChoice,
            .fallback = "append",
            .choices = "append | upsert | mirror"},
    Setting{.name = "every",
            .type = Type::kDuration,
            .fallback = "10m",
            .min = 1'000,
            .max = 86'400'000'000},
    Setting{.name = "memory", .type = Type::kBytes, .fallback = "1GB", .min = 1 << 20},
    Setting{.name = "steps", .type = Type::kNode},
    Setting{.name = "note"},
};

Result<Settings> parsed(std::string_view yaml) {
  return Settings::parse(parse_yaml(yaml, "f").value(), kTable, "source 'drop'");
}

TEST(Settings, FillsInDefaults) {
  const Settings settings = parsed("path: in").value();
  EXPECT_EQ(settings.text("path"), "in");
  EXPECT_EQ(settings.integer("batch_rows"), 1000);
  EXPECT_EQ(settings.number("share"), 0.2);
  EXPECT_FALSE(settings.boolean("strict"));
  EXPECT_EQ(settings.text("mode"), "append");
  EXPECT_EQ(settings.duration_us("every"), 600'000'000);
  EXPECT_EQ(settings.bytes("memory"), 1'000'000'000);
  EXPECT_TRUE(settings.has("mode"));
  EXPECT_EQ(settings.given("mode"), nullptr);
  EXPECT_FALSE(settings.has("columns"));
  EXPECT_TRUE(settings.texts("columns").empty());
  EXPECT_EQ(settings.text("note"), "");
  EXPECT_EQ(settings.mark().line, 1);
}

TEST(Settings, ReadsWhatIsGiven) {
  const Settings settings =
      parsed(
          "path: '7'\nbatch_rows: 5\nshare: 1\nstrict: true\ncolumns: [a, b]\nmode: mirror\n"
          "every: 100ms\nmemory: 512MiB\nsteps: [{x: 1}]\n")
          .value();
  EXPECT_EQ(settings.text("path"), "7");
  EXPECT_EQ(settings.integer("batch_rows"), 5);
  EXPECT_EQ(settings.number("share"), 1);
  EXPECT_TRUE(settings.boolean("strict"));
  EXPECT_EQ(settings.texts("columns"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings.text("mode"), "mirror");
  EXPECT_EQ(settings.duration_us("every"), 100'000);
  EXPECT_EQ(settings.bytes("memory"), 512 << 20);
  EXPECT_EQ(settings.node("steps").json(), R"([{"x":1}])");
  EXPECT_EQ(settings.given("mode")->mark.line, 6);
}

TEST(Settings, ExplainsEachMistake) {
  struct Case {
    const char* yaml;
    const char* message;
    const char* hint;
  };

  // clang-format off
  constexpr Case kCases[] = {
      {"[a]", "f:1:1: source 'drop' is not a map of settings", "write 'name: value' lines below it"},
      {"~", "f:1:1: source 'drop' lacks 'path'", "add 'path: ...' (Where the files are.)"},
      {"pth: in", "f:1:6: source 'drop' has no setting 'pth'", "did you mean 'path'?"},
      {"path: in\nzebra: 1", "f:2:8: source 'drop' has no setting 'zebra'",
       "write one of: path, batch_rows, share, strict, columns, mode, every, memory, steps, note"},
      {"path:", "f:1:1: 'path' of source 'drop' is empty", "give a value or remove it"},
      {"path: [a]", "f:1:7: 'path' of source 'drop' is a list, not a text",
       "write one value, in quotes if need be"},
      {"path: in\nbatch_rows: 10x", "f:2:13: 'batch_rows' of source 'drop' is '10x', not a whole number",
       "write a whole number without quotes, such as 1000"},
      {"path: in\nbatch_rows: 0", "f:2:13: 'batch_rows' of source 'drop' is '0', less than 1", "write 1 or more"},
      {"path: in\nbatch_rows: 100001", "f:2:13: 'batch_rows' of source 'drop' is '100001', more than 100000",
       "write 100000 or less"},
      {"path: in\nshare: 1.5", "f:2:8: 'share' of source 'drop' is '1.5', more than 1", "write 1 or less"},
      {"path: in\nshare: a", "f:2:8: 'share' of source 'drop' is 'a', not a number",
       "write a number without quotes, such as 0.5 or 1e-3"},
      {"path: in\nstrict: on", "f:2:9: 'strict' of source 'drop' is 'on', not true or false",
       "write true or false, without quotes"},
      {"path: in\ncolumns: []", "f:2:10: 'columns' of source 'drop' is a list of 0, less than 1",
       "write a list of 1 or more"},
      {"path: in\ncolumns: [a, b, c, d]", "f:2:10: 'columns' of source 'drop' is a list of 4, more than 3",
       "write a list of 3 or less"},
      {"path: in\ncolumns: {a: 1}", "f:2:10: 'columns' of source 'drop' is a map, not a list of texts",
       "write [one, two]"},
      {"path: in\nmode: upsrt", "f:2:7: 'mode' of source 'drop' is 'upsrt', not append | upsert | mirror",
       "did you mean 'upsert'?"},
      {"path: in\nmode: x", "f:2:7: 'mode' of source 'drop' is 'x', not append | upsert | mirror",
       "write one of: append, upsert, mirror"},
      {"path: in\nevery: 10", "f:2:8: 'every' of source 'drop': '10' is not a duration",
       "write a whole number and one of us, ms, s, m, h, d, such as 10m"},
      {"path: in\nevery: 2d", "f:2:8: 'every' of source 'drop' is '2d', more than 1d", "write 1d or less"},
      {"path: in\nevery: 10us", "f:2:8: 'every' of source 'drop' is '10us', less than 1ms", "write 1ms or more"},
      {"path: in\nmemory: 1kb", "f:2:9: 'memory' of source 'drop': '1kb' is not a number of bytes",
       "write a whole number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, such as 512MiB"},
      {"path: in\nmemory: 1KB", "f:2:9: 'memory' of source 'drop' is '1KB', less than 1MiB", "write 1MiB or more"},
  };
  // clang-format on
  for (const Case& row : kCases) {
    const Result<Settings> settings = parsed(row.yaml);
    ASSERT_FALSE(settings.ok()) << row.yaml;
    EXPECT_EQ(settings.error().message, row.message);
    EXPECT_EQ(settings.error().hint, row.hint) << row.yaml;
    EXPECT_EQ(settings.error().code, Code::kInvalid);
  }
}

TEST(Settings, ReadsQuantities) {
  struct Case {
    const char* text;
    std::int64_t duration_us;  // -1: none
    std::int64_t bytes;
  };

  // clang-format off
  constexpr Case kCases[] = {
      {"5us", 5, -1}, {"100ms", 100'000, -1}, {"10s", 10'000'000, -1}, {"10m", 600'000'000, -1},
      {"2h", 7'200'000'000, -1}, {"7d", 604'800'000'000, -1}, {"0s", 0, -1}, {"1 s", 1'000'000, -1},
      {"0B", -1, 0}, {"1KB", -1, 1000}, {"1GB", -1, 1'000'000'000}, {"512MiB", -1, 536'870'912},
      {"2 TiB", -1, 2'199'023'255'552}, {"3KiB", -1, 3072}, {"1TB", -1, 1'000'000'000'000},
      {"9223372036854775807us", std::numeric_limits<std::int64_t>::max(), -1},
      {"9223372036854775807ms", -1, -1}, {"9223372036854775808us", -1, -1},
      {"9223372036854775807KB", -1, -1}, {"", -1, -1}, {"s", -1, -1}, {"-1s", -1, -1},
      {"1.5s", -1, -1}, {"1", -1, -1}, {"1S", -1, -1}, {"1  s", -1, -1}, {"1gb", -1, -1},
      {" 1s", -1, -1}, {"1s ", -1, -1}, {"1h30m", -1, -1},
  };
  // clang-format on
  for (const Case& row : kCases) {
    const Result<std::int64_t> duration = parse_duration_us(row.text);
    EXPECT_EQ(duration.ok() ? duration.value() : -1, row.duration_us) << row.text;
    const Result<std::int64_t> bytes = parse_bytes(row.text);
    EXPECT_EQ(bytes.ok() ? bytes.value() : -1, row.bytes) << row.text;
  }
}

TEST(Settings, FindsTheNearestName) {
  const std::vector<std::string> names = {"path", "mode", "batch_rows", "dataset", "datasets"};

  struct Case {
    std::string word;
    std::string nearest;
  };

  const std::vector<Case> cases = {{"path", "path"},
                                   {"paht", "path"},
                                   {"pat", "path"},
                                   {"mod", "mode"},
                                   {"batchrows", "batch_rows"},
                                   {"batch_row", "batch_rows"},
                                   {"datasetss", "datasets"},
                                   {"x", ""},
                                   {"", ""},
                                   {"xyzzy", ""},
                                   {std::string(100'000, 'a'), ""}};
  for (const Case& row : cases) {
    EXPECT_EQ(nearest(row.word, names).value_or(""), row.nearest) << row.word.substr(0, 20);
  }
}

TEST(SettingsDeathTest, AsksOnlyForSettingsOfTheTable) {
  const Settings settings = parsed("path: in").value();
  EXPECT_DEATH(settings.text("pth"), "a setting that is not in the table is asked for");
  EXPECT_DEATH(settings.integer("path"), "a getter does not fit the type of its setting");
  EXPECT_DEATH(settings.node("steps"), "a setting without a value is asked for");
}

}  // namespace
}  // namespace lockstep
