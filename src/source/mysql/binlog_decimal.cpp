#include "source/mysql/binlog_decimal.h"

#include "source/mysql/binlog_types.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr unsigned kSignBit = 0x80;
constexpr std::array<std::uint8_t, kDigitsOfGroup + 1> kBytesOfDigits = {
    0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
constexpr std::array<std::uint64_t, kDigitsOfGroup + 1> kPowers = {
    1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};

}  // namespace

LogDecimal::LogDecimal(std::string_view bytes, unsigned precision, unsigned scale)
    : precision_(precision),
      scale_(scale),
      is_negative_(!bytes.empty() && (static_cast<unsigned char>(bytes[0]) & kSignBit) == 0) {
  const unsigned whole = precision - scale;
  std::string plain(bytes);
  if (!plain.empty()) plain[0] = static_cast<char>(static_cast<unsigned char>(plain[0]) ^ kSignBit);
  std::string_view rest = plain;
  take(rest, whole % kDigitsOfGroup);
  for (unsigned group = 0; group < whole / kDigitsOfGroup; ++group)
    take(rest, kDigitsOfGroup);
  whole_count_ = count_;
  for (unsigned group = 0; group < scale / kDigitsOfGroup; ++group)
    take(rest, kDigitsOfGroup);
  take(rest, scale % kDigitsOfGroup);
}

void LogDecimal::take(std::string_view& bytes, unsigned digits) {
  if (digits == 0 || count_ == groups_.size()) return;
  const std::size_t size = kBytesOfDigits[digits];
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(0, size)) {
    const unsigned plain = static_cast<unsigned char>(byte) ^ (is_negative_ ? 0xFFU : 0U);
    value = value << 8 | plain;
  }
  bytes.remove_prefix(std::min(size, bytes.size()));
  groups_[count_++] = {value, digits};
}

std::string LogDecimal::text() const {
  std::string digits;
  for (std::size_t group = 0; group < whole_count_; ++group)
    digits += fmt::format("{:0{}}", groups_[group].value, groups_[group].digits);
  const std::size_t first = digits.find_first_not_of('0');
  std::string out = first == std::string::npos ? "0" : digits.substr(first);
  bool is_zero = out == "0";
  if (scale_ > 0) out += '.';
  for (std::size_t group = whole_count_; group < count_; ++group) {
    is_zero = is_zero && groups_[group].value == 0;
    out += fmt::format("{:0{}}", groups_[group].value, groups_[group].digits);
  }
  return is_negative_ && !is_zero ? "-" + out : out;
}

std::optional<double> LogDecimal::exact_double() const {
  constexpr unsigned kDigitsMax = 15;  // a double holds all of these whole numbers
  if (precision_ > kDigitsMax) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t group = 0; group < count_; ++group)
    number = number * kPowers[groups_[group].digits] + groups_[group].value;
  std::uint64_t divisor = 1;
  for (unsigned digit = 0; digit < scale_; ++digit)
    divisor *= 10;
  const double value = static_cast<double>(number) / static_cast<double>(divisor);
  return is_negative_ && number != 0 ? -value : value;
}

}  // namespace lockstep
