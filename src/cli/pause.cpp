#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_named(Session& session, const Arguments& arguments, const char* name) {
  const Json command{{"command", name}, {"source", arguments.word(0)}};
  TRY(print_report(session, TRY(execute_command(session, command, {})), render_pause));
  return kExitDone;
}

Result<int> run_pause(Session& session, const Arguments& arguments) {
  return run_named(session, arguments, "pause");
}

Result<int> run_resume(Session& session, const Arguments& arguments) {
  return run_named(session, arguments, "resume");
}

}  // namespace

std::string render_pause(const View&, const Json& report) {
  return fmt::format("source {} {} {}\n",
                     printable(text_of(report, "source")),
                     flag_of(report, "unchanged") ? "was already" : "is",
                     flag_of(report, "paused") ? "paused" : "running");
}

Command pause_command() {
  return {
      .name = "pause",
      .text = "Read no more of a source until it is resumed; the others go on",
      .example = "lockstep pause clinic\nlockstep resume clinic",
      .positionals = {{.name = "SOURCE", .text = "the source"}},
      .notes =
          "It stays paused when the daemon ends and begins again. What happens meanwhile is "
          "kept at the source: a database keeps its log for as long, and its disk fills.",
      .run = run_pause,
  };
}

Command resume_command() {
  return {
      .name = "resume",
      .text = "Go on with a source that was paused, where it stood",
      .example = "lockstep resume clinic",
      .positionals = {{.name = "SOURCE", .text = "the source"}},
      .run = run_resume,
  };
}

}  // namespace lockstep
