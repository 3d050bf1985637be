#include "table/arrow_cast.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> array_of(std::shared_ptr<arrow::DataType> type,
                                       const std::vector<T>& values) {
  Builder builder(std::move(type), arrow::default_memory_pool());
  for (const T& value : values)
    EXPECT_TRUE(builder.Append(value).ok());
  EXPECT_TRUE(builder.AppendNull().ok());
  return builder.Finish().ValueOrDie();
}

// "1;null;(reason)": the values as text.
std::string cast(const std::shared_ptr<arrow::Array>& array,
                 Type type,
                 int utc_offset_minutes = 0) {
  const Field field{"x", type};
  const Result<CastColumn> column = cast_exactly(array, field, utc_offset_minutes);
  if (!column.ok()) return column.error().message;
  const Batch batch = Batch::make(Schema({field}), {column.value().values}).value();
  std::string out;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    out += batch.is_null(0, row) ? "null" : value_text(batch.value(0, row));
    for (const auto& [bad, reason] : column.value().bad) {
      if (bad == row) out += " (" + reason + ")";
    }
    out += ";";
  }
  return out;
}

TEST(ArrowCast, TakesWhatItCanTakeExactly) {
  using arrow::TimeUnit;
  const auto int32 = array_of<arrow::Int32Builder, int>(arrow::int32(), {1, -7});
  EXPECT_EQ(cast(int32, Type::kInt), "1;-7;null;");
  EXPECT_EQ(cast(int32, Type::kFloat), "1;-7;null;");
  EXPECT_EQ(cast(int32, Type::kText), "column 'x' is of the type int32, which is not read as text");
  const auto uint64 =
      array_of<arrow::UInt64Builder, std::uint64_t>(arrow::uint64(), {1, 1ull << 63});
  EXPECT_EQ(cast(uint64, Type::kInt), "1;null ('9223372036854775808' is not an int);null;");
  const auto int64 = array_of<arrow::Int64Builder, std::int64_t>(arrow::int64(), {(1ll << 53) + 1});
  EXPECT_EQ(cast(int64, Type::kFloat),
            "null ('9007199254740993' has more digits than a float keeps);null;");
  EXPECT_EQ(cast(array_of<arrow::FloatBuilder, float>(arrow::float32(), {0.5f}), Type::kFloat),
            "0.5;null;");
  EXPECT_EQ(cast(array_of<arrow::DoubleBuilder, double>(arrow::float64(), {1}), Type::kInt),
            "column 'x' is of the type double, which is not read as int");
  const auto decimal =
      array_of<arrow::Decimal128Builder, arrow::Decimal128>(arrow::decimal128(10, 2), {1210, 1200});
  EXPECT_EQ(cast(decimal, Type::kFloat), "12.1;12;null;");
  EXPECT_EQ(cast(decimal, Type::kInt), "null ('12.10' is not an int);12;null;");
  const auto date64 =
      array_of<arrow::Date64Builder, std::int64_t>(arrow::date64(), {86'400'000, 1});
  EXPECT_EQ(cast(date64, Type::kDate), "1970-01-02;null (the date has a time of day);null;");
}

TEST(ArrowCast, TakesTimestampsOfEveryUnit) {
  const std::vector<std::pair<arrow::TimeUnit::type, std::string>> cases = {
      {arrow::TimeUnit::SECOND, "1970-01-12 13:46:40+00;1970-01-01 00:00:01+00;null;"},
      {arrow::TimeUnit::MILLI, "1970-01-01 00:16:40+00;1970-01-01 00:00:00.001+00;null;"},
      {arrow::TimeUnit::MICRO, "1970-01-01 00:00:01+00;1970-01-01 00:00:00.000001+00;null;"},
      {arrow::TimeUnit::NANO,
       "1970-01-01 00:00:00.001+00;null (the timestamp is finer than a microsecond);null;"},
  };
  for (const auto& [unit, expected] : cases) {
    const auto array = array_of<arrow::TimestampBuilder, std::int64_t>(
        arrow::timestamp(unit, "UTC"), {1'000'000, 1});
    EXPECT_EQ(cast(array, Type::kTimestamp, 60), expected);
  }
  const auto local = array_of<arrow::TimestampBuilder, std::int64_t>(
      arrow::timestamp(arrow::TimeUnit::SECOND), {3600, INT64_MAX});
  EXPECT_EQ(cast(local, Type::kTimestamp, 60),
            "1970-01-01 00:00:00+00;null (the timestamp is out of range);null;");
}

TEST(ArrowCast, LooksThroughDictionariesAndTexts) {
  using namespace std::string_literals;
  const auto texts =
      array_of<arrow::BinaryBuilder, std::string>(arrow::binary(), {"é", "\xFF", "a\0"s});
  EXPECT_EQ(cast(texts, Type::kText),
            "é;null (the text is not utf-8);null (the text holds a NUL);null;");
  arrow::StringDictionaryBuilder builder;
  for (const char* text : {"a", "b", "a"})
    EXPECT_TRUE(builder.Append(text).ok());
  EXPECT_EQ(cast(builder.Finish().ValueOrDie(), Type::kText), "a;b;a;");
  EXPECT_EQ(type_of_arrow(*arrow::list(arrow::int32())), std::nullopt);
}

}  // namespace
}  // namespace lockstep
