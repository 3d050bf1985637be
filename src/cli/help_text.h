// Help, completion and the manual, all made from the table of commands.
#pragma once

#include "cli/command.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// What `lockstep` alone prints: what it is, and the usual first commands.
std::string welcome_text();
// One command: example first.
std::string command_help(const Command& command);
// "lockstep export DATASET [--layer LAYER]".
std::string synopsis(const Command& command);
std::string commands_markdown();
std::string exit_codes_text();

struct HelpTopic {
  std::string_view name;
  std::string_view text;  // one line
  std::string (*body)();
};

std::span<const HelpTopic> help_topics();

enum class Shell { kBash, kZsh, kFish };
std::string completion_script(Shell shell);

std::vector<std::string> choice_words(std::string_view choices);  // "a | b" -> a, b

}  // namespace lockstep
