#include "cli/parse.h"

#include "base/config.h"
#include "cli/help_text.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

const Flag* find_flag(std::span<const Flag> flags, std::string_view word) {
  word = word.substr(0, word.find('='));
  for (const Flag& flag : flags) {
    if (word == flag.name || (!flag.letter.empty() && word == flag.letter)) return &flag;
  }
  return nullptr;
}

// Where the first word stands that is neither a flag nor the value of one; words.size() when
// nowhere.
std::size_t first_plain_word(std::span<const std::string> words, std::size_t from) {
  for (std::size_t index = from; index < words.size(); ++index) {
    if (!words[index].starts_with('-')) return index;
    const Flag* flag = find_flag(global_flags(), words[index]);
    const bool apart = words[index].find('=') == std::string::npos;
    if (flag != nullptr && !flag->value.empty() && apart) ++index;
  }
  return words.size();
}

bool is_group(std::string_view word) {
  const std::string start = std::string(word) + " ";
  return std::any_of(commands().begin(), commands().end(), [&](const Command& command) {
    return command.name.starts_with(start);
  });
}

std::string choices_of_group(std::string_view group) {
  std::string text;
  for (const Command& command : commands()) {
    if (!command.name.starts_with(std::string(group) + " ")) continue;
    text += (text.empty() ? "lockstep " : " | lockstep ") + std::string(command.name);
  }
  return text;
}

Error unknown_command(std::string_view word) {
  const std::optional<std::string> near = suggested_command(word);
  return make_error(Code::kUsage,
                    fmt::format("there is no command '{}'", printable(word)),
                    near ? fmt::format("lockstep {}", *near) : "lockstep help");
}

struct Found {
  const Command* command = nullptr;
  std::vector<std::string> rest;  // the words without the command's own
};

Result<Found> find_in(std::span<const std::string> words) {
  Found found;
  found.rest.assign(words.begin(), words.end());
  const std::size_t first = first_plain_word(words, 0);
  if (first == words.size()) return found;
  const auto take = [&found](std::size_t index) {
    found.rest.erase(found.rest.begin() + static_cast<std::ptrdiff_t>(index));
  };
  if (!is_group(words[first])) {
    found.command = find_command(words[first]);
    if (found.command == nullptr) return unknown_command(words[first]);
    take(first);
    return found;
  }
  const std::size_t second = first_plain_word(words, first + 1);
  const std::string name =
      second < words.size() ? words[first] + " " + words[second] : words[first];
  found.command = find_command(name);
  if (found.command == nullptr) {
    return make_error(Code::kUsage,
                      second < words.size()
                          ? fmt::format("there is no command '{}'", printable(name))
                          : fmt::format("'{}' needs a verb", name),
                      choices_of_group(words[first]));
  }
  take(second);
  take(first);
  return found;
}

bool is_negative_number(std::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         word.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

// Snapshots may be named -1, -2: a space in front keeps the parser from taking them for flags.
std::vector<std::string> shielded(std::vector<std::string> words) {
  for (std::string& word : words) {
    if (is_negative_number(word)) word.insert(0, " ");
  }
  return words;
}

std::string unshielded(std::string word) {
  if (word.starts_with(' ') && is_negative_number(std::string_view(word).substr(1)))
    word.erase(0, 1);
  return word;
}

std::string command_title(const Command* command) {
  return command == nullptr ? "lockstep" : fmt::format("lockstep {}", command->name);
}

Error usage(const Command* command, std::string message) {
  return make_error(Code::kUsage,
                    std::move(message),
                    command == nullptr ? "lockstep help" : command_title(command) + " --help");
}

std::vector<Flag> flags_of(const Command* command) {
  std::vector<Flag> flags(global_flags().begin(), global_flags().end());
  if (command != nullptr) flags.insert(flags.end(), command->flags.begin(), command->flags.end());
  return flags;
}

Error unknown_flag(const Command* command, const std::string& word) {
  std::vector<std::string> names;
  for (const Flag& flag : flags_of(command))
    names.emplace_back(flag.name);
  const std::string name = word.substr(0, word.find('='));
  const std::optional<std::string> near = nearest(name, names);
  Error error =
      usage(command, fmt::format("{} has no flag {}", command_title(command), printable(name)));
  if (near) error.hint = fmt::format("{} {}", command_title(command), *near);
  return error;
}

Result<void> check_choice(std::string_view name,
                          std::string_view choices,
                          const std::string& given) {
  if (choices.empty()) return {};
  const std::vector<std::string> words = choice_words(choices);
  if (std::find(words.begin(), words.end(), given) != words.end()) return {};
  const std::optional<std::string> near = nearest(given, words);
  return make_error(Code::kUsage,
                    fmt::format("{} is '{}', not one of {}", name, printable(given), choices),
                    near ? fmt::format("{} {}", name, *near) : "");
}

Result<void> check_words(const Command& command, const Arguments& arguments) {
  const auto& positionals = command.positionals;
  for (std::size_t index = 0; index < positionals.size(); ++index) {
    const Positional& positional = positionals[index];
    if (index < arguments.words.size()) {
      TRY(check_choice(positional.name, positional.choices, arguments.words[index]));
    } else if (positional.required) {
      return usage(&command, fmt::format("{} needs {}", command_title(&command), positional.name));
    }
  }
  if (arguments.words.size() <= positionals.size()) return {};
  return usage(&command,
               fmt::format("{} does not take '{}'",
                           command_title(&command),
                           printable(arguments.words[positionals.size()])));
}

// Runs CLI11 over the words with the flags of one command. Its exceptions end here.
Result<Arguments> parse_flags(const Command* command, std::vector<std::string> words) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  const std::vector<Flag> flags = flags_of(command);
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::map<std::string, CLI::Option*, std::less<>> options;
  for (const Flag& flag : flags) {
    const std::string name(flag.name);
    const std::string names = flag.letter.empty() ? name : fmt::format("{},{}", flag.letter, name);
    options[name] = flag.value.empty()
                        ? app.add_flag(names)
                        : app.add_option(names, values[name])->allow_extra_args(false);
  }
  Arguments arguments;
  CLI::Option* plain = app.add_option("words", arguments.words);
  plain->expected(0, -1);
  try {
    std::reverse(words.begin(), words.end());  // CLI11 takes a vector from its end
    app.parse(words);
  } catch (const CLI::ArgumentMismatch& mismatch) {
    const std::string_view what = mismatch.what();
    const std::string_view name = what.substr(0, what.find(':'));
    return usage(command, fmt::format("{} needs a value", name));
  } catch (const CLI::ParseError& failure) {
    return usage(command, failure.what());
  }
  for (const std::string& extra : app.remaining())
    return unknown_flag(command, extra);
  for (const Flag& flag : flags) {
    const std::string name(flag.name);
    if (options[name]->count() == 0) continue;
    arguments.flags[name] = values[name];
  }
  return arguments;
}

Result<void> check_flags(const Command* command, Arguments& arguments) {
  for (const Flag& flag : flags_of(command)) {
    const auto given = arguments.flags.find(flag.name);
    if (given == arguments.flags.end() || flag.value.empty()) continue;
    if (given->second.size() > 1 && !flag.many) {
      return usage(command, fmt::format("{} was given {} times", flag.name, given->second.size()));
    }
    for (std::string& value : given->second) {
      value = unshielded(std::move(value));
      TRY(check_choice(flag.name, flag.choices, value));
    }
  }
  return {};
}

}  // namespace

Result<Invocation> parse_command_line(std::span<const std::string> words) {
  // What stands behind -- is never a flag.
  const auto divider = std::find(words.begin(), words.end(), "--");
  const auto flagged = static_cast<std::size_t>(divider - words.begin());
  Invocation invocation;
  Found found = TRY(find_in(words.first(flagged)));
  invocation.command = found.command;
  invocation.arguments = TRY(parse_flags(found.command, shielded(std::move(found.rest))));
  Arguments& arguments = invocation.arguments;
  for (std::string& word : arguments.words)
    word = unshielded(std::move(word));
  if (divider != words.end())
    arguments.words.insert(arguments.words.end(), divider + 1, words.end());
  TRY(check_flags(found.command, arguments));
  invocation.help = arguments.has("--help");
  if (!invocation.help && found.command != nullptr) TRY(check_words(*found.command, arguments));
  return invocation;
}

}  // namespace lockstep
