#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_compact(Session& session, const Arguments& arguments) {
  if (arguments.has("--dry-run")) {
    const OpenedHub opened = TRY(open_for_reading(session));
    TRY(print_report(session, TRY(report_compaction(*opened.hub)), render_compact));
    return kExitDone;
  }
  const Json report = TRY(execute_command(session, Json{{"command", "compact"}}, {}));
  TRY(print_report(session, report, render_compact));
  return kExitDone;
}

}  // namespace

std::string render_compact(const View& view, const Json& report) {
  const Json& tables = field(report, "tables");
  if (tables.empty()) return "nothing to compact\n";
  std::string text;
  for (const Json& table : tables) {
    text += fmt::format("{}: {}",
                        printable(text_of(table, "table")),
                        plural(view, integer_of(table, "rows"), "row"));
    text += field(table, "files").is_null()
                ? " in the catalog\n"
                : " into " + plural(view, integer_of(table, "files"), "file") + "\n";
  }
  return text;
}

Command compact_command() {
  return {
      .name = "compact",
      .text = "Move the rows of small commits into Parquet files, and small files into larger ones",
      .example = "lockstep compact --dry-run\nlockstep compact",
      .flags = {{.name = "--dry-run", .text = "only list the rows that lie in the catalog"}},
      .notes =
          "The daemon does this by itself beside its commits. Rows move from the catalog into\n"
          "Parquet files, and ten files of a size become one. No snapshot changes: each reads as\n"
          "before.",
      .run = run_compact,
  };
}

}  // namespace lockstep
