// The settings of a source of type `mysql`, read and checked.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "source/source.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace lockstep {

// Value.
struct MysqlSettings {
  std::string name;  // the source's
  std::string url;
  std::optional<std::uint32_t> client;  // nullopt: one by chance, kept in the position
  bool zero_is_null = false;
  std::int64_t heartbeat_us = 0;
};

std::span<const Setting> mysql_setting_table();
Result<MysqlSettings> parse_mysql_settings(const SourceRequest& request);

}  // namespace lockstep
