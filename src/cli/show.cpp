#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_show(Session& session, const Arguments& arguments) {
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(report_show(*opened.hub, arguments.word(0, "latest")));
  TRY(print_report(session, report, render_show));
  return kExitDone;
}

std::string tables_text(const View& view, const Json& tables) {
  TextTable table({{"table"}, {"+", true}, {"~", true}, {"-", true}});
  for (const Json& one : tables) {
    table.add({{text_of(one, "table")},
               {cell_text(view, field(one, "inserted"))},
               {cell_text(view, field(one, "updated"))},
               {cell_text(view, field(one, "deleted"))}});
  }
  return table.text(view);
}

std::string positions_text(const Json& positions) {
  std::string text;
  for (const auto& [key, value] : positions.items()) {
    const bool listed = positions.is_array();
    const std::string source = listed ? text_of(value, "source") : key;
    const std::string position = listed              ? text_of(value, "position")
                                 : value.is_string() ? value.get<std::string>()
                                                     : json_line(value);
    text += fmt::format("position of {}: {}\n", printable(source), printable(position));
  }
  return text;
}

}  // namespace

std::string render_show(const View& view, const Json& report) {
  const std::string snapshot = id_text(report, "snapshot");
  std::string text = snapshot.empty() ? "" : fmt::format("snapshot {}, ", snapshot);
  text += fmt::format("commit {}: {}, {}\n",
                      id_text(report, "commit"),
                      text_of(report, "kind"),
                      time_of(view, report, "time"));
  if (const std::string message = text_of(report, "message"); !message.empty()) {
    text += printable(message) + "\n";
  }
  text += changes_text(view, report);
  const std::int64_t rejected = integer_of(report, "rejected");
  if (rejected != 0) text += fmt::format(", {} rejected", count_text(view, rejected));
  text += "\n" + versions_text(view, field(report, "versions"));
  for (const Json& version : field(report, "versions")) {
    if (field(version, "verifiable") != false) continue;
    text += fmt::format("{}@{} is verifiable: no (expired)\n",
                        printable(text_of(version, "model")),
                        id_text(version, "version"));
  }
  const std::string tables = tables_text(view, field(report, "tables"));
  if (!tables.empty()) text += (view.terminal ? "\n" : "") + tables;
  return text + positions_text(field(report, "positions"));
}

Command show_command() {
  return {
      .name = "show",
      .text = "Show one commit in full: tables, positions, model versions with their metrics",
      .example =
          "lockstep show\nlockstep show 12\nlockstep show -2\nlockstep show 2026-11-20T08:00",
      .positionals = {{.name = "SNAPSHOT",
                       .text = "a snapshot: 12, -1, latest, a time or a tag (default latest)",
                       .required = false}},
      .run = run_show,
  };
}

}  // namespace lockstep
