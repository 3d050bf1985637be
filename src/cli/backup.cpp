#include "cli/care_commands.h"
#include "cli/progress.h"
#include "sync/care.h"
#include "sync/configuration.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_backup(Session& session, const Arguments& arguments) {
  const HubPlace place = TRY(configured_place(session));
  ProgressLine line(session);
  const Json report = TRY(report_backup(session.io, place, arguments.word(0), line.callback()));
  line.wipe();
  TRY(print_report(session, report, render_backup));
  return kExitDone;
}

}  // namespace

Result<HubPlace> configured_place(Session& session) {
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  return HubPlace{configuration.hub.catalog, configuration.hub.data};
}

std::string backup_text(const View& view, const Json& report) {
  return fmt::format("snapshot {}, {}, {}\n",
                     id_text(report, "snapshot"),
                     plural(view, integer_of(report, "files"), "file"),
                     bytes_text(view, integer_of(report, "bytes")));
}

std::string render_backup(const View& view, const Json& report) {
  return fmt::format("{}: {}", printable(text_of(report, "backup")), backup_text(view, report));
}

Command backup_command() {
  return {
      .name = "backup",
      .text = "Copy the hub as it is at one moment, while others go on committing",
      .example = "lockstep backup /srv/backup/2026-11-20",
      .positionals = {{.name = "FOLDER", .text = "a new or empty folder"}},
      .notes =
          "The folder gets the catalog, every file that it names, and manifest.json with their\n"
          "hashes. Without manifest.json it is no back-up: it was broken off.",
      .run = run_backup,
  };
}

}  // namespace lockstep
