#include "source/postgres_position.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kVersion = 1;
constexpr std::string_view kTablePart = "table ";

Error corrupt(const std::string& part) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the source is damaged at '{}'", part));
}

Result<void> parse_head(const std::string& text, PostgresPosition& out) {
  const Json head = Json::parse(text, nullptr, false);
  if (!head.is_object() || !head.contains("version") || !head["version"].is_number_integer())
    return corrupt("");
  if (head["version"].get<std::int64_t>() > kVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  const bool sound = head.contains("system") && head["system"].is_string() &&
                     head.contains("timeline") && head["timeline"].is_number_integer() &&
                     head.contains("slot") && head["slot"].is_string();
  if (!sound) return corrupt("");
  out.system = head["system"].get<std::string>();
  out.timeline = head["timeline"].get<std::int64_t>();
  out.slot = head["slot"].get<std::string>();
  return {};
}

}  // namespace

Position PostgresPosition::parts() const {
  Position out;
  Json head;
  head["version"] = kVersion;
  head["system"] = system;
  head["timeline"] = timeline;
  head["slot"] = slot;
  out[""] = head.dump();
  out[std::string(kLsnPart)] = lsn_text(lsn);
  for (const auto& [origin, copied] : tables)
    out[std::string(kTablePart) + origin] = lsn_text(copied);
  return out;
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
    const std::optional<Lsn> lsn = parse_lsn(text);
    if (!lsn) return corrupt(part);
    if (part == kLsnPart) {
      out.lsn = *lsn;
    } else if (part.starts_with(kTablePart)) {
      out.tables[part.substr(kTablePart.size())] = *lsn;
    } else {
      return corrupt(part);
    }
  }
  if (out.system.empty() || out.lsn == 0) return corrupt("");
  return out;
}

}  // namespace lockstep
