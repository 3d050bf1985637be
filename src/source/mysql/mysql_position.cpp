#include "source/mysql/mysql_position.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <tuple>

namespace lockstep {
namespace {

using MysqlJson = nlohmann::json;

// By the kind of the ids.
constexpr std::int64_t kMariadbVersion = 1;
constexpr std::int64_t kMysqlVersion = 2;
constexpr std::string_view kGtidPart = "gtid ";
constexpr std::string_view kPlacePart = "place";
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
  const auto version = head["version"].get<std::int64_t>();
  if (version > kMysqlVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  const bool is_sound = head.contains("server") && head["server"].is_string() &&
                        head.contains("client") && head["client"].is_number_unsigned();
  if (!is_sound) return damaged_position("");
  out.server = head["server"].get<std::string>();
  out.client = head["client"].get<std::uint32_t>();
  if (version == kMysqlVersion) out.state = GtidSet();
  return {};
}

// "binlog.000003:4711"
bool parse_log_place(std::string_view text, LogPlace& out) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  out.file = text.substr(0, colon);
  return parse_number(text.substr(colon + 1), out.offset);
}

// Of MariaDB: "0-1-4711 binlog.000003:4711"
bool parse_gtid_part(std::string_view text, MysqlPosition& out) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  const std::optional<Gtid> gtid = parse_gtid(text.substr(0, space));
  LogPlace place;
  if (!gtid || !parse_log_place(text.substr(space + 1), place)) return false;
  out.state.move_to(*gtid);
  if (out.place.file.empty() || is_before(out.place, place)) out.place = std::move(place);
  return true;
}

// Of MySQL: "1-4711:4713"
bool parse_source_part(const std::string& source, std::string_view text, MysqlPosition& out) {
  const std::optional<GtidSet> set = parse_gtid_set(fmt::format("{}:{}", source, text));
  if (!set || set->ranges().size() != 1 || set->ranges().begin()->first != source) return false;
  GtidSet state = *out.state.mysql();
  for (const GtidSet::Range& range : set->ranges().begin()->second)
    state.add(source, range);
  out.state = std::move(state);
  return true;
}

// Of MySQL: "binlog.000003:4711 3e11fa47-..."
bool parse_place_part(std::string_view text, MysqlPosition& out) {
  const std::size_t space = text.rfind(' ');
  if (space == std::string_view::npos || space + 1 == text.size()) return false;
  out.server = text.substr(space + 1);
  return parse_log_place(text.substr(0, space), out.place);
}

std::optional<LogState> parse_log_state(std::string_view text, bool is_mariadb) {
  std::optional<LogState> out;
  if (is_mariadb) {
    if (std::optional<GtidState> state = parse_gtid_state(text)) out = *std::move(state);
  } else {
    if (std::optional<GtidSet> state = parse_gtid_set(text)) out = *std::move(state);
  }
  return out;
}

bool parse_copied_part(const std::string& origin, std::string_view text, MysqlPosition& out) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  const bool is_mariadb = out.state.mariadb() != nullptr;
  std::optional<LogState> state = parse_log_state(text.substr(0, space), is_mariadb);
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
  head["version"] = state.mariadb() != nullptr ? kMariadbVersion : kMysqlVersion;
  head["server"] = server;
  head["client"] = client;
  out[""] = head.dump();
  add_progress(out, progress());
  for (const auto& [origin, copied] : tables)
    add_copied(out, origin, copied);
  return out;
}

void add_gtid(Position& changes, const LogProgress& progress, const LogGtid& gtid) {
  if (const auto* const one = std::get_if<Gtid>(&gtid)) {
    changes[fmt::format("{}{}", kGtidPart, one->domain)] =
        one->text() + " " + progress.place.text();
    return;
  }
  const std::string& source = std::get<MysqlGtid>(gtid).source;
  changes[std::string(kGtidPart) + source] = progress.state.mysql()->ranges_text(source);
  changes[std::string(kPlacePart)] = progress.place.text() + " " + progress.server;
}

void add_progress(Position& changes, const LogProgress& progress) {
  if (const GtidState* const state = progress.state.mariadb()) {
    for (const auto& [domain, gtid] : state->last())
      add_gtid(changes, progress, gtid);
    return;
  }
  for (const auto& [source, ranges] : progress.state.mysql()->ranges())
    add_gtid(changes, progress, MysqlGtid{source, ranges.back().last});
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
  const auto head = parts.find("");
  if (head == parts.end()) return damaged_position("");
  TRY(parse_mysql_head(head->second, out));
  const bool is_mariadb = out.state.mariadb() != nullptr;
  for (const auto& [part, text] : parts) {
    bool is_good = part.empty();
    if (part.starts_with(kGtidPart) && is_mariadb) {
      is_good = parse_gtid_part(text, out);
    } else if (part.starts_with(kGtidPart)) {
      is_good = parse_source_part(part.substr(kGtidPart.size()), text, out);
    } else if (part == kPlacePart && !is_mariadb) {
      is_good = parse_place_part(text, out);
    } else if (part.starts_with(kCopiedPart)) {
      is_good = parse_copied_part(part.substr(kCopiedPart.size()), text, out);
    }
    if (!is_good) return damaged_position(part);
  }
  if (out.server.empty()) return damaged_position("");
  return out;
}

}  // namespace lockstep
