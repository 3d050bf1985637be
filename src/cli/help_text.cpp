#include "cli/help_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::string_view kWelcome =
    R"(Lockstep keeps models in lockstep with the data they are made from: each change of
the data becomes a data version, and in the same transaction a version of every model.

  lockstep init vitals.csv     write lockstep.yaml for a data file
  lockstep check               look for mistakes, and say what would happen
  lockstep preview             ten rows, from raw to prediction; commits nothing
  lockstep sync                read what is new, commit data and models together
  lockstep status              is everything in lockstep?
  lockstep predict bp new.csv  predict rows of a file
  lockstep verify              retrain from scratch and compare, bit for bit

)";

std::string padded(std::string_view text, std::size_t width) {
  std::string result(text);
  result.resize(std::max(width, result.size() + 1), ' ');
  return result;
}

std::string indented(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) result += fmt::format("  {}", text.substr(0, end));
    result += "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::string flag_title(const Flag& flag) {
  std::string title = flag.letter.empty() ? "    " : fmt::format("{}, ", flag.letter);
  title += flag.name;
  if (!flag.value.empty()) title += fmt::format(" {}", flag.value);
  return title;
}

std::string flag_text(const Flag& flag) {
  std::string text(flag.text);
  if (!flag.choices.empty()) text += fmt::format("; {}", flag.choices);
  return text;
}

std::string flags_text(std::span<const Flag> flags) {
  std::string text;
  for (const Flag& flag : flags) {
    text += fmt::format("  {} {}\n", padded(flag_title(flag), 26), flag_text(flag));
  }
  return text;
}

std::string positional_text(const Positional& positional) {
  std::string text(positional.text);
  if (!positional.choices.empty()) text += fmt::format(": {}", positional.choices);
  return text;
}

std::string command_markdown(const Command& command) {
  std::string text =
      fmt::format("## lockstep {}\n\n{}.\n\n```console\n", command.name, command.text);
  text += fmt::format("{}\n```\n\n    {}\n", command.example, synopsis(command));
  if (!command.positionals.empty() || !command.flags.empty()) {
    text += "\n| argument | meaning |\n| --- | --- |\n";
  }
  const auto escaped = [](std::string cell) {
    for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) {
      cell.insert(at, "\\");
    }
    return cell;
  };
  for (const Positional& positional : command.positionals) {
    text += fmt::format("| `{}` | {} |\n", positional.name, escaped(positional_text(positional)));
  }
  for (const Flag& flag : command.flags) {
    std::string title = flag_title(flag);
    title.erase(0, title.find_first_not_of(' '));
    text += fmt::format("| `{}` | {} |\n", title, escaped(flag_text(flag)));
  }
  if (!command.notes.empty()) text += fmt::format("\n{}\n", command.notes);
  return text + "\n";
}

}  // namespace

std::vector<std::string> choice_words(std::string_view choices) {
  std::vector<std::string> words;
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find(" | "), choices.size());
    words.emplace_back(choices.substr(0, bar));
    choices.remove_prefix(std::min(bar + 3, choices.size()));
  }
  return words;
}

std::string welcome_text() {
  std::string text(kWelcome);
  text += "All commands:\n";
  for (const Command& command : commands()) {
    if (!command.hidden) text += fmt::format("  {} {}\n", padded(command.name, 14), command.text);
  }
  text += "\nHelp: lockstep COMMAND --help; lockstep help TOPIC with TOPIC one of";
  for (const HelpTopic& topic : help_topics())
    text += fmt::format(" {}", topic.name);
  return text + "\n";
}

std::string synopsis(const Command& command) {
  std::string text = fmt::format("lockstep {}", command.name);
  for (const Positional& positional : command.positionals) {
    text += positional.required ? fmt::format(" {}", positional.name)
                                : fmt::format(" [{}]", positional.name);
  }
  for (const Flag& flag : command.flags) {
    text += flag.value.empty() ? fmt::format(" [{}]", flag.name)
                               : fmt::format(" [{} {}]", flag.name, flag.value);
    if (flag.many) text += "...";
  }
  return text;
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("{}\n\n{}.\n\n", indented(command.example), command.text);
  text.erase(text.find("\n\n\n") == std::string::npos ? text.size() : text.find("\n\n\n"), 1);
  text += fmt::format("Usage: {}\n", synopsis(command));
  if (!command.positionals.empty()) text += "\n";
  for (const Positional& positional : command.positionals) {
    text += fmt::format("  {} {}\n", padded(positional.name, 26), positional_text(positional));
  }
  if (!command.flags.empty()) text += "\n" + flags_text(command.flags);
  text += "\nEverywhere:\n" + flags_text(global_flags());
  if (!command.notes.empty()) text += fmt::format("\n{}\n", command.notes);
  return text + "\n" + exit_codes_text();
}

std::string commands_markdown() {
  std::string text =
      "# Commands\n\nMade by `lockstep manual` from the table that the program itself uses; do not "
      "edit by hand.\n\n"
      "Flags of every command:\n\n| flag | meaning |\n| --- | --- |\n";
  for (const Flag& flag : global_flags()) {
    std::string meaning = flag_text(flag);
    for (std::size_t at = 0; (at = meaning.find('|', at)) != std::string::npos; at += 2) {
      meaning.insert(at, "\\");
    }
    std::string title = flag_title(flag);
    title.erase(0, title.find_first_not_of(' '));
    text += fmt::format("| `{}` | {} |\n", title, meaning);
  }
  text += "\n";
  for (const Command& command : commands()) {
    if (!command.hidden) text += command_markdown(command);
  }
  for (const HelpTopic& topic : help_topics()) {
    text += fmt::format("## {}\n\n```text\n{}```\n\n", topic.text, topic.body());
  }
  text.pop_back();
  return text;
}

}  // namespace lockstep
