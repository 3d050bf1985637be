// What a command is: a row of the one table from which the parser, help, completion and the manual
// come.
#pragma once

#include "base/io.h"
#include "base/log.h"
#include "base/result.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Beside those of errors (code_info): a command may end well and still have something to say.
constexpr int kExitDone = 0;
constexpr int kExitPart = 3;        // rows were rejected, under --strict
constexpr int kExitDifference = 4;  // a check or a comparison found something
constexpr int kExitExpired = 14;    // retention removed the rows that a version was made from

struct Flag {
  std::string_view name;          // "--output"
  std::string_view letter = {};   // "-o"; empty: none
  std::string_view value = {};    // "FILE"; empty: a switch
  std::string_view text;          // one line
  std::string_view choices = {};  // "auto | always | never"
  bool many = false;              // may be given several times
};

struct Positional {
  std::string_view name;  // "MODEL"
  std::string_view text;
  bool required = true;
  std::string_view choices = {};
};

// Value. What the user wrote behind a command, checked against its table.
class Arguments final {
 public:
  std::map<std::string, std::vector<std::string>, std::less<>> flags;  // by long name
  std::vector<std::string> words;

  bool has(std::string_view flag) const { return flags.contains(flag); }

  std::string text(std::string_view flag, std::string_view fallback) const;
  std::vector<std::string> texts(std::string_view flag) const;
  // kUsage when it is no whole number of at least `min`.
  Result<std::int64_t> integer(std::string_view flag,
                               std::int64_t fallback,
                               std::int64_t min) const;
  std::string word(std::size_t index, std::string_view fallback = {}) const;
};

// What main hands down.
struct World {
  Io& io;
  Terminal& terminal;
  std::function<bool()> stop;  // a signal asked to end
  std::function<std::unique_ptr<Log>(LogLevel lowest)> make_log;
};

// Resource. One run of a command: the world, and the global flags.
struct Session {
  Io& io;
  Log& log;
  Terminal& terminal;
  std::function<bool()> stop;
  std::string configuration_path;
  bool json = false;
  bool quiet = false;
  View view = {};

  Result<void> print(std::string_view text) const { return terminal.write_output(text); }

  // Talk on standard error; nothing under --quiet.
  void say(std::string_view text) const {
    if (!quiet) terminal.write_error(text);
  }
};

// Prints the report: as JSON under --json, else as `render` shows it.
Result<void> print_report(Session& session,
                          const Json& report,
                          std::string (*render)(const View&, const Json&));

// Value.
struct Command {
  std::string_view name;     // "alias set"
  std::string_view text;     // one line
  std::string_view example;  // lines to copy, the commonest first
  std::vector<Positional> positionals = {};
  std::vector<Flag> flags = {};
  std::string_view notes = {};  // paragraphs below the flags
  bool hidden = false;          // not in the list of commands
  bool long_running = false;    // logs at level info without --verbose
  Result<int> (*run)(Session& session, const Arguments& arguments) = nullptr;
};

// All commands, in the order of help.
const std::vector<Command>& commands();
const Command* find_command(std::string_view name);  // nullptr: none
std::span<const Flag> global_flags();

// The nearest command to a mistyped word, or the command that another tool's word stands for.
std::optional<std::string> suggested_command(std::string_view word);

}  // namespace lockstep
