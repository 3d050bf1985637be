#include "cli/command_list.h"
#include "cli/help_text.h"
#include "sync/configuration.h"

namespace lockstep {
namespace {

Result<int> run_manual(Session& session, const Arguments& arguments) {
  const std::string what = arguments.word(0, "commands");
  if (what == "configuration") {
    TRY(session.print(configuration_manual()));
  } else if (what == "schema") {
    TRY(session.print(configuration_json_schema()));
  } else {
    TRY(session.print(commands_markdown()));
  }
  return kExitDone;
}

}  // namespace

Command manual_command() {
  return {
      .name = "manual",
      .text =
          "Print the reference of commands or of lockstep.yaml, or the JSON schema of the latter",
      .example = "lockstep manual configuration\nlockstep manual schema > lockstep.schema.json",
      .positionals = {{.name = "WHAT",
                       .text = "what to print (default commands)",
                       .required = false,
                       .choices = "commands | configuration | schema"}},
      .run = run_manual,
  };
}

}  // namespace lockstep
