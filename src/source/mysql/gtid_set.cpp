#include "source/mysql/gtid_set.h"

#include "source/mysql/binlog_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <limits>

namespace lockstep {
namespace {

using Ranges = std::vector<GtidSet::Range>;

constexpr std::size_t kUuidSize = 16;
constexpr std::size_t kUuidTextSize = 36;
constexpr std::size_t kTagSizeMax = 32;
constexpr std::uint64_t kGtidNumberMax = std::numeric_limits<std::int64_t>::max() - 1;
constexpr std::uint64_t kTaggedSet = 1;

std::string append_little(std::string out, std::uint64_t value) {
  constexpr unsigned kByte = 8;
  for (unsigned at = 0; at < sizeof(value); ++at)
    out += static_cast<char>(value >> (kByte * at) & 0xFF);
  return out;
}

bool is_uuid_dash(std::size_t at) {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

bool is_uuid_text(std::string_view text) {
  if (text.size() != kUuidTextSize) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_hex = std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    if (is_uuid_dash(at) ? text[at] != '-' : !is_hex) return false;
  }
  return true;
}

bool is_gtid_tag(std::string_view text) {
  if (text.empty() || text.size() > kTagSizeMax) return false;
  if (std::isdigit(static_cast<unsigned char>(text.front())) != 0) return false;
  return std::ranges::all_of(text, [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
  });
}

std::string uuid_bytes(std::string_view text) {
  std::string out;
  std::string digits;
  for (std::size_t at = 0; at < kUuidTextSize; ++at) {
    if (!is_uuid_dash(at)) digits += text[at];
  }
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + at, digits.data() + at + 2, byte, 16);
    out += static_cast<char>(byte);
  }
  return out;
}

std::string_view tag_of(std::string_view source) {
  return source.size() > kUuidTextSize ? source.substr(kUuidTextSize + 1) : std::string_view();
}

// "1-5" or "7"
std::optional<GtidSet::Range> parse_gtid_range(std::string_view text) {
  GtidSet::Range range;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [at, failed] = std::from_chars(begin, end, range.first);
  if (failed != std::errc()) return std::nullopt;
  range.last = range.first;
  if (at != end) {
    if (*at != '-') return std::nullopt;
    const auto [behind, failed_too] = std::from_chars(at + 1, end, range.last);
    if (failed_too != std::errc() || behind != end) return std::nullopt;
  }
  const bool is_sound =
      range.first > 0 && range.first <= range.last && range.last <= kGtidNumberMax;
  return is_sound ? std::optional(range) : std::nullopt;
}

std::string_view take_gtid_piece(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view taken = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return taken;
}

// "3e11...:1-5:7:nightly:1-3": a source, and behind it ranges of it, and tags with theirs.
bool parse_gtid_source(std::string_view text, GtidSet& out) {
  const std::string_view uuid = take_gtid_piece(text, ':');
  if (!is_uuid_text(uuid) || text.empty()) return false;
  std::string source(uuid);
  bool has_ranges = false;
  while (!text.empty()) {
    const std::string_view piece = take_gtid_piece(text, ':');
    if (is_gtid_tag(piece)) {
      source = std::string(uuid) + ":" + std::string(piece);
      has_ranges = false;
      continue;
    }
    const std::optional<GtidSet::Range> range = parse_gtid_range(piece);
    if (!range) return false;
    out.add(source, *range);
    has_ranges = true;
  }
  return has_ranges;
}

Ranges ranges_without(const Ranges& all, const Ranges& gone) {
  Ranges out;
  for (GtidSet::Range left : all) {
    bool is_left = true;
    for (const GtidSet::Range& one : gone) {
      if (one.last < left.first || one.first > left.last) continue;
      if (one.first > left.first) out.push_back({left.first, one.first - 1});
      is_left = one.last < left.last;
      if (!is_left) break;
      left.first = one.last + 1;
    }
    if (is_left) out.push_back(left);
  }
  return out;
}

bool take_source_bytes(BinlogBytes& in, bool is_tagged, GtidSet& out) {
  std::string source = mysql_uuid_text(in.take(kUuidSize));
  if (is_tagged) {
    const std::string_view tag = in.take(in.number(1) / 2);
    if (!tag.empty() && !is_gtid_tag(tag)) return false;
    if (!tag.empty()) source += ":" + std::string(tag);
  }
  const std::uint64_t range_count = in.number(8);
  for (std::uint64_t range = 0; range < range_count && in.is_good(); ++range) {
    const std::uint64_t first = in.number(8);
    const std::uint64_t behind = in.number(8);
    if (first == 0 || behind <= first || behind > kGtidNumberMax + 1) return false;
    out.add(source, {first, behind - 1});
  }
  return in.is_good();
}

}  // namespace

std::string MysqlGtid::text() const {
  return fmt::format("{}:{}", source, number);
}

std::string mysql_uuid_text(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    if (is_uuid_dash(text.size())) text += '-';
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 0xF];
  }
  return text;
}

// Nearly always the next number behind the newest range.
void GtidSet::add(const std::string& source, Range range) {
  Ranges& list = ranges_[source];
  // The first that it touches, and the first behind those.
  const auto begin = std::ranges::partition_point(
      list, [&](const Range& one) { return one.last + 1 < range.first; });
  const auto end = std::partition_point(
      begin, list.end(), [&](const Range& one) { return one.first <= range.last + 1; });
  if (begin == end) {
    list.insert(begin, range);
    return;
  }
  begin->first = std::min(begin->first, range.first);
  begin->last = std::max(std::prev(end)->last, range.last);
  list.erase(std::next(begin), end);
}

bool GtidSet::has(const MysqlGtid& gtid) const {
  const auto found = ranges_.find(gtid.source);
  if (found == ranges_.end()) return false;
  const auto range = std::ranges::partition_point(
      found->second, [&](const Range& one) { return one.last < gtid.number; });
  return range != found->second.end() && range->first <= gtid.number;
}

GtidSet GtidSet::without(const GtidSet& other) const {
  GtidSet out;
  for (const auto& [source, ranges] : ranges_) {
    const auto gone = other.ranges_.find(source);
    Ranges left = gone == other.ranges_.end() ? ranges : ranges_without(ranges, gone->second);
    if (!left.empty()) out.ranges_[source] = std::move(left);
  }
  return out;
}

std::string GtidSet::ranges_text(const std::string& of) const {
  std::string out;
  const auto found = ranges_.find(of);
  if (found == ranges_.end()) return out;
  for (const Range& range : found->second) {
    if (!out.empty()) out += ':';
    out += range.first == range.last ? fmt::format("{}", range.first)
                                     : fmt::format("{}-{}", range.first, range.last);
  }
  return out;
}

std::string GtidSet::text() const {
  std::string out;
  for (const auto& [source, ranges] : ranges_)
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", source, ranges_text(source));
  return out;
}

std::string GtidSet::bytes() const {
  constexpr unsigned kByte = 8;
  constexpr unsigned kLastByte = 56;
  const bool is_tagged =
      std::ranges::any_of(ranges_, [](const auto& one) { return !tag_of(one.first).empty(); });
  std::uint64_t head = ranges_.size();
  if (is_tagged) head = kTaggedSet | head << kByte | kTaggedSet << kLastByte;
  std::string out = append_little({}, head);
  for (const auto& [source, ranges] : ranges_) {
    const std::string_view tag = tag_of(source);
    out += uuid_bytes(source);
    if (is_tagged) {
      out += static_cast<char>(tag.size() * 2);
      out += tag;
    }
    out = append_little(std::move(out), ranges.size());
    for (const Range& range : ranges)
      out = append_little(append_little(std::move(out), range.first), range.last + 1);
  }
  return out;
}

std::optional<GtidSet> parse_gtid_set(std::string_view text) {
  std::string plain;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isspace(byte) == 0) plain += static_cast<char>(std::tolower(byte));
  }
  GtidSet out;
  for (std::string_view rest = plain; !rest.empty();) {
    const std::string_view source = take_gtid_piece(rest, ',');
    if (!source.empty() && !parse_gtid_source(source, out)) return std::nullopt;
  }
  return out;
}

std::optional<GtidSet> parse_gtid_set_bytes(std::string_view bytes) {
  constexpr unsigned kByte = 8;
  constexpr unsigned kLastByte = 56;
  constexpr std::uint64_t kCount = 0xFFFF'FFFF'FFFF;
  BinlogBytes in(bytes);
  const std::uint64_t head = in.number(sizeof(head));
  const bool is_tagged = head >> kLastByte == kTaggedSet;
  const std::uint64_t source_count = is_tagged ? head >> kByte & kCount : head;
  GtidSet out;
  for (std::uint64_t source = 0; source < source_count; ++source) {
    if (!in.is_good() || !take_source_bytes(in, is_tagged, out)) return std::nullopt;
  }
  if (!in.is_good() || !in.rest().empty()) return std::nullopt;
  return out;
}

}  // namespace lockstep
