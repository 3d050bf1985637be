#include "cli/care_commands.h"
#include "sync/care.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_repair(Session& session, const Arguments& arguments) {
  const HubPlace place = TRY(configured_place(session));
  const bool dry_run = arguments.has("--dry-run");
  const Json report = TRY(report_repair(session.io, place, dry_run));
  TRY(print_report(session, report, render_repair));
  if (report.empty()) session.say("nothing to mend\n");
  return kExitDone;
}

}  // namespace

std::string render_repair(const View&, const Json& report) {
  std::string text;
  for (const Json& line : report) {
    text += fmt::format("{}\t{}\n", text_of(line, "what"), printable(text_of(line, "message")));
  }
  return text;
}

Command repair_command() {
  return {
      .name = "repair",
      .text = "Mend what is a cache: damaged states and indexes, files without an owner",
      .example = "lockstep repair --dry-run\nlockstep repair",
      .flags = {{.name = "--dry-run", .text = "only list what would be mended"}},
      .notes = "The rows of snapshots, and what was made of them, are never touched.",
      .run = run_repair,
  };
}

}  // namespace lockstep
