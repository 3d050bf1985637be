#include "cli/version.h"

#include "cli/command_list.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_version(Session& session, const Arguments&) {
  if (session.json) {
    TRY(session.print(json_text(Json{{"version", kVersion}})));
  } else {
    TRY(session.print(fmt::format("lockstep {}\n", kVersion)));
  }
  return kExitDone;
}

}  // namespace

Command version_command() {
  return {
      .name = "version",
      .text = "Print the version",
      .example = "lockstep version",
      .run = run_version,
  };
}

}  // namespace lockstep
