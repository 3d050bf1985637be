#include "prepare/prepare_tests.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

const Schema kSchema(
    {{"id", Type::kInt}, {"x", Type::kFloat}, {"name", Type::kText}, {"ts", Type::kTimestamp}});

struct Case {
  const char* step;
  std::vector<std::vector<std::string>> rows;
  const char* columns;  // "id:int x:float"
  const char* output;   // "1 80 | 2 -"
  const char* rejects;  // "row: reason | ..."
};

std::string columns_text(const Schema& schema) {
  std::string out;
  for (const Field& field : schema.fields()) {
    if (!out.empty()) out += ' ';
    out += field.name + ":" + std::string(type_name(field.type));
  }
  return out;
}

std::string rejects_text(const std::vector<StepReject>& rejects) {
  std::string out;
  for (const StepReject& one : rejects) {
    if (!out.empty()) out += " | ";
    out += std::to_string(one.row) + ": " + one.reason;
  }
  return out;
}

constexpr const char* kSame = "id:int x:float name:text ts:timestamp";

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"filter: \"x >= 18\"",
       {{"1", "18", "a", "-"}, {"2", "17", "b", "-"}, {"3", "-", "c", "-"}, {"4", "nan", "d", "-"}},
       kSame,
       "1 18 a -",
       ""},
      {"filter: \"x\"", {{"1", "nan", "a", "-"}, {"2", "0", "b", "-"}}, kSame, "", ""},
      {"filter: name == 'b'", {{"1", "1", "a", "-"}, {"2", "2", "b", "-"}}, kSame, "2 2 b -", ""},
      {"required: [x, name]",
       {{"1", "-", "-", "-"}, {"2", "nan", "b", "-"}, {"3", "1", "-", "-"}},
       kSame,
       "2 nan b -",
       "0: x is null | 2: name is null"},
      {"required: x", {{"1", "-", "-", "-"}}, kSame, "", "0: x is null"},
      {"range: {columns: [x], min: 40, max: 300}",
       {{"1", "39.5", "a", "-"},
        {"2", "40", "b", "-"},
        {"3", "300", "c", "-"},
        {"4", "301", "d", "-"},
        {"5", "-", "e", "-"},
        {"6", "nan", "f", "-"},
        {"7", "inf", "g", "-"}},
       kSame,
       "2 40 b - | 3 300 c - | 5 - e -",
       "0: x is 39.5, below 40 | 3: x is 301, above 300 | 5: x is nan | 6: x is inf, above 300"},
      {"range: {columns: [x, id], min: 2, otherwise: null}",
       {{"1", "3", "a", "-"}, {"2", "1", "b", "-"}, {"3", "nan", "c", "-"}},
       kSame,
       "- 3 a - | 2 - b - | 3 - c -",
       ""},
      {"range: {columns: [x, id], min: 2, max: 3, otherwise: clip}",
       {{"1", "9", "a", "-"},
        {"7", "-inf", "b", "-"},
        {"3", "nan", "c", "-"},
        {"-", "-", "d", "-"}},
       kSame,
       "2 3 a - | 3 2 b - | 3 - c - | - - d -",
       ""},
      {"range: {columns: id, max: 9007199254740992}",
       {{"9007199254740993", "1", "a", "-"}, {"9007199254740992", "1", "b", "-"}},
       kSame,
       "9007199254740992 1 b -",
       "0: id is 9007199254740993, above 9007199254740992"},
      {"range: {columns: id, min: 0.5, max: 1.5, otherwise: clip}",
       {{"0", "1", "a", "-"}, {"9", "1", "b", "-"}},
       kSame,
       "1 1 a - | 1 1 b -",
       ""},
      {"select: [name, id]", {{"1", "2", "a", "-"}}, "name:text id:int", "a 1", ""},
      {"drop: [ts, x]", {{"1", "2", "a", "-"}}, "id:int name:text", "1 a", ""},
      {"rename: {x: y, name: x}",
       {{"1", "2", "a", "-"}},
       "id:int y:float x:text ts:timestamp",
       "1 2 a -",
       ""},
      {"cast: {x: int, name: float}",
       {{"1", "2", "1.5", "-"},
        {"2", "2.5", "1", "-"},
        {"3", "nan", "1", "-"},
        {"4", "1e19", "1", "-"},
        {"5", "-", "-", "-"},
        {"6", "1", "1x", "-"},
        {"7", "-9223372036854775808", " 1", "-"},
        {"8", "-9223372036854775808", "nan", "-"}},
       "id:int x:int name:float ts:timestamp",
       "1 2 1.5 - | 5 - - - | 8 -9223372036854775808 nan -",
       "1: x is 2.5, which is not exactly a value of type int | "
       "2: x is nan, which is not exactly a value of type int | "
       "3: x is 1e+19, which is not exactly a value of type int | "
       "5: name is '1x', which is not exactly a value of type float | "
       "6: name is ' 1', which is not exactly a value of type float"},
      {"cast: {id: float}",
       {{"9007199254740993", "1", "a", "-"},
        {"9007199254740992", "1", "a", "-"},
        {"9223372036854775807", "1", "a", "-"}},
       "id:float x:float name:text ts:timestamp",
       "9007199254740992 1 a -",
       "0: id is 9007199254740993, which is not exactly a value of type float | "
       "2: id is 9223372036854775807, which is not exactly a value of type float"},
      {"cast: {id: bool, x: text}",
       {{"1", "0.1", "a", "-"}, {"2", "1", "a", "-"}},
       "id:bool x:text name:text ts:timestamp",
       "true 0.1 a -",
       "1: id is 2, which is not exactly a value of type bool"},
      {"cast: {ts: date, name: date}",
       {{"1", "1", "2026-01-31", "1969-12-31T00:00:00Z"}, {"2", "1", "-", "1970-01-01T00:00:01Z"}},
       "id:int x:float name:date ts:date",
       "1 1 2026-01-31 1969-12-31",
       "1: ts is 1970-01-01 00:00:01+00, which is not exactly a value of type date"},
      {"map: {column: id, values: {1: male, 2: female, 3: }}",
       {{"1", "1", "a", "-"},
        {"2", "1", "a", "-"},
        {"3", "1", "a", "-"},
        {"4", "1", "a", "-"},
        {"-", "1", "a", "-"}},
       "id:text x:float name:text ts:timestamp",
       "male 1 a - | female 1 a - | - 1 a - | - 1 a -",
       "3: id is 4, which is not listed"},
      {"map: {column: name, values: {a: 1, b: 2.5}, otherwise: null, as: code}",
       {{"1", "1", "a", "-"}, {"2", "1", "b", "-"}, {"3", "1", "c", "-"}},
       "id:int x:float name:text ts:timestamp code:float",
       "1 1 a - 1 | 2 1 b - 2.5 | 3 1 c - -",
       ""},
      {"map: {column: name, values: {a: \"1\"}, otherwise: keep}",
       {{"1", "1", "a", "-"}, {"2", "1", "b", "-"}},
       kSame,
       "1 1 1 - | 2 1 b -",
       ""},
      {"map: {column: name, values: {yes: true, no: false}, as: agrees}",
       {{"1", "1", "yes", "-"}, {"2", "1", "No", "-"}},
       "id:int x:float name:text ts:timestamp agrees:bool",
       "1 1 yes - true",
       "1: name is 'No', which is not listed"},
      {"map: {column: x, values: {0: 9}, otherwise: keep}",
       {{"1", "-0", "a", "-"}, {"2", "1.5", "a", "-"}},
       kSame,
       "1 9 a - | 2 1.5 a -",
       ""},
      {"expression: {as: y, value: \"x / 2\"}",
       {{"1", "3", "a", "-"}, {"2", "-", "a", "-"}},
       "id:int x:float name:text ts:timestamp y:float",
       "1 3 a - 1.5 | 2 - a - -",
       ""},
      {"expression: {x: \"x + 1\", y: \"x * 2\"}",
       {{"1", "3", "a", "-"}},
       "id:int x:float name:text ts:timestamp y:float",
       "1 4 a - 6",
       ""},
      {"expression: {as: y, value: \"x / 2\", type: int}",
       {{"1", "4", "a", "-"}, {"2", "3", "a", "-"}, {"3", "-", "a", "-"}},
       "id:int x:float name:text ts:timestamp y:int",
       "1 4 a - 2 | 3 - a - -",
       "1: y is 1.5, which is not exactly a value of type int"},
      {"expression: {as: y, value: \"x > 2\", type: bool}",
       {{"1", "4", "a", "-"}, {"2", "1", "a", "-"}},
       "id:int x:float name:text ts:timestamp y:bool",
       "1 4 a - true | 2 1 a - false",
       ""},
      {"date_parts: {column: ts, parts: [year, month, day, weekday, hour, day_of_year], prefix: "
       "\"\"}",
       {{"1", "1", "a", "2024-02-29T23:59:59Z"},
        {"2", "1", "a", "1969-12-31T23:00:00Z"},
        {"3", "1", "a", "2023-12-31T00:00:00Z"},
        {"4", "1", "a", "2024-12-31T00:30:00+01:00"},
        {"5", "1", "a", "-"}},
       "id:int x:float name:text ts:timestamp year:int month:int day:int weekday:int hour:int "
       "day_of_year:int",
       "1 1 a 2024-02-29 23:59:59+00 2024 2 29 4 23 60 | "
       "2 1 a 1969-12-31 23:00:00+00 1969 12 31 3 23 365 | "
       "3 1 a 2023-12-31 00:00:00+00 2023 12 31 7 0 365 | "
       "4 1 a 2024-12-30 23:30:00+00 2024 12 30 1 23 365 | "
       "5 1 a - - - - - - -",
       ""},
      {"date_parts: {column: ts, parts: hour}",
       {{"1", "1", "a", "2024-02-29T23:59:59Z"}},
       "id:int x:float name:text ts:timestamp ts_hour:int",
       "1 1 a 2024-02-29 23:59:59+00 23",
       ""},
      {"split: {where: \"id % 5 == 0\", as: part}",
       {{"4", "1", "a", "-"}, {"5", "1", "a", "-"}, {"-", "1", "a", "-"}},
       "id:int x:float name:text ts:timestamp part:text",
       "4 1 a - train | 5 1 a - test | - 1 a - train",
       ""},
      {"split: {by: id, test: 1}",
       {{"4", "1", "a", "-"}, {"-", "1", "a", "-"}},
       "id:int x:float name:text ts:timestamp split:text",
       "4 1 a - test | - 1 a - test",
       ""},
      {"split: {by: [id], test: 0}",
       {{"4", "1", "a", "-"}},
       "id:int x:float name:text ts:timestamp split:text",
       "4 1 a - train",
       ""},
  };
  return kCases;
}

TEST(Steps, DoWhatTheTableSays) {
  for (const Case& one : cases()) {
    const auto step = make_step(one.step, kSchema);
    ASSERT_TRUE(step.ok()) << one.step << ": " << step.error().message;
    const auto output = step.value()->apply(batch_of(kSchema, one.rows), {});
    ASSERT_TRUE(output.ok()) << one.step << ": " << output.error().message;
    EXPECT_EQ(columns_text(step.value()->output()), one.columns) << one.step;
    EXPECT_EQ(rows_text(output.value().rows), one.output) << one.step;
    EXPECT_EQ(rejects_text(output.value().rejects), one.rejects) << one.step;
    const auto none = step.value()->apply(Batch::empty(kSchema), {});
    ASSERT_TRUE(none.ok()) << one.step;
    EXPECT_EQ(none.value().rows.row_count(), 0) << one.step;
  }
}

TEST(Steps, SayInJsonWhatTheyDoSoThatItMakesTheSameStep) {
  for (const Case& one : cases()) {
    if (std::string_view(one.step).starts_with("split") ||
        std::string_view(one.step).starts_with("map")) {
      continue;  // they say more there than one may set: the hash, and the values' type
    }
    const std::string json = make_step(one.step, kSchema).value()->json();
    const Node read = node_from_json(json).value();
    for (const StepInfo& info : steps()) {
      if (info.name != read.fields.at(0).first) continue;
      const auto again = info.make(read.fields.at(0).second, kSchema);
      ASSERT_TRUE(again.ok()) << json << ": " << again.error().message;
      EXPECT_EQ(again.value()->json(), json);
    }
  }
}

struct Refusal {
  const char* step;
  const char* message;
  const char* hint;
};

TEST(Steps, RefuseWrongSettingsWithPlaceAndHint) {
  const Refusal refusals[] = {
      {"filter: \"agee > 1\"", "lockstep.yaml:1:9: expression 'agee > 1': no column 'agee'", ""},
      {"filter: [a]", "lockstep.yaml:1:", ""},
      {"required: [nme]", "lockstep.yaml:1:12: ", "name"},
      {"required: []", "no columns", ""},
      {"required: [x, x]", "column 'x' is named twice", ""},
      {"range: {columns: [x], mn: 3}", "mn", "min"},
      {"range: {columns: [x]}", "neither min nor max", "one of them"},
      {"range: {min: 3}", "columns", ""},
      {"range: {columns: [x], min: 3, max: 2}", "min 3 is above max 2", ""},
      {"range: {columns: [name], min: 3}", "column 'name' is text, not int or float", "cast"},
      {"range: {columns: [x], min: 3, otherwise: clamp}", "clamp", ""},
      {"range: {columns: [id], min: 0.2, max: 0.8, otherwise: clip}", "cannot be clipped", ""},
      {"range: {columns: [id], min: 1e30, otherwise: clip}", "cannot be clipped", ""},
      {"select: [idd]", "lockstep.yaml:1:10", "id"},
      {"drop: [id, x, name, ts]", "leaves no column", ""},
      {"rename: {x: name}", "two columns would be called 'name'", ""},
      {"rename: x", "wants a map", "old_name: new_name"},
      {"cast: {x: integer}", "no type 'integer'", "int"},
      {"cast: {x: date}", "column 'x' is float, which becomes no date", ""},
      {"cast: {}", "wants a map", ""},
      {"map: {column: id, values: {a: 1}}", "'a'", ""},
      {"map: {column: id, values: {1: a, 01: b}}", "given twice", ""},
      {"map: {column: id, values: {1: a}, otherwise: keep}", "keeps values of type int among", ""},
      {"map: {column: id, values: {1: a}, as: x}", "a column 'x' already", "as:"},
      {"map: {column: id, values: [1]}", "values is not a map", ""},
      {"map: {column: id, values: {1: [a]}}", "a list or a map", ""},
      {"expression: {as: y}", "value", ""},
      {"expression: {y: \"1 +\"}", "lockstep.yaml:1:17: expression '1 +': it ends", ""},
      {"expression: y", "wants a map", ""},
      {"expression: {as: y, value: x, type: text}", "text", ""},
      {"date_parts: {column: x, parts: [day]}", "column 'x' is float, not date or timestamp", ""},
      {"date_parts: {column: ts, parts: [moth]}", "no part 'moth'", "month"},
      {"split: {by: id}", "wants by and test, or where", ""},
      {"split: {where: x, test: 0.1}", "where beside by or test", ""},
      {"split: {by: id, test: 1.5}", "1.5", ""},
      {"split: {by: id, test: 0.5, as: x}", "a column 'x' already", ""},
  };
  for (const Refusal& one : refusals) {
    const auto step = make_step(one.step, kSchema);
    ASSERT_FALSE(step.ok()) << one.step;
    EXPECT_NE(step.error().message.find(one.message), std::string::npos)
        << one.step << ": " << step.error().message;
    EXPECT_NE(step.error().hint.find(one.hint), std::string::npos)
        << one.step << ": " << step.error().hint;
  }
}

TEST(Steps, EachHasAnExampleThatIsItself) {
  for (const StepInfo& info : steps()) {
    const Node example = yaml(info.example);
    ASSERT_EQ(example.fields.size(), 1U) << info.example;
    EXPECT_EQ(example.fields[0].first, info.name);
    EXPECT_TRUE(info.text.ends_with(".")) << info.name;
  }
}

// The rows on the test side are part of what a split means: they may not move in any release.
TEST(Split, PutsTheSameKeysOnTheTestSideForEver) {
  const Schema schema({{"id", Type::kInt}});
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 1000; ++i)
    rows.push_back({std::to_string(i)});
  const auto step = make_step("split: {by: id, test: 0.2}", schema).value();
  const Batch out = step->apply(batch_of(schema, rows), {}).value().rows;
  int test_count = 0;
  std::string first;
  for (std::int64_t row = 0; row < out.row_count(); ++row) {
    if (out.text_at(1, row) != "test") continue;
    ++test_count;
    if (row < 40) first += std::to_string(row) + " ";
  }
  EXPECT_EQ(test_count, 191);
  EXPECT_EQ(first, "5 11 19 22 24 32 38 ");
}

}  // namespace
}  // namespace lockstep
