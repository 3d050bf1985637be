// Dates and timestamps as text.
#include "table/calendar.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <limits>

namespace lockstep {

namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;
constexpr std::int64_t kUsPerDay = 86'400 * kUsPerSecond;

int days_in_month(std::int64_t year, int month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Takes characters off the front of a text; a failure sticks.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::int64_t digits(std::size_t count_min, std::size_t count_max) {
    std::int64_t value = 0;
    std::size_t count = 0;
    while (count < count_max && count < rest_.size() && is_digit(rest_[count])) {
      value = value * 10 + (rest_[count] - '0');
      ++count;
    }
    failed_ = failed_ || count < count_min;
    rest_.remove_prefix(count);
    return value;
  }

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  void expect(std::string_view word) { failed_ = !take(word) || failed_; }

  void fail() { failed_ = true; }

  char peek(std::size_t index = 0) const { return index < rest_.size() ? rest_[index] : '\0'; }

  bool ok() const { return !failed_; }

  bool done() const { return !failed_ && rest_.empty(); }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Years have four digits, or more where they need them, and DuckDB's " (BC)" before the year 1.
Civil scan_iso_date(Scanner& scanner) {
  Civil civil;
  if (scanner.peek() == '0' && Scanner::is_digit(scanner.peek(4))) scanner.fail();
  civil.year = scanner.digits(4, 7);
  scanner.expect("-");
  civil.month = static_cast<int>(scanner.digits(2, 2));
  scanner.expect("-");
  civil.day = static_cast<int>(scanner.digits(2, 2));
  if (civil.year == 0) scanner.fail();
  if (scanner.take(" (BC)")) civil.year = 1 - civil.year;
  return civil;
}

Civil scan_local_date(Scanner& scanner, DateOrder order) {
  const auto first = static_cast<int>(scanner.digits(1, 2));
  const std::string_view separator = scanner.peek() == '.' ? "." : "/";
  scanner.expect(separator);
  const auto second = static_cast<int>(scanner.digits(1, 2));
  scanner.expect(separator);
  const std::int64_t year = scanner.digits(4, 4);
  if (year == 0) scanner.fail();
  return order == DateOrder::kDayFirst ? Civil{year, second, first} : Civil{year, first, second};
}

// Days since 1970; nothing where the scanner failed or there is no such day.
std::optional<std::int64_t> scan_date(Scanner& scanner, DateOrder order) {
  // Only a year has three digits in a row.
  const bool year_first = Scanner::is_digit(scanner.peek(1)) && Scanner::is_digit(scanner.peek(2));
  const bool local = order != DateOrder::kIso && !year_first;
  const Civil civil = local ? scan_local_date(scanner, order) : scan_iso_date(scanner);
  if (!scanner.ok() || civil.month < 1 || civil.month > 12) return std::nullopt;
  if (civil.day < 1 || civil.day > days_in_month(civil.year, civil.month)) return std::nullopt;
  return days_of_civil(civil);
}

// Digits behind the sixth must be zero: nothing is rounded.
std::int64_t scan_fraction_us(Scanner& scanner) {
  std::int64_t us = 0;
  std::int64_t unit = kUsPerSecond / 10;
  if (!Scanner::is_digit(scanner.peek())) scanner.fail();
  while (Scanner::is_digit(scanner.peek())) {
    const std::int64_t digit = scanner.digits(1, 1);
    if (unit == 0 && digit != 0) scanner.fail();
    us += digit * unit;
    unit /= 10;
  }
  return us;
}

// hh:mm, hh:mm:ss or hh:mm:ss.ffffff. There is no second 60: the hub could not give it back.
std::int64_t scan_time_us(Scanner& scanner) {
  const std::int64_t hour = scanner.digits(2, 2);
  scanner.expect(":");
  const std::int64_t minute = scanner.digits(2, 2);
  std::int64_t second = 0;
  std::int64_t fraction_us = 0;
  if (scanner.take(":")) {
    second = scanner.digits(2, 2);
    if (scanner.take(".")) fraction_us = scan_fraction_us(scanner);
  }
  if (hour > 23 || minute > 59 || second > 59) scanner.fail();
  return ((hour * 60 + minute) * 60 + second) * kUsPerSecond + fraction_us;
}

std::int64_t scan_zone_minutes(Scanner& scanner, int fallback_minutes) {
  if (scanner.take("Z") || scanner.take("z")) return 0;
  const char sign = scanner.peek();
  if (sign != '+' && sign != '-') return fallback_minutes;
  scanner.take(std::string_view(&sign, 1));
  const std::int64_t hours = scanner.digits(2, 2);
  std::int64_t minutes = 0;
  if (scanner.take(":")) minutes = scanner.digits(2, 2);
  if (hours > 18 || minutes > 59) scanner.fail();
  return (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
}

void append_fraction(std::int64_t fraction_us, std::string& out) {
  if (fraction_us == 0) return;
  out += fmt::format(".{:06}", fraction_us);
  while (out.back() == '0')
    out.pop_back();
}

constexpr std::int64_t kDaysMax = 2'147'483'646;
constexpr std::int64_t kUsMin = -9'223'372'022'400'000'000;
constexpr std::int64_t kUsMax = 9'223'372'036'854'775'806;

}  // namespace

bool is_storable(Date date) {
  return date.days >= -kDaysMax && date.days <= kDaysMax;
}

bool is_storable(Timestamp time) {
  return time.us >= kUsMin && time.us <= kUsMax;
}

std::optional<Date> date_of_text(std::string_view text, DateOrder order) {
  Scanner scanner(text);
  const std::optional<std::int64_t> days = scan_date(scanner, order);
  if (!days || !scanner.done()) return std::nullopt;
  if (*days < -kDaysMax || *days > kDaysMax) return std::nullopt;
  return Date{static_cast<std::int32_t>(*days)};
}

std::optional<Timestamp> timestamp_of_text(std::string_view text, const Spelling& spelling) {
  Scanner scanner(text);
  const std::optional<std::int64_t> days = scan_date(scanner, spelling.date_order);
  if (!days) return std::nullopt;
  if (!scanner.take("T") && !scanner.take("t")) scanner.expect(" ");
  const std::int64_t time_us = scan_time_us(scanner);
  const std::int64_t zone_minutes = scan_zone_minutes(scanner, spelling.utc_offset_minutes);
  if (!scanner.done()) return std::nullopt;
  const std::int64_t within_us = time_us - zone_minutes * 60 * kUsPerSecond;
  // Without splitting the day off, the lowest timestamps would overflow on the way.
  const std::int64_t early_days = *days < 0 ? *days + 1 : *days;
  const std::int64_t early_us = *days < 0 ? within_us - kUsPerDay : within_us;
  std::int64_t us = 0;
  if (__builtin_mul_overflow(early_days, kUsPerDay, &us)) return std::nullopt;
  if (__builtin_add_overflow(us, early_us, &us)) return std::nullopt;
  if (!is_storable(Timestamp{us})) return std::nullopt;
  return Timestamp{us};
}

std::string text_of_date(Date date) {
  const Civil civil = civil_of_days(date.days);
  const bool before_christ = civil.year <= 0;
  return fmt::format("{:04}-{:02}-{:02}{}",
                     before_christ ? 1 - civil.year : civil.year,
                     civil.month,
                     civil.day,
                     before_christ ? " (BC)" : "");
}

std::string text_of_timestamp(Timestamp timestamp) {
  std::int64_t days = timestamp.us / kUsPerDay;
  std::int64_t within_us = timestamp.us % kUsPerDay;
  if (within_us < 0) {
    within_us += kUsPerDay;
    --days;
  }
  const std::int64_t seconds = within_us / kUsPerSecond;
  std::string out = text_of_date(Date{static_cast<std::int32_t>(days)});
  out += fmt::format(" {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  append_fraction(within_us % kUsPerSecond, out);
  out += "+00";
  return out;
}

}  // namespace lockstep
