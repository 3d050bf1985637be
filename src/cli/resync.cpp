#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "cli/source_errors.h"

namespace lockstep {
namespace {

Result<int> run_resync(Session& session, const Arguments& arguments) {
  const Json command{{"command", "resync"}, {"source", arguments.word(0)}};
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_sync));
  return report_source_errors(session, field(report, "errors"));
}

}  // namespace

Command resync_command() {
  return {
      .name = "resync",
      .text = "Copy a source's tables anew and change what differs, when it cannot go on",
      .example = "lockstep resync clinic",
      .positionals = {{.name = "SOURCE", .text = "a source with tables"}},
      .notes =
          "For a slot that is lost, or another server after a failover. Rows that are the same "
          "are no change; what the tables do not have any more leaves. It is one snapshot.",
      .run = run_resync,
  };
}

}  // namespace lockstep
