#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"

namespace lockstep {
namespace {

Result<int> run_rollback(Session& session, const Arguments& arguments) {
  Json command{{"command", "rollback"}, {"model", arguments.word(0)}, {"version", nullptr}};
  if (arguments.has("--to")) command["version"] = TRY(arguments.integer("--to", 0, 1));
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_alias_set));
  return kExitDone;
}

}  // namespace

Command rollback_command() {
  return {
      .name = "rollback",
      .text = "Give the champion back to an earlier version, and hold it there",
      .example = "lockstep rollback bp\nlockstep rollback bp --to 6",
      .positionals = {{.name = "MODEL", .text = "the model"}},
      .flags = {{.name = "--to",
                 .value = "VERSION",
                 .text = "default: the champion before this one"}},
      .notes =
          "Data stay as they are (lockstep revert changes those). `lockstep alias set MODEL "
          "champion\n"
          "latest` lets the champion follow again.",
      .run = run_rollback,
  };
}

}  // namespace lockstep
