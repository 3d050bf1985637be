// PostgreSQL's types and their texts as cells.
#include "source/postgres/postgres_types.h"

#include "source/postgres/postgres_copy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace lockstep::test {
namespace {

// The value's text, or why there is none.
std::string read(std::string_view text, Type type) {
  ReadCell cell;
  const auto failed = read_cell(text, type, cell);
  return failed ? "no: " + *failed : value_text(value_of(cell, type));
}

TEST(PostgresTypes, TextsOfTheServerBecomeCells) {
  struct Case {
    std::string_view text;
    Type type;
    std::string wanted;
  };

  // clang-format off
  const std::vector<Case> cases = {
    {"t", Type::kBool, "true"},
    {"f", Type::kBool, "false"},
    {"-9223372036854775808", Type::kInt, "-9223372036854775808"},
    {"9223372036854775808", Type::kInt, "no: '9223372036854775808' is not an int"},
    {"5.00", Type::kInt, "5"},
    {"5.50", Type::kInt, "no: '5.50' is not an int"},
    {"NaN", Type::kInt, "no: 'NaN' is not an int"},
    {"NaN", Type::kFloat, "nan"},
    {"Infinity", Type::kFloat, "inf"},
    {"-Infinity", Type::kFloat, "-inf"},
    {"-0", Type::kFloat, "-0"},
    {"1e+300", Type::kFloat, "1e+300"},
    {"12345678901234567890123456789012345678", Type::kFloat, "1.2345678901234568e+37"},
    {"12345678901234567890123456789012345678", Type::kText, "12345678901234567890123456789012345678"},
    {"2026-01-31", Type::kDate, "2026-01-31"},
    {"infinity", Type::kDate, "no: a date cannot be infinity"},
    {"4713-01-01 BC", Type::kDate, "no: '4713-01-01 BC' is before the year 1"},
    {"2026-01-31 08:00:00.5+00", Type::kTimestamp, "2026-01-31 08:00:00.5+00"},
    {"2026-01-31 08:00:00", Type::kTimestamp, "2026-01-31 08:00:00+00"},
    {"-infinity", Type::kTimestamp, "no: a timestamp cannot be -infinity"},
    {"", Type::kText, ""},
    {"{\"a\": 1}", Type::kText, "{\"a\": 1}"},
    {"\xC3\x28", Type::kText, "no: it is not UTF-8"},
  };
  // clang-format on
  for (const Case& one : cases)
    EXPECT_EQ(read(one.text, one.type), one.wanted) << one.text;
}

TEST(PostgresTypes, EachTypeHasOneOfADataset) {
  const auto type = [](std::uint32_t oid, std::int32_t modifier = -1) {
    return table_type_of({.oid = oid, .modifier = modifier, .name = {}});
  };
  EXPECT_EQ(type(16), Type::kBool);
  EXPECT_EQ(type(21), Type::kInt);
  EXPECT_EQ(type(700), Type::kFloat);
  EXPECT_EQ(type(1082), Type::kDate);
  EXPECT_EQ(type(1114), Type::kTimestamp);
  EXPECT_EQ(type(1184), Type::kTimestamp);
  EXPECT_EQ(type(2950), Type::kText);
  EXPECT_EQ(type(3802), Type::kText);
  EXPECT_EQ(type(1700), Type::kFloat);
  EXPECT_EQ(type(1700, (10 << 16 | 2) + 4), Type::kFloat);
  EXPECT_EQ(type(1700, (18 << 16) + 4), Type::kInt);
  EXPECT_EQ(type(1700, (19 << 16) + 4), Type::kFloat);
  EXPECT_EQ(type(17), std::nullopt);
  EXPECT_EQ(type(1007), std::nullopt);
  // Not built in: an enum, an array of enums, a composite, a range.
  EXPECT_EQ(table_type_of({.oid = 16'400, .name = {}, .kind = 'e', .category = 'E'}), Type::kText);
  EXPECT_EQ(table_type_of({.oid = 16'400, .name = {}, .category = 'A'}), std::nullopt);
  EXPECT_EQ(table_type_of({.oid = 16'400, .name = {}, .kind = 'c'}), std::nullopt);
  EXPECT_EQ(table_type_of({.oid = 3'904, .name = {}, .kind = 'r'}), std::nullopt);
}

TEST(PostgresTypes, AColumnFitsWhereItsValuesDo) {
  EXPECT_TRUE(may_fit(1700, Type::kInt));  // by its value
  EXPECT_TRUE(may_fit(23, Type::kFloat));
  EXPECT_TRUE(may_fit(23, Type::kText));
  EXPECT_FALSE(may_fit(701, Type::kInt));
  EXPECT_FALSE(may_fit(25, Type::kFloat));
  EXPECT_FALSE(may_fit(1007, Type::kText));
  EXPECT_TRUE(may_fit(16'400, Type::kText));
  EXPECT_EQ(postgres_type_name(23), "int4");
  EXPECT_EQ(postgres_type_name(16'400), "type 16400");
}

TEST(PostgresTypes, ALineOfACopyIsSplitAndUnescaped) {
  std::vector<TupleCell> cells;
  std::string scratch;
  split_copy_line("1\t\\N\t\t\\\\N\ta\\tb\\nc\\\\\td\n", cells, scratch);
  ASSERT_EQ(cells.size(), 6u);
  EXPECT_EQ(cells[0].text, "1");
  EXPECT_EQ(cells[1].kind, 'n');
  EXPECT_EQ(cells[2].kind, 't');
  EXPECT_EQ(cells[2].text, "");
  EXPECT_EQ(cells[3].text, "\\N");
  EXPECT_EQ(cells[4].text, "a\tb\nc\\");
  EXPECT_EQ(cells[5].text, "d");
}

}  // namespace
}  // namespace lockstep::test
