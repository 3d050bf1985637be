// The settings of a source of type `postgres`, read and checked.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "source/source.h"

#include <cstdint>
#include <span>
#include <string>

namespace lockstep {

// Value.
struct PostgresSettings {
  std::string name;  // the source's
  std::string url;
  std::string slot;
  std::string publication;
  std::int64_t heartbeat_us = 0;
};

std::span<const Setting> postgres_setting_table();
Result<PostgresSettings> parse_postgres_settings(const SourceRequest& request);

}  // namespace lockstep
