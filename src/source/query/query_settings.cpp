#include "source/query/query_settings.h"

#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

constexpr std::array kQueryTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "url",
            .text = "The database: postgresql://user@host:5432/database, "
                    "mysql://user@host:3306/database, or sqlite:FILE, relative to lockstep.yaml. A "
                    "password is best left to ${ENV} or ${file:PATH}.",
            .required = true},
    Setting{.name = "every",
            .type = Setting::Type::kDuration,
            .fallback = "1m",
            .text = "How long from the beginning of one look to that of the next.",
            .min = 100'000},
    Setting{.name = "watermark",
            .text = "A column that grows with each change of a row: a look reads the newest rows, "
                    "and finds no deletes. Without it a look compares all rows."},
    Setting{.name = "overlap",
            .text = "How far behind the newest watermark rows are read again, for those that are "
                    "committed late: `5m` if left out, or of an integer a count, `1000`."},
    Setting{.name = "full",
            .type = Setting::Type::kDuration,
            .text = "With a watermark, how long from one comparison of all rows to the next, which "
                    "finds deletes. None if left out.",
            .min = 1'000'000},
    Setting{.name = "queries",
            .type = Setting::Type::kNode,
            .text = "SELECTs by name, each read as a table: {vitals: \"SELECT id, sbp FROM v\"}."},
    Setting{.name = "max_delete",
            .fallback = "20%",
            .text = "A comparison that would delete more of the source's rows than this is held "
                    "back until it is confirmed."},
};

Result<WatermarkOverlap> parse_overlap(const Node& node) {
  const std::string text = TRY(node.text("overlap"));
  WatermarkOverlap out;
  out.count = int_of_text(text);
  if (out.count == 0) out.us = 0;
  if (out.count && *out.count >= 0) return out;
  const Result<std::int64_t> us = parse_duration_us(text);
  if (us.ok()) return WatermarkOverlap{us.value(), std::nullopt};
  return invalid_at(node.mark,
                    fmt::format("'{}' is no overlap", text),
                    "write a time, as 5m, or for an integer watermark a number, as 1000");
}

Result<std::map<std::string, std::string>> parse_queries(const Node& node,
                                                         const SourceRequest& request) {
  std::map<std::string, std::string> out;
  if (!node.is_map())
    return invalid_at(node.mark, "'queries' is no map", "write {name: \"SELECT ...\"}");
  for (const auto& [name, value] : node.fields) {
    const auto feeds = [&](const SourceTarget& target) { return target.table == name; };
    if (std::ranges::none_of(request.targets, feeds)) {
      return invalid_at(value.mark,
                        fmt::format("query '{}' feeds no dataset", name),
                        fmt::format("name it in a dataset's from: [{}.{}]", request.name, name));
    }
    out[name] = TRY(value.text(fmt::format("query '{}'", name)));
  }
  return out;
}

}  // namespace

std::span<const Setting> query_setting_table() {
  return kQueryTable;
}

Result<QuerySettings> parse_query_settings(const SourceRequest& request) {
  const Settings settings =
      TRY(Settings::parse(request.settings, kQueryTable, fmt::format("source '{}'", request.name)));
  QuerySettings out;
  out.name = request.name;
  out.url = settings.text("url");
  out.every_us = settings.duration_us("every");
  for (const char* name : {"overlap", "full"}) {
    const Node* node = settings.given(name);
    if (node == nullptr || settings.has("watermark")) continue;
    return invalid_at(node->mark,
                      fmt::format("'{}' says nothing without a watermark", name),
                      "add watermark: COLUMN, or take it away: then every look compares all rows");
  }
  if (settings.has("watermark")) out.watermark = settings.text("watermark");
  if (settings.has("full")) out.full_us = settings.duration_us("full");
  if (const Node* node = settings.given("overlap")) out.overlap = TRY(parse_overlap(*node));
  if (const Node* node = settings.given("queries"))
    out.queries = TRY(parse_queries(*node, request));
  return out;
}

}  // namespace lockstep
