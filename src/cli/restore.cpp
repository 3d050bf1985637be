#include "cli/care_commands.h"
#include "cli/progress.h"
#include "sync/care.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

// Without lockstep.yaml at hand, --to says all that is needed.
Result<HubPlace> place_to_restore(Session& session, const Arguments& arguments) {
  const std::string folder = arguments.text("--to", "");
  if (folder.empty()) return configured_place(session);
  return HubPlace{"sqlite:" + join_path(folder, "catalog.sqlite"), join_path(folder, "data")};
}

Result<int> run_restore(Session& session, const Arguments& arguments) {
  RestoreRequest request;
  request.backup = arguments.word(0);
  request.place = TRY(place_to_restore(session, arguments));
  request.force = arguments.has("--force");
  ProgressLine line(session);
  const Json report = TRY(report_restore(session.io, request, line.callback()));
  line.wipe();
  TRY(print_report(session, report, render_restore));
  return kExitDone;
}

}  // namespace

std::string render_restore(const View& view, const Json& report) {
  return fmt::format("{}: {}", printable(text_of(report, "catalog")), backup_text(view, report));
}

Command restore_command() {
  return {
      .name = "restore",
      .text = "Check a back-up, and make a hub of it",
      .example =
          "lockstep restore /srv/backup/2026-11-20\n"
          "lockstep restore /srv/backup/2026-11-20 --to /tmp/look",
      .positionals = {{.name = "FOLDER", .text = "of the back-up"}},
      .flags = {{.name = "--to",
                 .value = "FOLDER",
                 .text = "where the hub goes, instead of the place that lockstep.yaml names"},
                {.name = "--force", .text = "replace the hub that is there"}},
      .notes =
          "Every byte is compared with the hashes first. The next sync goes on where the back-up\n"
          "stood: the sources' positions are in it.",
      .run = run_restore,
  };
}

}  // namespace lockstep
