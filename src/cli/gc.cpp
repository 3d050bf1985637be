#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_gc(Session& session, const Arguments& arguments) {
  if (arguments.has("--dry-run")) {
    const OpenedHub opened = TRY(open_for_reading(session));
    const CollectionLimits& limits = opened.configuration.hub.collection;
    TRY(print_report(session, TRY(report_collection(*opened.hub, limits)), render_gc));
    return kExitDone;
  }
  const Json report = TRY(execute_command(session, Json{{"command", "gc"}}, {}));
  TRY(print_report(session, report, render_gc));
  return kExitDone;
}

std::string list_text(const View& view, const Json& list, std::string_view what) {
  std::string text;
  for (const Json& one : list) {
    const std::string name = one.is_string() ? printable(one.get<std::string>()) : json_line(one);
    text += fmt::format("{} {}\n", what, name);
  }
  return text.empty() && view.terminal ? fmt::format("no {}\n", what) : text;
}

}  // namespace

std::string render_gc(const View& view, const Json& report) {
  if (report.contains("orphans")) {
    return list_text(view, field(report, "snapshots"), "snapshot") +
           list_text(view, field(report, "files"), "file") +
           list_text(view, field(report, "orphans"), "orphan");
  }
  return fmt::format("{} expired, {} left the catalog, {} deleted\n",
                     plural(view, integer_of(report, "snapshots"), "snapshot"),
                     plural(view, integer_of(report, "files"), "file"),
                     plural(view, integer_of(report, "deleted"), "file"));
}

Command gc_command() {
  return {
      .name = "gc",
      .text = "Remove snapshots that have expired, and what only they needed",
      .example = "lockstep gc --dry-run\nlockstep gc",
      .flags = {{.name = "--dry-run", .text = "only list what would go"}},
      .notes =
          "`hub: {keep: ...}` says which snapshots stay. The newest, tagged ones, and those of\n"
          "versions under an alias always do. Files go after `gc_grace`, and never while a reader "
          "of\n"
          "Lockstep's may need them. The daemon does this by itself.",
      .run = run_gc,
  };
}

}  // namespace lockstep
