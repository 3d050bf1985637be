#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"

namespace lockstep {
namespace {

Result<int> run_accept(Session& session, const Arguments& arguments) {
  const Json command{{"command", "accept"}, {"model", arguments.word(0)}};
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_alias_set));
  return kExitDone;
}

}  // namespace

Command accept_command() {
  return {
      .name = "accept",
      .text = "Accept what the gate blocked: the data are right, the model may follow them",
      .example = "lockstep accept bp",
      .positionals = {{.name = "MODEL", .text = "the model"}},
      .notes =
          "`lockstep status` says why the gate blocked. If the data are wrong: lockstep revert.",
      .run = run_accept,
  };
}

}  // namespace lockstep
