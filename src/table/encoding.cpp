#include "table/encoding.h"

#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {

namespace {

constexpr std::array<std::pair<std::string_view, Encoding>, 5> kNames = {{
    {"utf-8", Encoding::kUtf8},
    {"latin1", Encoding::kLatin1},
    {"windows-1252", Encoding::kWindows1252},
    {"utf-16le", Encoding::kUtf16Le},
    {"utf-16be", Encoding::kUtf16Be},
}};

// Windows-1252 from 0x80 to 0x9F (Unicode consortium, CP1252.TXT); 0: no character.
constexpr std::array<char16_t, 32> kWindows1252High = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

void append_utf8(std::uint32_t code, std::string& out) {
  const auto push = [&out](std::uint32_t byte) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  };
  if (code < 0x80) return push(code);
  if (code < 0x800) {
    push(0xC0 | code >> 6);
    return push(0x80 | (code & 0x3F));
  }
  if (code < 0x10000) {
    push(0xE0 | code >> 12);
  } else {
    push(0xF0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3F));
  }
  push(0x80 | (code >> 6 & 0x3F));
  push(0x80 | (code & 0x3F));
}

// How many bytes a UTF-8 character has that starts with this one.
std::size_t utf8_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : 4;
}

bool transcode_utf8(bool last, std::string_view& bytes, std::string& out) {
  const std::size_t good = first_invalid_utf8(bytes).value_or(bytes.size());
  out += bytes.substr(0, good);
  bytes.remove_prefix(good);
  if (bytes.empty()) return true;
  // A character that the piece cut short is not yet invalid.
  return !last && bytes.size() < utf8_length(static_cast<unsigned char>(bytes.front())) &&
         bytes.size() < 4;
}

bool transcode_single(Encoding encoding, std::string_view& bytes, std::string& out) {
  while (!bytes.empty()) {
    std::uint32_t code = static_cast<unsigned char>(bytes.front());
    if (encoding == Encoding::kWindows1252 && code >= 0x80 && code < 0xA0) {
      code = kWindows1252High[code - 0x80];
      if (code == 0) return false;
    }
    append_utf8(code, out);
    bytes.remove_prefix(1);
  }
  return true;
}

std::uint32_t unit_at(Encoding encoding, std::string_view bytes, std::size_t at) {
  const auto first = static_cast<unsigned char>(bytes[at]);
  const auto second = static_cast<unsigned char>(bytes[at + 1]);
  return encoding == Encoding::kUtf16Le ? first | static_cast<std::uint32_t>(second) << 8
                                        : second | static_cast<std::uint32_t>(first) << 8;
}

bool transcode_utf16(Encoding encoding, bool last, std::string_view& bytes, std::string& out) {
  while (bytes.size() >= 2) {
    const std::uint32_t unit = unit_at(encoding, bytes, 0);
    if (unit >= 0xDC00 && unit <= 0xDFFF) return false;
    if (unit < 0xD800 || unit > 0xDFFF) {
      append_utf8(unit, out);
      bytes.remove_prefix(2);
      continue;
    }
    if (bytes.size() < 4) break;
    const std::uint32_t low = unit_at(encoding, bytes, 2);
    if (low < 0xDC00 || low > 0xDFFF) return false;
    append_utf8(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
    bytes.remove_prefix(4);
  }
  return bytes.empty() || !last;
}

}  // namespace

Result<Encoding> encoding_of_name(std::string_view name) {
  for (const auto& [known, encoding] : kNames) {
    if (known == name) return encoding;
  }
  return invalid(fmt::format("there is no encoding '{}'", name),
                 "the encodings are utf-8, latin1, windows-1252, utf-16le, utf-16be");
}

std::string_view byte_order_mark(Encoding encoding) {
  switch (encoding) {
    case Encoding::kUtf8:
      return "\xEF\xBB\xBF";
    case Encoding::kUtf16Le:
      return "\xFF\xFE";
    case Encoding::kUtf16Be:
      return "\xFE\xFF";
    default:
      return {};
  }
}

bool transcode(Encoding encoding, bool last, std::string_view& bytes, std::string& out) {
  switch (encoding) {
    case Encoding::kUtf8:
      return transcode_utf8(last, bytes, out);
    case Encoding::kUtf16Le:
    case Encoding::kUtf16Be:
      return transcode_utf16(encoding, last, bytes, out);
    default:
      return transcode_single(encoding, bytes, out);
  }
}

std::uint64_t bytes_in(Encoding encoding, std::string_view utf8) {
  if (encoding == Encoding::kUtf8) return utf8.size();
  const bool wide = encoding == Encoding::kUtf16Le || encoding == Encoding::kUtf16Be;
  std::uint64_t count = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 && byte < 0xC0) continue;  // not the first of its character
    count += !wide ? 1u : byte >= 0xF0 ? 4u : 2u;
  }
  return count;
}

}  // namespace lockstep
