#include "source/query/query_position.h"

#include "table/scalar_text.h"
#include "table/types.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

constexpr std::int64_t kQueryPositionVersion = 1;
constexpr std::string_view kQueryTablePart = "table ";

Error corrupt_query_part(const std::string& part) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the source is damaged at '{}'", part));
}

Result<QueryPlace> parse_place(const std::string& part, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  const auto has = [&](const char* name, nlohmann::json::value_t type) {
    return json.contains(name) && json[name].type() == type;
  };
  using Kind = nlohmann::json::value_t;
  if (!json.is_object() || !json.contains("version") || !json["version"].is_number_integer())
    return corrupt_query_part(part);
  if (json["version"].get<std::int64_t>() > kQueryPositionVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  const bool is_sound = has("shape", Kind::string) && has("read", Kind::string) &&
                        json.contains("rows") && json["rows"].is_number_integer() &&
                        has("content", Kind::string);
  if (!is_sound) return corrupt_query_part(part);
  QueryPlace out;
  out.shape = json["shape"].get<std::string>();
  out.was_compared = json["read"].get<std::string>() == "all";
  out.row_count = json["rows"].get<std::int64_t>();
  out.content = json["content"].get<std::string>();
  if (has("watermark", Kind::string)) out.watermark = json["watermark"].get<std::string>();
  if (json.contains("compared") && json["compared"].is_number_integer())
    out.compared_us = json["compared"].get<std::int64_t>();
  return out;
}

}  // namespace

Position query_change(const std::string& table, const QueryPlace& place) {
  nlohmann::json json;
  json["version"] = kQueryPositionVersion;
  json["shape"] = place.shape;
  if (place.watermark) json["watermark"] = *place.watermark;
  json["read"] = place.was_compared ? "all" : "since";
  json["rows"] = place.row_count;
  json["content"] = place.content;
  if (place.compared_us) json["compared"] = *place.compared_us;
  return {{std::string(kQueryTablePart) + table,
           json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
}

Result<QueryPosition> parse_query_position(const Position& parts) {
  QueryPosition out;
  for (const auto& [part, text] : parts) {
    if (!part.starts_with(kQueryTablePart)) return corrupt_query_part(part);
    out[part.substr(kQueryTablePart.size())] = TRY(parse_place(part, text));
  }
  return out;
}

std::string describe_query_position(const QueryPosition& position) {
  if (position.empty()) return "nothing yet";
  std::string out;
  for (const auto& [table, place] : position) {
    out += (out.empty() ? "" : ", ") + table;
    out += place.watermark ? " up to " + *place.watermark
                           : fmt::format(" with {} rows", place.row_count);
  }
  return out;
}

}  // namespace lockstep
