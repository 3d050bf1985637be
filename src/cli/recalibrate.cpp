#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_recalibrate(Session& session, const Arguments& arguments) {
  const Json command{{"command", "recalibrate"}, {"model", arguments.word(0)}};
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_recalibrate));
  return kExitDone;
}

}  // namespace

std::string render_recalibrate(const View& view, const Json& report) {
  const std::string model = printable(text_of(report, "model"));
  if (flag_of(report, "unchanged")) {
    return fmt::format("{}@{} stays: fitted afresh, everything came out the same\n",
                       model,
                       id_text(report, "version"));
  }
  return fmt::format(
      "{} is recalibrated\n{}", model, versions_text(view, field(report, "versions")));
}

Command recalibrate_command() {
  return {
      .name = "recalibrate",
      .text = "Retrain a model in full, with everything fitted afresh: another definition",
      .example = "lockstep recalibrate bp",
      .positionals = {{.name = "MODEL", .text = "the model"}},
      .run = run_recalibrate,
  };
}

}  // namespace lockstep
