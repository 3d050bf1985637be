#include "table/types.h"

#include "table/values.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

struct ParseCase {
  Type type;
  std::string text;
  std::string expected;  // the value's own text; "bad": refused
  int utc_offset_minutes = 0;
};

TEST(Types, ParseWhatTheySpellAndNothingElse) {
  // clang-format off
  const std::vector<ParseCase> cases = {
      {Type::kBool, "true", "true"}, {Type::kBool, "T", "true"}, {Type::kBool, "YES", "true"}, {Type::kBool, "1", "true"},
      {Type::kBool, "False", "false"}, {Type::kBool, "f", "false"}, {Type::kBool, "no", "false"}, {Type::kBool, "0", "false"},
      {Type::kBool, "2", "bad"}, {Type::kBool, "", "bad"}, {Type::kBool, " true", "bad"}, {Type::kBool, "on", "bad"},
      {Type::kInt, "0", "0"}, {Type::kInt, "-7", "-7"}, {Type::kInt, "+7", "7"}, {Type::kInt, "007", "7"},
      {Type::kInt, "9223372036854775807", "9223372036854775807"}, {Type::kInt, "9223372036854775808", "bad"},
      {Type::kInt, "-9223372036854775808", "-9223372036854775808"}, {Type::kInt, "1.0", "bad"}, {Type::kInt, "7x", "bad"},
      {Type::kInt, "1e3", "bad"}, {Type::kInt, "", "bad"}, {Type::kInt, " 7", "bad"}, {Type::kInt, "+-7", "bad"}, {Type::kInt, "0x1", "bad"},
      {Type::kFloat, "1", "1"}, {Type::kFloat, "+1.5", "1.5"}, {Type::kFloat, ".5", "0.5"}, {Type::kFloat, "5.", "5"},
      {Type::kFloat, "1e3", "1000"}, {Type::kFloat, "-0", "-0"}, {Type::kFloat, "5.4e-79", "5.4e-79"}, {Type::kFloat, "0.1", "0.1"},
      {Type::kFloat, "NaN", "nan"}, {Type::kFloat, "-nan", "nan"}, {Type::kFloat, "inf", "inf"}, {Type::kFloat, "-INF", "-inf"},
      {Type::kFloat, "Infinity", "inf"}, {Type::kFloat, "nan(1)", "bad"}, {Type::kFloat, "nan(1", "bad"}, {Type::kFloat, "1e999", "bad"},
      {Type::kFloat, "1,5", "bad"}, {Type::kFloat, "1.5.", "bad"}, {Type::kFloat, "", "bad"}, {Type::kFloat, "+", "bad"}, {Type::kFloat, "1e", "bad"},
      {Type::kFloat, "0x1p3", "bad"}, {Type::kFloat, "1.5 ", "bad"},
      {Type::kText, "", ""}, {Type::kText, " x ", " x "},
      {Type::kDate, "2026-01-31", "2026-01-31"}, {Type::kDate, "2024-02-29", "2024-02-29"}, {Type::kDate, "2026-02-29", "bad"},
      {Type::kDate, "1900-02-29", "bad"}, {Type::kDate, "2026-13-01", "bad"}, {Type::kDate, "2026-00-01", "bad"}, {Type::kDate, "2026-1-1", "bad"},
      {Type::kDate, "31.01.2026", "bad"}, {Type::kDate, "2026-01-31 ", "bad"}, {Type::kDate, "0000-01-01", "bad"}, {Type::kDate, "02026-01-31", "bad"},
      {Type::kDate, "0044-03-15 (BC)", "0044-03-15 (BC)"}, {Type::kDate, "12026-01-31", "12026-01-31"}, {Type::kDate, "9999999-01-01", "bad"},
      {Type::kDate, "1969-12-31", "1969-12-31"}, {Type::kDate, "2026-01-31T00:00", "bad"},
      {Type::kTimestamp, "2026-01-31 08:00:00", "2026-01-31 08:00:00+00"}, {Type::kTimestamp, "2026-01-31T08:00:00Z", "2026-01-31 08:00:00+00"},
      {Type::kTimestamp, "2026-01-31 08:00:00.5+00", "2026-01-31 08:00:00.5+00"}, {Type::kTimestamp, "2026-01-31 08:00", "2026-01-31 08:00:00+00"},
      {Type::kTimestamp, "2026-01-31T08:00:00+05:30", "2026-01-31 02:30:00+00"}, {Type::kTimestamp, "2026-01-31T08:00:00-01", "2026-01-31 09:00:00+00"},
      {Type::kTimestamp, "2026-01-31 00:30:00", "2026-01-30 23:30:00+00", 60}, {Type::kTimestamp, "2026-01-31 00:30:00Z", "2026-01-31 00:30:00+00", 60},
      {Type::kTimestamp, "2026-01-31 08:00:00.123456", "2026-01-31 08:00:00.123456+00"}, {Type::kTimestamp, "2026-01-31 08:00:00.1234560", "2026-01-31 08:00:00.123456+00"},
      {Type::kTimestamp, "2026-01-31 08:00:00.1234567", "bad"}, {Type::kTimestamp, "2026-01-31 24:00:00", "bad"}, {Type::kTimestamp, "2026-01-31 08:00:60", "bad"},
      {Type::kTimestamp, "2026-01-31", "bad"}, {Type::kTimestamp, "2026-01-31 08:00:00.", "bad"}, {Type::kTimestamp, "2026-01-31  08:00:00", "bad"},
      {Type::kTimestamp, "2026-01-31 08:00:00+0530", "bad"}, {Type::kTimestamp, "2026-01-31 08:00:00 UTC", "bad"}, {Type::kTimestamp, "999999-01-31 08:00:00", "bad"},
      {Type::kTimestamp, "1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999+00"},
  };
  // clang-format on
  for (const ParseCase& one : cases) {
    const Result<Value> value = parse_value(one.text, one.type, one.utc_offset_minutes);
    EXPECT_EQ(value.ok() ? value_text(value.value()) : "bad", one.expected)
        << type_name(one.type) << " '" << one.text << "'";
  }
}

TEST(Types, NameTheTextAndTheTypeThatWereRefused) {
  EXPECT_EQ(parse_value("7x", Type::kInt).error().message, "'7x' is not an int");
  EXPECT_EQ(parse_value("x", Type::kDate).error().message, "'x' is not a date");
  EXPECT_LT(parse_value(std::string(10'000, 'x'), Type::kInt).error().message.size(), 100u);
}

TEST(Types, ReadBackTheTextOfEveryValue) {
  test::check("value_text and parse_value", [] {
    const Type type = *test::any_type();
    const Value value = *test::present_value(type);
    const Result<Value> again = parse_value(value_text(value), type);
    RC_ASSERT(again.ok());
    RC_ASSERT(value_text(again.value()) == value_text(value));
    const bool is_nan = type == Type::kFloat && std::isnan(std::get<double>(value));
    RC_ASSERT(is_nan || again.value() == value);
  });
}

TEST(Types, HaveNamesThatReadBack) {
  const Schema schema = test::every_type_schema();
  for (const Field& field : schema.fields()) {
    EXPECT_EQ(type_name(field.type), field.name);
    EXPECT_EQ(type_of_name(field.name), field.type);
  }
  EXPECT_EQ(type_of_name("Int"), std::nullopt);
}

TEST(Schema, NamesTheNearestOfItsColumns) {
  const Schema schema({{"patient", Type::kInt}, {"hour", Type::kInt}});
  EXPECT_EQ(schema.require("hour").value(), 1);
  const Error error = schema.require("pateint").error();
  EXPECT_EQ(error.message, "there is no column 'pateint'");
  EXPECT_NE(error.hint.find("'patient'"), std::string::npos);
  EXPECT_EQ(schema.require_all({"hour", "patient"}).value(), (std::vector<int>{1, 0}));
  EXPECT_FALSE(schema.require_all({"hour", "Patient"}).ok());
}

TEST(Schema, RefusesNamesThatTheHubCannotStore) {
  const std::vector<std::pair<std::vector<Field>, bool>> cases = {
      {{{"a", Type::kInt}, {"b", Type::kInt}}, true},
      {{{"a", Type::kInt}, {"A", Type::kInt}}, false},
      {{{"a", Type::kInt}, {"a", Type::kInt}}, false},
      {{{"row_id", Type::kInt}}, false},
      {{{"Begin_Snapshot", Type::kInt}}, false},
      {{{"_ducklake_internal_row_id", Type::kInt}}, false},
      {{{"", Type::kInt}}, false},
      {{{"rows", Type::kInt}}, true},
  };
  for (const auto& [fields, good] : cases) {
    const Result<void> checked = check_column_names(Schema(fields));
    EXPECT_EQ(checked.ok(), good) << fields.back().name;
    EXPECT_TRUE(checked.ok() || !checked.error().hint.empty());
  }
}

}  // namespace
}  // namespace lockstep
