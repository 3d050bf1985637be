#include "cli/command.h"

#include "base/config.h"
#include "cli/command_list.h"
#include "table/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {
namespace {

constexpr Flag kGlobalFlags[] = {
    {.name = "--config",
     .letter = "-c",
     .value = "FILE",
     .text = "the configuration (default lockstep.yaml, or LOCKSTEP_CONFIG)"},
    {.name = "--json", .text = "print JSON, in a shape that scripts can rely on"},
    {.name = "--quiet", .letter = "-q", .text = "no progress, no remarks; errors still show"},
    {.name = "--verbose", .letter = "-v", .text = "log what is done, on standard error"},
    {.name = "--color",
     .value = "WHEN",
     .text = "colour status words (default auto: on a terminal, unless NO_COLOR is set)",
     .choices = "auto | always | never"},
    {.name = "--help", .letter = "-h", .text = "show help"},
};

// What users of other tools type, and what it is called here. Suggested, never taken.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kOtherWords = {{
    {"train", "sync"},
    {"fit", "sync"},
    {"update", "sync"},
    {"ingest", "sync"},
    {"start", "run"},
    {"serve", "run"},
    {"daemon", "run"},
    {"retrain", "recalibrate"},
    {"refit", "recalibrate"},
    {"undo", "revert"},
    {"history", "log"},
    {"versions", "models"},
    {"validate", "check"},
    {"score", "predict"},
    {"dump", "export"},
    {"promote", "alias set"},
    {"aliases", "alias list"},
    {"info", "status"},
}};

}  // namespace

std::string Arguments::text(std::string_view flag, std::string_view fallback) const {
  const auto found = flags.find(flag);
  if (found == flags.end() || found->second.empty()) return std::string(fallback);
  return found->second.back();
}

std::vector<std::string> Arguments::texts(std::string_view flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::vector<std::string>{} : found->second;
}

Result<std::int64_t> Arguments::integer(std::string_view flag,
                                        std::int64_t fallback,
                                        std::int64_t min) const {
  if (!has(flag)) return fallback;
  const std::string given = text(flag, "");
  const Result<Value> value = parse_value(given, Type::kInt);
  if (!value.ok() || !std::holds_alternative<std::int64_t>(value.value()) ||
      std::get<std::int64_t>(value.value()) < min) {
    return make_error(
        Code::kUsage,
        fmt::format("{} is '{}', not a whole number of at least {}", flag, given, min));
  }
  return std::get<std::int64_t>(value.value());
}

std::string Arguments::word(std::size_t index, std::string_view fallback) const {
  return index < words.size() ? words[index] : std::string(fallback);
}

Result<void> print_report(Session& session,
                          const Json& report,
                          std::string (*render)(const View&, const Json&)) {
  return session.print(session.json ? json_text(report) : render(session.view, report));
}

std::span<const Flag> global_flags() {
  return kGlobalFlags;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = all_commands();
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::optional<std::string> suggested_command(std::string_view word) {
  for (const auto& [other, ours] : kOtherWords) {
    if (other == word) return std::string(ours);
  }
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (!command.hidden) names.emplace_back(command.name);
  }
  return nearest(word, names);
}

}  // namespace lockstep
