#include "base/config.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace lockstep {
namespace {

std::string json_of(std::string_view yaml) {
  const Result<Node> node = parse_yaml(yaml, "f");
  return node.ok() ? node.value().json() : node.error().message;
}

TEST(Config, TakesNullForAName) {
  const Result<Node> node = parse_yaml("null: [NA, '-']\nother: null", "f");
  ASSERT_TRUE(node.ok());
  ASSERT_NE(node.value().find("null"), nullptr);
  EXPECT_EQ(node.value().find("null")->items.size(), 2U);
  EXPECT_TRUE(node.value().find("other")->is_null());
}

TEST(Config, WritesYamlAsCanonicalJson) {
  struct Case {
    const char* yaml;
    const char* json;
  };

  // clang-format off
  constexpr Case kCases[] = {
      {"", "null"},
      {"# only a comment\n", "null"},
      {"~", "null"},
      {"a: 1", R"({"a":1})"},
      {"b: 1\na: 2", R"({"b":1,"a":2})"},
      {"a: [1, two, 'three', \"4\"]", R"({"a":[1,"two","three","4"]})"},
      {"a:\n  - x\n  - y: 1\n    z:\n", R"({"a":["x",{"y":1,"z":null}]})"},
      {"a: true\nb: false\nc: yes\nd: True", R"({"a":true,"b":false,"c":"yes","d":"True"})"},
      {"a: 1.50", R"({"a":1.5})"},
      {"a: 1e3", R"({"a":1000})"},
      {"a: 1.0", R"({"a":1})"},
      {"a: -0.0", R"({"a":0})"},
      {"a: -0", R"({"a":0})"},
      {"a: 1e300", R"({"a":1e+300})"},
      {"a: 1e999", R"({"a":"1e999"})"},
      {"a: 007", R"({"a":"007"})"},
      {"a: 0x10", R"({"a":"0x10"})"},
      {"a: .5", R"({"a":".5"})"},
      {"a: +1", R"({"a":"+1"})"},
      {"a: .inf", R"({"a":".inf"})"},
      {"a: 9223372036854775807", R"({"a":9223372036854775807})"},
      {"a: 9223372036854775808", R"({"a":"9223372036854775808"})"},
      {"a: 2026-01-02", R"({"a":"2026-01-02"})"},
      {"a: \"q\\\"\\\\\\n\\u00e9\"", "{\"a\":\"q\\\"\\\\\\n\xC3\xA9\"}"},
      {"a: |\n  one\n  two\n", R"({"a":"one\ntwo\n"})"},
      {"a: >\n  one\n  two\n", R"({"a":"one two\n"})"},
      {"{a: {b: {}}, c: []}", R"({"a":{"b":{}},"c":[]})"},
      {"%YAML 1.2\n---\na: 1\n", R"({"a":1})"},
  };
  // clang-format on
  for (const Case& row : kCases)
    EXPECT_EQ(json_of(row.yaml), row.json) << row.yaml;
}

// base-6
TEST(Config, RefusesWithThePlace) {
  struct Case {
    std::string yaml;
    std::string message;
  };

  // clang-format off
  const std::vector<Case> cases = {
      {"a: 1\nb: 2\na: 3", "f:3:1: 'a' is given twice, first in line 1"},
      {"a: &x 1", "f:1:4: '&name' names a place, which is not allowed"},
      {"a: *x", "f:1:4: not YAML: the referenced anchor is not defined"},
      {"a: !!int 1", "f:1:4: the tag 'tag:yaml.org,2002:int' is not allowed"},
      {"a: !x {b: 1}", "f:1:4: the tag '!x' is not allowed"},
      {"? [a, b]\n: 1", "f:1:3: the name of a field is a list or a map"},
      {"a: 1\n---\nb: 2", "f:1:1: the text holds more than one document"},
      {std::string("a: \0b", 5), "f:1:4: control character 0x00"},
      {"a: \x07", "f:1:4: control character 0x07"},
      {"a: 1\nb: \xFF", "f:2:4: byte 0xFF is not UTF-8 text"},
      {"a: \xC0\x80", "f:1:4: byte 0xC0 is not UTF-8 text"},
      {"a: \xED\xA0\x80", "f:1:4: byte 0xED is not UTF-8 text"},
      {"a: \xF4\x90\x80\x80", "f:1:4: byte 0xF4 is not UTF-8 text"},
      {"a: \xE2\x82", "f:1:4: byte 0xE2 is not UTF-8 text"},
      {"\xC3\xA9: \xF0\x9F\x98\x80\xFF", "f:1:5: byte 0xFF is not UTF-8 text"},
      {"a: [1, 2", "f:1:1: not YAML: end of sequence flow not found"},
      {"a: 'x", "f:1:6: not YAML: "},
      {"a: 1\n b: 2", "f:2:3: not YAML: illegal map value"},
      {"a:\n\tb: 1", "f:2:3: not YAML: "},
  };
  // clang-format on
  for (const Case& row : cases) {
    const Result<Node> node = parse_yaml(row.yaml, "f");
    ASSERT_FALSE(node.ok()) << row.yaml;
    EXPECT_EQ(node.error().message.substr(0, row.message.size()), row.message) << row.yaml;
    EXPECT_EQ(node.error().code, Code::kInvalid);
    EXPECT_FALSE(node.error().hint.empty()) << row.yaml;
  }
}

std::string repeated(std::string_view text, int count) {
  std::string all;
  for (int round = 0; round < count; ++round)
    all += text;
  return all;
}

TEST(Config, WithstandsHostileTexts) {
  EXPECT_TRUE(parse_yaml(repeated("[", 32) + repeated("]", 32), "f").ok());
  EXPECT_EQ(json_of(repeated("[", 33) + repeated("]", 33)), "f:1:33: nested deeper than 32 levels");
  EXPECT_FALSE(parse_yaml(repeated("[", 100'000), "f").ok());
  EXPECT_FALSE(parse_yaml(repeated("{a: ", 10'000), "f").ok());
  EXPECT_FALSE(parse_yaml(repeated("- ", 10'000), "f").ok());
  EXPECT_FALSE(parse_yaml(repeated("? ", 1'000), "f").ok());
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'j'; ++name) {
    const std::string last(1, static_cast<char>(name - 1));
    laughs += std::string(1, name) + ": &" + name + " [" + repeated("*" + last + ", ", 8) + "]\n";
  }
  EXPECT_EQ(json_of(laughs), "f:1:4: '&name' names a place, which is not allowed");
  const std::string huge = repeated("x", 1'000'000);
  EXPECT_EQ(parse_yaml("a: " + huge, "f").value().find("a")->scalar, huge);
  EXPECT_FALSE(parse_yaml(repeated("x", (4 << 20) + 1), "f").ok());
  EXPECT_EQ(json_of("[" + repeated("1,", 210'000) + "1]").substr(0, 4), "f:1:");
}

// base-7
TEST(Config, NeverCrashesOnAnyBytes) {
  rc::check([](const std::vector<std::uint8_t>& picks) {
    constexpr std::string_view kAlphabet = "ab1:- \n[]{}'\"#&*!|>?,%~.\t\\@`\xC3\xA9";
    std::string text;
    for (const std::uint8_t pick : picks)
      text += kAlphabet[pick % kAlphabet.size()];
    const Result<Node> node = parse_yaml(text, "f");
    if (!node.ok()) return;
    const std::string json = node.value().json();
    RC_ASSERT(node_from_json(json).value().json() == json);
  });
}

TEST(Config, RemembersWhereEachValueStood) {
  const Node node = parse_yaml("a: 1\nb:\n  - x\n  - {c: y}\n", "dir/f.yaml").value();
  EXPECT_EQ(node.find("a")->mark, (Mark{"dir/f.yaml", 1, 4}));
  EXPECT_EQ(node.find("b")->items[1].find("c")->mark.text(), "dir/f.yaml:4:9");
  EXPECT_EQ(node.find("d"), nullptr);
  EXPECT_EQ(invalid_at({}, "wrong").message, "wrong");
}

TEST(Config, ReadsJson) {
  const char* json = R"({"a":[1,-2.5,"3",true,null],"b":{"c":{}},"d":"é\n"})";
  EXPECT_EQ(node_from_json(json).value().json(), json);
  for (const char* broken :
       {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "nul", "1 2", "{\"a\" 1}", "\"\xFF\"", "[1e999]"}) {
    const Result<Node> node = node_from_json(broken);
    EXPECT_FALSE(node.ok()) << broken;
    EXPECT_TRUE(node.ok() || node.error().code == Code::kInvalid);
  }
  EXPECT_FALSE(node_from_json(repeated("[", 100'000)).ok());
}

TEST(Config, BuildsNodesInCode) {
  std::vector<std::pair<std::string, Node>> fields;
  fields.emplace_back("x", node_of("1"));
  fields.emplace_back("y", node_of(std::vector<Node>{node_of("a"), node_of("true")}));
  EXPECT_EQ(node_of(std::move(fields)).json(), R"({"x":1,"y":["a",true]})");
}

TEST(Config, ReadsScalarsOrSaysWhatToWrite) {
  struct Case {
    const char* yaml;
    const char* type;
    const char* expected;
  };

  // clang-format off
  constexpr Case kCases[] = {
      {"x", "text", "x"},
      {"'12'", "text", "12"},
      {"12", "text", "12"},
      {"[1]", "text", "f:1:1: it is a list, not a text"},
      {"~", "text", "f:1:1: it is empty, not a text"},
      {"{a: 1}", "text", "f:1:1: it is a map, not a text"},
      {"12", "integer", "12"},
      {"-9223372036854775808", "integer", "-9223372036854775808"},
      {"9223372036854775808", "integer", "f:1:1: it is '9223372036854775808', not a whole number"},
      {"'12'", "integer", "f:1:1: it is \"12\", not a whole number"},
      {"1.5", "integer", "f:1:1: it is '1.5', not a whole number"},
      {"012", "integer", "f:1:1: it is '012', not a whole number"},
      {"1_000", "integer", "f:1:1: it is '1_000', not a whole number"},
      {"1e3", "integer", "f:1:1: it is '1e3', not a whole number"},
      {"1e3", "number", "1000"},
      {"-2", "number", "-2"},
      {".nan", "number", "f:1:1: it is '.nan', not a number"},
      {"inf", "number", "f:1:1: it is 'inf', not a number"},
      {"0,5", "number", "f:1:1: it is '0,5', not a number"},
      {"1e999", "number", "f:1:1: it is '1e999', not a number"},
      {"true", "boolean", "true"},
      {"false", "boolean", "false"},
      {"yes", "boolean", "f:1:1: it is 'yes', not true or false"},
      {"1", "boolean", "f:1:1: it is '1', not true or false"},
      {"'true'", "boolean", "f:1:1: it is \"true\", not true or false"},
      {"[a, 1]", "texts", "a|1|"},
      {"a", "texts", "a|"},
      {"[]", "texts", ""},
      {"[a, [b]]", "texts", "f:1:5: an item of it is a list, not a text"},
      {"{a: 1}", "texts", "f:1:1: it is a map, not a list of texts"},
  };
  // clang-format on
  for (const Case& row : kCases) {
    const Node node = parse_yaml(row.yaml, "f").value();
    const std::string type = row.type;
    std::string got;
    const auto note = [&](const auto& result, const auto& show) {
      got = result.ok() ? show(result.value()) : result.error().message;
      EXPECT_TRUE(result.ok() || !result.error().hint.empty());
    };
    if (type == "text") note(node.text("it"), [](const std::string& text) { return text; });
    if (type == "integer")
      note(node.integer("it"), [](auto value) { return std::to_string(value); });
    if (type == "number")
      note(node.number("it"), [](double value) { return node_of(std::to_string(value)).json(); });
    if (type == "boolean")
      note(node.boolean("it"), [](bool value) { return value ? "true" : "false"; });
    if (type == "texts") {
      note(node.texts("it"), [](const std::vector<std::string>& texts) {
        std::string all;
        for (const std::string& text : texts)
          all += text + "|";
        return all;
      });
    }
    EXPECT_EQ(got, row.expected) << row.yaml;
  }
}

}  // namespace
}  // namespace lockstep
