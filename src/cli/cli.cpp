#include "cli/cli.h"

#include "cli/help_text.h"
#include "cli/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace lockstep {
namespace {

bool wants_colour(const World& world, const Arguments& arguments, bool is_terminal) {
  const std::string when = arguments.text("--color", "auto");
  if (when != "auto") return when == "always";
  return is_terminal && world.io.environment("NO_COLOR").value_or("").empty();
}

LogLevel lowest_level(const Arguments& arguments, const Command& command) {
  if (arguments.has("--quiet")) return LogLevel::kError;
  if (arguments.has("--verbose")) return command.long_running ? LogLevel::kDebug : LogLevel::kInfo;
  return command.long_running ? LogLevel::kInfo : LogLevel::kWarning;
}

View view_of(const World& world, const Arguments& arguments) {
  View view;
  view.terminal = world.terminal.output_is_terminal();
  view.colour = wants_colour(world, arguments, view.terminal);
  view.width = world.terminal.width();
  view.now_us = world.io.now_us();
  return view;
}

std::string configuration_path(const World& world, const Arguments& arguments) {
  const std::string from_environment = world.io.environment("LOCKSTEP_CONFIG").value_or("");
  return arguments.text("--config", from_environment.empty() ? "lockstep.yaml" : from_environment);
}

Result<int> run_invocation(const World& world, const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  if (invocation.command == nullptr) {
    TRY(world.terminal.write_output(welcome_text()));
    return kExitDone;
  }
  const Command& command = *invocation.command;
  if (invocation.help) {
    TRY(world.terminal.write_output(command_help(command)));
    return kExitDone;
  }
  const std::unique_ptr<Log> log = world.make_log(lowest_level(arguments, command));
  Session session{.io = world.io,
                  .log = *log,
                  .terminal = world.terminal,
                  .stop = world.stop,
                  .configuration_path = configuration_path(world, arguments),
                  .json = arguments.has("--json"),
                  .quiet = arguments.has("--quiet"),
                  .view = view_of(world, arguments)};
  return command.run(session, arguments);
}

// Of the words as they are: the parser may be what failed.
bool asks_for_json(std::span<const std::string> words) {
  return std::find(words.begin(), words.end(), "--json") != words.end();
}

}  // namespace

std::string failure_text(const Error& error, bool json, bool colour) {
  if (json) {
    return json_line({{"error",
                       {{"code", code_info(error.code).name},
                        {"message", error.message},
                        {"hint", error.hint}}}}) +
           "\n";
  }
  const View view{.terminal = true, .colour = colour};
  std::string text = paint(view, Tone::kBad, "error:") + " " + error.message + "\n";
  if (!error.hint.empty()) text += paint(view, Tone::kStrong, "try:") + " " + error.hint + "\n";
  return text;
}

std::optional<Code> code_of_name(std::string_view name) {
  for (int number = 0; number <= static_cast<int>(Code::kInterrupted); ++number) {
    const auto code = static_cast<Code>(number);
    if (name == code_info(code).name) return code;
  }
  return std::nullopt;
}

int run_lockstep(const World& world, std::span<const std::string> words) {
  const Result<Invocation> invocation = parse_command_line(words);
  const Result<int> done =
      invocation.ok() ? run_invocation(world, invocation.value()) : invocation.error();
  if (done.ok()) return done.value();
  const Arguments arguments = invocation.ok() ? invocation.value().arguments : Arguments{};
  const bool colour = wants_colour(world, arguments, world.terminal.error_is_terminal());
  world.terminal.write_error(failure_text(done.error(), asks_for_json(words), colour));
  return code_info(done.error().code).exit_code;
}

}  // namespace lockstep
