// Texts as MariaDB and MySQL store them, in UTF-8.
#include "source/mysql/binlog_values.h"

#include <array>

namespace lockstep {
namespace {

constexpr std::uint32_t kSurrogateFirst = 0xD800;
constexpr std::uint32_t kSurrogateSecond = 0xDC00;
constexpr std::uint32_t kSurrogateEnd = 0xE000;
constexpr std::uint32_t kCodeMax = 0x10FFFF;

// What the server calls latin1 is Windows' code page 1252, with the five characters that it lacks
// as controls.
constexpr std::array<std::uint16_t, 32> kWindows = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

void append_code(std::uint32_t code, std::string& out) {
  constexpr std::uint32_t kLow = 0x3F;
  const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & kLow));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & kLow));
    add(0x80 | (code >> 6 & kLow));
  }
  add(0x80 | (code & kLow));
}

std::uint32_t unit_at(std::string_view bytes, std::size_t at, std::size_t size, bool is_little) {
  std::uint32_t unit = 0;
  for (std::size_t index = 0; index < size; ++index) {
    const std::size_t from = is_little ? size - 1 - index : index;
    unit = unit << 8 | static_cast<unsigned char>(bytes[at + from]);
  }
  return unit;
}

std::string utf8_of_latin1(std::string_view bytes) {
  constexpr unsigned char kFirst = 0x80;
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  for (const char letter : bytes) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool is_windows = byte >= kFirst && byte < kFirst + kWindows.size();
    append_code(is_windows ? kWindows[byte - kFirst] : byte, out);
  }
  return out;
}

std::optional<std::string> utf8_of_utf16(std::string_view bytes, bool is_little) {
  if (bytes.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    std::uint32_t code = unit_at(bytes, at, 2, is_little);
    const bool is_pair = code >= kSurrogateFirst && code < kSurrogateSecond;
    if (is_pair && at + 2 < bytes.size()) {
      const std::uint32_t second = unit_at(bytes, at + 2, 2, is_little);
      if (second < kSurrogateSecond || second >= kSurrogateEnd) return std::nullopt;
      code = 0x10000 + ((code - kSurrogateFirst) << 10) + (second - kSurrogateSecond);
      at += 2;
    } else if (code >= kSurrogateFirst && code < kSurrogateEnd) {
      return std::nullopt;
    }
    append_code(code, out);
  }
  return out;
}

std::optional<std::string> utf8_of_utf32(std::string_view bytes) {
  if (bytes.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    const std::uint32_t code = unit_at(bytes, at, 4, false);
    if (code > kCodeMax || (code >= kSurrogateFirst && code < kSurrogateEnd)) return std::nullopt;
    append_code(code, out);
  }
  return out;
}

}  // namespace

std::optional<std::string> utf8_of(std::string_view bytes, MysqlCharset charset) {
  switch (charset) {
    case MysqlCharset::kLatin1:
      return utf8_of_latin1(bytes);
    case MysqlCharset::kUtf16:
      return utf8_of_utf16(bytes, false);
    case MysqlCharset::kUtf16Little:
      return utf8_of_utf16(bytes, true);
    case MysqlCharset::kUtf32:
      return utf8_of_utf32(bytes);
    case MysqlCharset::kUtf8:
      return std::string(bytes);
    case MysqlCharset::kOther:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace lockstep
