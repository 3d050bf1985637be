#include "cli/care_commands.h"
#include "cli/render.h"
#include "sync/care.h"

namespace lockstep {
namespace {

Result<int> run_doctor(Session& session, const Arguments&) {
  const HubPlace place = TRY(configured_place(session));
  const Json report = TRY(report_doctor(session.io, place));
  TRY(print_report(session, report, render_check));
  return everything_well(report) ? kExitDone : kExitDifference;
}

}  // namespace

bool everything_well(const Json& doctor_report) {
  for (const Json& line : doctor_report) {
    if (text_of(line, "level") != "ok") return false;
  }
  return true;
}

Command doctor_command() {
  return {
      .name = "doctor",
      .text =
          "Look for damage: the catalog, its rows, files, states, indexes, files without an owner",
      .example = "lockstep doctor\nlockstep doctor --json",
      .notes =
          "Each line is ok, warn or fail. A warning is about a cache, which lockstep repair "
          "mends.\n"
          "Exit code 4 when a line is not ok. Nothing is written. lockstep verify proves the "
          "models.",
      .run = run_doctor,
  };
}

}  // namespace lockstep
