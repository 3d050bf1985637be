// The cli layer: the lockstep command.
//
// What it promises:
//   cli-1  Standard output carries data, standard error carries talk. In a pipe there is no colour,
//   no progress and no
//          question; a question that needs an answer fails there and names the flag.
//   cli-2  Every failure is one `error:` line, with a `try:` line where there is a next step, and
//   the exit code of its
//          Code (base/result.h). With --json the same is one line of JSON on standard error.
//   cli-3  --json prints the report of the sync layer as it is; tables are made from the same
//   report. cli-4  Help, completion, the parser and the manual come from one table; each command
//   has an example. cli-5  A command that writes is handed to the daemon when one runs; otherwise
//   it takes the writer's lock itself.
//
// What it does not do: anything that a library could not; all work is behind sync/sync.h.
//
//   const auto io = make_system_io();
//   const auto terminal = make_system_terminal();
//   const StopSignal signal;
//   return run_lockstep({*io, *terminal, [&] { return signal.requested(); }, make_stderr_log},
//   words);
#pragma once

#include "cli/command.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

// Runs one command line (without the program's name) and gives the exit code.
int run_lockstep(const World& world, std::span<const std::string> words);

// "error: ...\ntry: ...\n", or one line of JSON.
std::string failure_text(const Error& error, bool json, bool colour);

// The code of a name as reports have it: "no_hub".
std::optional<Code> code_of_name(std::string_view name);

}  // namespace lockstep
