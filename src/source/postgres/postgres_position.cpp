#include "source/postgres/postgres_position.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

constexpr std::int64_t kPostgresPositionVersion = 1;
constexpr std::string_view kTablePart = "table ";
constexpr std::string_view kCopyPart = "copy";

Error corrupt_part(const std::string& part) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the source is damaged at '{}'", part));
}

Result<void> parse_head(const std::string& text, PostgresPosition& out) {
  const nlohmann::json head = nlohmann::json::parse(text, nullptr, false);
  if (!head.is_object() || !head.contains("version") || !head["version"].is_number_integer())
    return corrupt_part("");
  if (head["version"].get<std::int64_t>() > kPostgresPositionVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  const bool sound = head.contains("system") && head["system"].is_string() &&
                     head.contains("timeline") && head["timeline"].is_number_integer() &&
                     head.contains("slot") && head["slot"].is_string();
  if (!sound) return corrupt_part("");
  out.system = head["system"].get<std::string>();
  out.timeline = head["timeline"].get<std::int64_t>();
  out.slot = head["slot"].get<std::string>();
  return {};
}

Result<CopyProgress> parse_progress(const std::string& text) {
  const nlohmann::json in = nlohmann::json::parse(text, nullptr, false);
  const bool sound = in.is_object() && in.contains("table") && in["table"].is_string() &&
                     in.contains("node") && in["node"].is_number_integer() &&
                     in.contains("block") && in["block"].is_number_integer();
  if (!sound) return corrupt_part(std::string(kCopyPart));
  return CopyProgress{.origin = in["table"].get<std::string>(),
                      .node = in["node"].get<std::int64_t>(),
                      .block = in["block"].get<std::int64_t>()};
}

}  // namespace

Position PostgresPosition::parts() const {
  Position out;
  nlohmann::json head;
  head["version"] = kPostgresPositionVersion;
  head["system"] = system;
  head["timeline"] = timeline;
  head["slot"] = slot;
  out[""] = head.dump();
  out[std::string(kLsnPart)] = lsn_text(lsn);
  for (const auto& [origin, copied] : tables)
    add_copied(out, origin, copied);
  if (copy) add_progress(out, copy);
  return out;
}

void add_progress(Position& changes, const std::optional<CopyProgress>& copy) {
  std::string& part = changes[std::string(kCopyPart)];
  part.clear();
  if (!copy) return;
  const nlohmann::json text = {
      {"table", copy->origin}, {"node", copy->node}, {"block", copy->block}};
  part = text.dump();
}

void add_copied(Position& changes, const std::string& origin, const CopiedTable& table) {
  changes[std::string(kTablePart) + origin] = lsn_text(table.lsn) + " " + table.shape;
}

Position lsn_change(Lsn lsn) {
  return {{std::string(kLsnPart), lsn_text(lsn)}};
}

Result<PostgresPosition> parse_postgres_position(const Position& parts) {
  PostgresPosition out;
  if (parts.empty()) return out;
  for (const auto& [part, text] : parts) {
    if (part.empty()) {
      TRY(parse_head(text, out));
      continue;
    }
    if (part == kCopyPart) {
      // Of a copy that became whole since: its part was taken away.
      if (!text.empty()) out.copy = TRY(parse_progress(text));
      continue;
    }
    const bool is_table = part.starts_with(kTablePart);
    const std::size_t space = is_table ? text.find(' ') : text.size();
    const std::optional<Lsn> lsn = parse_lsn(std::string_view(text).substr(0, space));
    if (!lsn || space == std::string::npos) return corrupt_part(part);
    if (is_table) {
      out.tables[part.substr(kTablePart.size())] = {*lsn, text.substr(space + 1)};
    } else if (part == kLsnPart) {
      out.lsn = *lsn;
    } else {
      return corrupt_part(part);
    }
  }
  if (out.system.empty() || out.lsn == 0) return corrupt_part("");
  return out;
}

}  // namespace lockstep
