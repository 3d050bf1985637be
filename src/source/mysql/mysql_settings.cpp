#include "source/mysql/mysql_settings.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {
namespace {

constexpr std::array kMysqlTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "url",
            .text = "The database: mysql://user@host:3306/database?ssl-mode=verify-identity. A "
                    "password is best left to ${ENV} or ${file:PATH}.",
            .required = true},
    Setting{.name = "server_id",
            .type = Setting::Type::kInteger,
            .text =
                "The id under which the server knows this follower, of which no other server or "
                "follower may have the same. By chance unless given, and then kept.",
            .min = 1,
            .max = 4'294'967'295},
    Setting{.name = "zero_dates",
            .type = Setting::Type::kChoice,
            .fallback = "reject",
            .text = "What 0000-00-00 is: a row with it is rejected, or it is null.",
            .choices = "reject | null"},
    Setting{.name = "heartbeat",
            .type = Setting::Type::kDuration,
            .fallback = "10s",
            .text = "How often the position follows a server that changes other tables, so that it "
                    "is never older than the server's log.",
            .min = 100'000},
};

}  // namespace

std::span<const Setting> mysql_setting_table() {
  return kMysqlTable;
}

Result<MysqlSettings> parse_mysql_settings(const SourceRequest& request) {
  const Settings settings =
      TRY(Settings::parse(request.settings, kMysqlTable, fmt::format("source '{}'", request.name)));
  MysqlSettings out;
  out.name = request.name;
  out.url = settings.text("url");
  if (settings.has("server_id"))
    out.client = static_cast<std::uint32_t>(settings.integer("server_id"));
  out.zero_is_null = settings.text("zero_dates") == "null";
  out.heartbeat_us = settings.duration_us("heartbeat");
  return out;
}

}  // namespace lockstep
