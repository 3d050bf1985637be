// The settings of a source of type `query`, read and checked.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "source/query/query_watermark.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace lockstep {

// Value.
struct QuerySettings {
  std::string name;  // the source's
  std::string url;
  std::int64_t every_us = 0;
  std::string watermark;  // empty: all rows are compared
  WatermarkOverlap overlap;
  std::optional<std::int64_t> full_us;
  std::map<std::string, std::string> queries;  // SQL by name
};

std::span<const Setting> query_setting_table();
Result<QuerySettings> parse_query_settings(const SourceRequest& request);

}  // namespace lockstep
