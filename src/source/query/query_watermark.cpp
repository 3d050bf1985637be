#include "source/query/query_watermark.h"

#include "base/assert.h"
#include "source/tables/read_cell.h"
#include "table/scalar_text.h"

#include <algorithm>
#include <limits>

namespace lockstep {
namespace {

constexpr std::int64_t kCountByDefault = 1'000;
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kDayUs = 86'400 * kSecondUs;
constexpr std::int64_t kOverlapByDefaultUs = 300 * kSecondUs;
constexpr std::size_t kDateSize = 10;    // 2026-11-26
constexpr std::size_t kSecondSize = 19;  // 2026-11-26 08:00:00

std::string_view without_zone(std::string_view text) {
  const std::size_t zone = text.find_first_of("Zz+-", kDateSize);
  return text.substr(0, zone);
}

// Down, and not beyond the least number.
std::int64_t less_by(std::int64_t number, std::int64_t by) {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  return number < least + by ? least : number - by;
}

std::int64_t floor_to(std::int64_t number, std::int64_t unit) {
  const std::int64_t rest = number % unit;
  return number - (rest < 0 ? rest + unit : rest);
}

}  // namespace

std::optional<std::int64_t> watermark_number(std::string_view text, Type type) {
  if (type == Type::kInt) return whole_number_of_text(text);
  if (text.size() <= kDateSize) {
    const std::optional<Date> date = date_of_text(text, DateOrder::kIso);
    if (!date) return std::nullopt;
    return type == Type::kDate ? date->days : date->days * kDayUs;
  }
  if (type == Type::kDate) return std::nullopt;
  const std::optional<Timestamp> time = timestamp_of_text(without_zone(text), {});
  return time ? std::optional(time->us) : std::nullopt;
}

Result<std::string> watermark_since(std::string_view seen,
                                    Type type,
                                    const WatermarkOverlap& overlap,
                                    std::optional<Timestamp> now) {
  const std::optional<std::int64_t> number = watermark_number(seen, type);
  LOCKSTEP_ASSERT(number.has_value(), "source: a position that is no watermark");
  const bool is_given = overlap.us || overlap.count;
  if (type == Type::kInt) {
    if (is_given && !overlap.count)
      return invalid("the watermark is an integer, and 'overlap' a time", "write overlap: 1000");
    return std::to_string(less_by(*number, overlap.count.value_or(kCountByDefault)));
  }
  if (is_given && !overlap.us)
    return invalid("the watermark is a time, and 'overlap' a number", "write overlap: 5m");
  const std::int64_t overlap_us = overlap.us.value_or(kOverlapByDefaultUs);
  const std::int64_t unit = type == Type::kDate ? kDayUs : 1;
  std::int64_t us = *number * unit;
  if (now) us = std::min(us, floor_to(now->us, unit));
  us = less_by(us, overlap_us);
  const Date day{static_cast<std::int32_t>(floor_to(us, kDayUs) / kDayUs)};
  if (type == Type::kDate || seen.size() <= kDateSize) return text_of_date(day);
  std::string text = text_of_timestamp(Timestamp{floor_to(us, kSecondUs)}).substr(0, kSecondSize);
  text[kDateSize] = seen[kDateSize];
  return text;
}

}  // namespace lockstep
