// A source's watermarks and positions, by themselves.
#include "source/query/query_position.h"
#include "source/query/query_watermark.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace lockstep::test {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;

TEST(QueryWatermark, BeginsBehindTheGreatestThatWasSeen) {
  struct Case {
    std::string seen;
    Type type;
    WatermarkOverlap overlap;
    std::string now;
    std::string since;
  };

  const WatermarkOverlap five{.us = 5 * kMinuteUs, .count = {}};
  const WatermarkOverlap none{.us = 0, .count = 0};
  const WatermarkOverlap three{.us = {}, .count = 3};
  const Case cases[] = {
      {"2026-01-01 08:00:00", Type::kTimestamp, five, "", "2026-01-01 07:55:00"},
      {"2026-01-01 08:00:00.999999+00", Type::kTimestamp, none, "", "2026-01-01 08:00:00"},
      {"2026-01-01T08:00:00.5Z", Type::kTimestamp, five, "", "2026-01-01T07:55:00"},
      {"2026-01-01", Type::kTimestamp, five, "", "2025-12-31"},
      {"2026-01-01 00:00:00", Type::kTimestamp, {}, "", "2025-12-31 23:55:00"},
      {"2026-01-01 08:00:00", Type::kTimestamp, five, "2026-01-01 07:00:00", "2026-01-01 06:55:00"},
      {"2026-01-01 08:00:00", Type::kTimestamp, five, "2026-01-02 07:00:00", "2026-01-01 07:55:00"},
      {"1969-12-31 23:59:59.5", Type::kTimestamp, none, "", "1969-12-31 23:59:59"},
      {"2026-01-02", Type::kDate, none, "", "2026-01-02"},
      {"2026-01-02", Type::kDate, five, "", "2026-01-01"},
      {"2026-01-02", Type::kDate, none, "2026-01-01 15:00:00", "2026-01-01"},
      {"10", Type::kInt, three, "", "7"},
      {"10", Type::kInt, none, "", "10"},
      {"10", Type::kInt, {}, "", "-990"},
      {"-9223372036854775807", Type::kInt, three, "", "-9223372036854775808"},
  };
  for (const Case& one : cases) {
    std::optional<Timestamp> now;
    if (!one.now.empty()) now = std::get<Timestamp>(parse_value(one.now, Type::kTimestamp).value());
    const Result<std::string> since = watermark_since(one.seen, one.type, one.overlap, now);
    ASSERT_TRUE(since.ok()) << one.seen;
    EXPECT_EQ(since.value(), one.since) << one.seen;
  }
  EXPECT_FALSE(watermark_since("10", Type::kInt, five, {}).ok());
  EXPECT_FALSE(watermark_since("2026-01-02", Type::kDate, three, {}).ok());
}

TEST(QueryWatermark, IsANumberADateOrATime) {
  EXPECT_EQ(watermark_number("17", Type::kInt), 17);
  EXPECT_EQ(watermark_number("17.00", Type::kInt), 17);
  EXPECT_EQ(watermark_number("1970-01-02", Type::kDate), 1);
  EXPECT_EQ(watermark_number("1970-01-01 00:00:01+00", Type::kTimestamp), 1'000'000);
  for (const char* text : {"", "infinity", "0000-00-00 00:00:00", "17", "1970-01-02 BC"})
    EXPECT_FALSE(watermark_number(text, Type::kTimestamp)) << text;
  EXPECT_FALSE(watermark_number("1970-01-01 00:00:01", Type::kDate));
}

TEST(QueryPosition, IsReadAsItIsWritten) {
  QueryPlace place;
  place.shape = "9f86";
  place.watermark = "2026-01-01 08:00:00.5";
  place.was_compared = true;
  place.row_count = 12;
  place.content = "00ff";
  place.compared_us = 17;
  Position position = query_change("public.vitals", place);
  place.watermark.reset();
  place.compared_us.reset();
  place.was_compared = false;
  move_position(position, query_change("wards", place));
  const QueryPosition read = parse_query_position(position).value();
  EXPECT_EQ(read.at("wards"), place);
  EXPECT_EQ(read.at("public.vitals").watermark, "2026-01-01 08:00:00.5");
  EXPECT_EQ(read.at("public.vitals").compared_us, 17);
  EXPECT_EQ(describe_query_position({}), "nothing yet");
  for (const char* text : {"", "7", "{}", R"({"version":1})", R"({"version":1,"shape":2})"})
    EXPECT_EQ(parse_query_position({{"table t", text}}).error().code, Code::kCorrupt) << text;
  EXPECT_EQ(parse_query_position({{"lsn", "0/1"}}).error().code, Code::kCorrupt);
  EXPECT_EQ(parse_query_position({{"table t", R"({"version":2})"}}).error().code, Code::kTooNew);
}

}  // namespace
}  // namespace lockstep::test
