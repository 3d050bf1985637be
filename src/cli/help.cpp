#include "base/config.h"
#include "cli/command_list.h"
#include "cli/help_text.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

const HelpTopic* find_topic(std::string_view name) {
  for (const HelpTopic& topic : help_topics()) {
    if (topic.name == name) return &topic;
  }
  return nullptr;
}

// The help of every command of a group: "alias".
std::string group_help(const std::string& group) {
  std::string text;
  for (const Command& command : commands()) {
    if (!command.name.starts_with(group + " ")) continue;
    text += fmt::format("  {}\n      {}\n", synopsis(command), command.text);
  }
  return text;
}

Error unknown_topic(const std::string& name) {
  std::vector<std::string> names;
  for (const HelpTopic& topic : help_topics())
    names.emplace_back(topic.name);
  std::optional<std::string> near = nearest(name, names);
  if (!near) near = suggested_command(name);
  return make_error(Code::kUsage,
                    fmt::format("there is no help on '{}'", printable(name)),
                    near ? "lockstep help " + *near : "lockstep help");
}

Result<int> run_help(Session& session, const Arguments& arguments) {
  if (arguments.words.empty()) {
    TRY(session.print(welcome_text()));
    return kExitDone;
  }
  std::string name = arguments.word(0);
  if (arguments.words.size() > 1) name += " " + arguments.word(1);
  if (const HelpTopic* topic = find_topic(name); topic != nullptr) {
    TRY(session.print(topic->body()));
    return kExitDone;
  }
  const Command* command = find_command(name);
  const std::string text = command == nullptr ? group_help(name) : command_help(*command);
  if (text.empty()) return unknown_topic(name);
  TRY(session.print(text));
  return kExitDone;
}

}  // namespace

Command help_command() {
  return {
      .name = "help",
      .text = "Show help on a command or a topic",
      .example = "lockstep help exit-codes\nlockstep help sync",
      .positionals = {{.name = "TOPIC",
                       .text = "a command, or exit-codes, environment, formats, words",
                       .required = false},
                      {.name = "VERB",
                       .text = "of `alias`: set, list, history",
                       .required = false}},
      .run = run_help,
  };
}

}  // namespace lockstep
