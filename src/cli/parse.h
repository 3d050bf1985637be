// From the words of the command line to a command and its arguments. Mistakes are kUsage, with a
// suggestion.
#pragma once

#include "base/result.h"
#include "cli/command.h"

#include <span>
#include <string>

namespace lockstep {

// Value.
struct Invocation {
  const Command* command = nullptr;  // nullptr: none was named
  Arguments arguments;               // global flags too
  bool help = false;
};

// `words`: without the program's name.
Result<Invocation> parse_command_line(std::span<const std::string> words);

}  // namespace lockstep
