#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"

namespace lockstep {
namespace {

Result<std::string> conflicts_choice(const Arguments& arguments) {
  const bool keep = arguments.has("--keep-later");
  const bool overwrite = arguments.has("--overwrite");
  if (keep && overwrite) {
    return make_error(
        Code::kUsage, "--keep-later and --overwrite exclude each other", "--keep-later");
  }
  if (keep) return std::string("keep-later");
  return std::string(overwrite ? "overwrite" : "refuse");
}

Result<int> run_revert(Session& session, const Arguments& arguments) {
  const std::string conflicts = TRY(conflicts_choice(arguments));
  const Json command{
      {"command", "revert"}, {"snapshot", arguments.word(0)}, {"conflicts", conflicts}};
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_sync));
  return kExitDone;
}

}  // namespace

Command revert_command() {
  return {
      .name = "revert",
      .text = "Undo the changes of one snapshot, as a new commit; models go back with the data",
      .example = "lockstep revert 12\nlockstep revert -1 --keep-later",
      .positionals = {{.name = "SNAPSHOT", .text = "12, -1, latest, a time or a tag"}},
      .flags = {{.name = "--keep-later", .text = "leave rows alone that changed again since"},
                {.name = "--overwrite", .text = "undo those too, and with them the later change"}},
      .notes = "Without a flag, rows that changed again since are listed, and nothing is done.",
      .run = run_revert,
  };
}

}  // namespace lockstep
