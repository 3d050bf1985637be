#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kRejectedRows = 100;

Result<int> run_rejected(Session& session, const Arguments& arguments) {
  const std::int64_t rows = TRY(arguments.integer("--rows", kRejectedRows, 1));
  const OpenedHub opened = TRY(open_for_reading(session));
  const std::string dataset = TRY(dataset_or_only(opened.configuration, arguments.word(0)));
  const Json report = TRY(report_rejected(*opened.hub, dataset, rows));
  TRY(print_report(session, report, render_rejected));
  if (report.empty()) session.say("no rows are rejected\n");
  return kExitDone;
}

}  // namespace

std::string render_rejected(const View& view, const Json& report) {
  TextTable table({{"dataset"}, {"source"}, {"record"}, {"stage"}, {"reason"}, {"row"}});
  for (const Json& row : report) {
    table.add({{text_of(row, "dataset")},
               {text_of(row, "source")},
               {text_of(row, "record")},
               {text_of(row, "stage")},
               {text_of(row, "reason")},
               {text_of(row, "row")}});
  }
  return table.text(view);
}

Command rejected_command() {
  return {
      .name = "rejected",
      .text = "List the rows that could not be decoded, cleaned or folded, with the reason",
      .example = "lockstep rejected\nlockstep rejected vitals --rows 5 --json",
      .positionals = {{.name = "DATASET", .text = "default: the only one", .required = false}},
      .flags = {{.name = "--rows", .value = "N", .text = "at most so many (default 100)"}},
      .notes = "A row leaves this list when its source sends it again and it passes.",
      .run = run_rejected,
  };
}

}  // namespace lockstep
