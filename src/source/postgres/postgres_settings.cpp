#include "source/postgres/postgres_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::size_t kNameMax = 63;

constexpr std::array kPostgresTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "url",
            .text = "The database: postgresql://user@host:5432/database?sslmode=verify-full. A "
                    "password is best left to ${ENV}, ${file:PATH} or PGPASSFILE.",
            .required = true},
    Setting{.name = "slot",
            .text = "The replication slot, made with the first copy: lockstep_ and the source's "
                    "name unless given. With another name all tables are copied anew."},
    Setting{.name = "publication",
            .text =
                "The publication, made where it is missing: lockstep_ and the source's name unless "
                "given."},
    Setting{.name = "heartbeat",
            .type = Setting::Type::kDuration,
            .fallback = "10s",
            .text = "How often the position follows a server that changes other tables, so that it "
                    "need not keep its log.",
            .min = 100'000},
};

// What PostgreSQL takes as a slot's name.
std::string name_of_slot(std::string_view source) {
  std::string name = "lockstep_";
  for (const char letter : source) {
    const bool is_upper = letter >= 'A' && letter <= 'Z';
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (is_upper) name += static_cast<char>(letter - 'A' + 'a');
    if (!is_upper) name += is_plain ? letter : '_';
  }
  return name.substr(0, kNameMax);
}

Result<void> check_slot(const Mark& mark, const std::string& slot) {
  const bool is_good =
      !slot.empty() && slot.size() <= kNameMax && std::ranges::all_of(slot, [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
               letter == '_';
      });
  if (is_good) return {};
  return invalid_at(mark,
                    fmt::format("'{}' is no name of a replication slot", slot),
                    "write up to 63 lower-case letters, digits and _");
}

}  // namespace

std::span<const Setting> postgres_setting_table() {
  return kPostgresTable;
}

Result<PostgresSettings> parse_postgres_settings(const SourceRequest& request) {
  const Settings settings = TRY(
      Settings::parse(request.settings, kPostgresTable, fmt::format("source '{}'", request.name)));
  PostgresSettings out;
  out.name = request.name;
  out.url = settings.text("url");
  out.slot = settings.has("slot") ? settings.text("slot") : name_of_slot(request.name);
  out.publication =
      settings.has("publication") ? settings.text("publication") : name_of_slot(request.name);
  out.heartbeat_us = settings.duration_us("heartbeat");
  TRY(check_slot(request.settings.mark, out.slot));
  return out;
}

}  // namespace lockstep
