#include "cli/command_list.h"
#include "cli/help_text.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

std::string first_word(std::string_view name) {
  return std::string(name.substr(0, name.find(' ')));
}

// Each first word once, with the text of the first command that has it.
std::vector<std::pair<std::string, std::string_view>> first_words() {
  std::vector<std::pair<std::string, std::string_view>> words;
  for (const Command& command : commands()) {
    const std::string word = first_word(command.name);
    if (command.hidden || (!words.empty() && words.back().first == word)) continue;
    words.emplace_back(word, command.text);
  }
  return words;
}

// Words that may stand behind the first word: verbs of a group, choices, topics, flags.
std::string words_behind(const std::string& first) {
  std::string words;
  const auto add = [&words](std::string_view word) {
    if ((" " + words + " ").find(fmt::format(" {} ", word)) != std::string::npos) return;
    words += (words.empty() ? "" : " ") + std::string(word);
  };
  for (const Command& command : commands()) {
    if (first_word(command.name) != first) continue;
    if (command.name.size() > first.size()) add(command.name.substr(first.size() + 1));
    for (const Positional& positional : command.positionals) {
      for (const std::string& word : choice_words(positional.choices))
        add(word);
    }
    for (const Flag& flag : command.flags)
      add(flag.name);
  }
  if (first == "help") {
    for (const HelpTopic& topic : help_topics())
      add(topic.name);
    for (const auto& [word, text] : first_words())
      add(word);
  }
  for (const Flag& flag : global_flags())
    add(flag.name);
  return words;
}

std::string all_first_words() {
  std::string words;
  for (const auto& [word, text] : first_words())
    words += (words.empty() ? "" : " ") + word;
  return words;
}

// `case` branches that bash and zsh share.
std::string case_branches(std::string_view variable) {
  std::string text;
  for (const auto& [word, unused] : first_words()) {
    text += fmt::format("    {}) {}=\"{}\" ;;\n", word, variable, words_behind(word));
  }
  return text;
}

std::string bash_script() {
  return fmt::format(
      "# bash completion for lockstep: eval \"$(lockstep completion bash)\"\n"
      "_lockstep() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" words\n"
      "  case \"${{COMP_WORDS[1]}}\" in\n"
      "{}"
      "  esac\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && words=\"{}\"\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\") $(compgen -f -- \"$current\"))\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}}\n"
      "complete -F _lockstep lockstep\n",
      case_branches("words"),
      all_first_words());
}

std::string zsh_script() {
  std::string list;
  for (const auto& [word, text] : first_words()) {
    std::string quoted;
    for (const char letter : text)
      quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    list += fmt::format("    '{}:{}'\n", word, quoted);
  }
  return fmt::format(
      "#compdef lockstep\n"
      "# zsh completion for lockstep: source <(lockstep completion zsh)\n"
      "_lockstep() {{\n"
      "  local -a first\n"
      "  local words_behind\n"
      "  first=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then _describe command first; return; fi\n"
      "  case \"${{words[2]}}\" in\n"
      "{}"
      "  esac\n"
      "  compadd -- ${{=words_behind}}\n"
      "  _files\n"
      "}}\n"
      "compdef _lockstep lockstep\n",
      list,
      case_branches("words_behind"));
}

std::string fish_script() {
  std::string text = "# fish completion for lockstep: lockstep completion fish | source\n";
  for (const auto& [word, description] : first_words()) {
    std::string quoted;
    for (const char letter : description)
      quoted += letter == '\'' ? std::string("\\'") : std::string(1, letter);
    text += fmt::format(
        "complete -c lockstep -n __fish_use_subcommand -f -a {} -d '{}'\n"
        "complete -c lockstep -n '__fish_seen_subcommand_from {}' -a '{}'\n",
        word,
        quoted,
        word,
        words_behind(word));
  }
  return text;
}

Result<int> run_completion(Session& session, const Arguments& arguments) {
  const std::string shell = arguments.word(0);
  Shell which = Shell::kBash;
  if (shell == "zsh") which = Shell::kZsh;
  if (shell == "fish") which = Shell::kFish;
  TRY(session.print(completion_script(which)));
  return kExitDone;
}

}  // namespace

std::string completion_script(Shell shell) {
  switch (shell) {
    case Shell::kBash:
      return bash_script();
    case Shell::kZsh:
      return zsh_script();
    case Shell::kFish:
      return fish_script();
  }
  LOCKSTEP_ASSERT(false, "a shell has no completion script");
  return "";
}

Command completion_command() {
  return {
      .name = "completion",
      .text = "Print the completion script of a shell",
      .example =
          "eval \"$(lockstep completion bash)\"\n"
          "lockstep completion fish > ~/.config/fish/completions/lockstep.fish",
      .positionals = {{.name = "SHELL", .text = "the shell", .choices = "bash | zsh | fish"}},
      .run = run_completion,
  };
}

}  // namespace lockstep
