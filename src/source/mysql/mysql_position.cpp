#include "source/mysql/mysql_position.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <tuple>

namespace lockstep {
namespace {

using MysqlJson = nlohmann::json;

constexpr std::int64_t kMysqlPositionVersion = 1;
constexpr std::string_view kGtidPart = "gtid ";
constexpr std::string_view kCopiedPart = "table ";

Error damaged_position(const std::string& part) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the source is damaged at '{}'", part));
}

template <typename T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size();
}

Result<void> parse_mysql_head(const std::string& text, MysqlPosition& out) {
  const MysqlJson head = MysqlJson::parse(text, nullptr, false);
  if (!head.is_object() || !head.contains("version") || !head["version"].is_number_integer())
    return damaged_position("");
  if (head["version"].get<std::int64_t>() > kMysqlPositionVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  const bool is_sound = head.contains("server") && head["server"].is_string() &&
                        head.contains("client") && head["client"].is_number_unsigned();
  if (!is_sound) return damaged_position("");
  out.server = head["server"].get<std::string>();
  out.client = head["client"].get<std::uint32_t>();
  return {};
}

// "0-1-4711 binlog.000003:4711"
bool parse_gtid_part(std::string_view text, MysqlPosition& out) {
  const std::size_t space = text.find(' ');
  const std::size_t colon = text.rfind(':');
  if (space == std::string_view::npos || colon == std::string_view::npos || colon < space)
    return false;
  const std::optional<Gtid> gtid = parse_gtid(text.substr(0, space));
  LogPlace place;
  place.file = text.substr(space + 1, colon - space - 1);
  if (!gtid || place.file.empty() || !parse_number(text.substr(colon + 1), place.offset))
    return false;
  out.state.move_to(*gtid);
  if (out.place.file.empty() || is_before(out.place, place)) out.place = std::move(place);
  return true;
}

bool parse_copied_part(const std::string& origin, std::string_view text, MysqlPosition& out) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  std::optional<GtidState> state = parse_gtid_state(text.substr(0, space));
  if (!state) return false;
  out.tables[origin] = {*std::move(state), std::string(text.substr(space + 1))};
  return true;
}

}  // namespace

std::string LogPlace::text() const {
  return fmt::format("{}:{}", file, offset);
}

std::uint64_t LogPlace::file_number() const {
  std::uint64_t number = 0;
  const std::size_t point = file.rfind('.');
  if (point != std::string::npos) parse_number(std::string_view(file).substr(point + 1), number);
  return number;
}

bool is_before(const LogPlace& left, const LogPlace& right) {
  return std::tuple(left.file_number(), left.offset) <
         std::tuple(right.file_number(), right.offset);
}

Position MysqlPosition::parts() const {
  Position out;
  MysqlJson head;
  head["version"] = kMysqlPositionVersion;
  head["server"] = server;
  head["client"] = client;
  out[""] = head.dump();
  for (const auto& [domain, gtid] : state.last())
    add_gtid(out, gtid, place);
  for (const auto& [origin, copied] : tables)
    add_copied(out, origin, copied);
  return out;
}

void add_gtid(Position& changes, const Gtid& gtid, const LogPlace& place) {
  changes[fmt::format("{}{}", kGtidPart, gtid.domain)] = gtid.text() + " " + place.text();
}

void add_copied(Position& changes, const std::string& origin, const CopiedMysqlTable& table) {
  changes[std::string(kCopiedPart) + origin] = table.state.text() + " " + table.shape;
}

void remove_copied(Position& changes, const std::string& origin) {
  changes[std::string(kCopiedPart) + origin] = "";
}

Result<MysqlPosition> parse_mysql_position(const Position& parts) {
  MysqlPosition out;
  if (parts.empty()) return out;
  for (const auto& [part, text] : parts) {
    bool is_good = false;
    if (part.empty()) {
      TRY(parse_mysql_head(text, out));
      is_good = true;
    } else if (part.starts_with(kGtidPart)) {
      is_good = parse_gtid_part(text, out);
    } else if (part.starts_with(kCopiedPart)) {
      is_good = parse_copied_part(part.substr(kCopiedPart.size()), text, out);
    }
    if (!is_good) return damaged_position(part);
  }
  if (out.server.empty()) return damaged_position("");
  return out;
}

}  // namespace lockstep
