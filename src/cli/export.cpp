#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_export(Session& session, const Arguments& arguments) {
  ExportOptions options;
  options.layer = arguments.text("--layer", "clean");
  options.at = arguments.text("--at", "latest");
  options.output = arguments.text("--output", "");
  options.where = arguments.text("--where", "");
  if (session.json && options.output.empty()) {
    return make_error(Code::kUsage,
                      "--json prints a summary, and standard output takes the rows",
                      "--json --output rows.csv");
  }
  options.sink = [&session](std::string_view text) { return session.print(text); };
  const OpenedHub opened = TRY(open_for_reading(session));
  // One that the configuration dropped is still there in the snapshots from before.
  const std::string dataset =
      arguments.words.empty() ? TRY(dataset_or_only(opened.configuration, "")) : arguments.word(0);
  const Json report = TRY(export_dataset(session.io, *opened.hub, dataset, options));
  if (session.json) {
    TRY(session.print(json_text(report)));
  } else {
    session.say(fmt::format("{} of {}.{} at snapshot {}\n",
                            plural(View{}, integer_of(report, "rows"), "row"),
                            text_of(report, "layer"),
                            printable(text_of(report, "dataset")),
                            id_text(report, "snapshot")));
  }
  return kExitDone;
}

}  // namespace

Command export_command() {
  return {
      .name = "export",
      .text = "Write the rows of a dataset, as they are or were at any snapshot",
      .example =
          "lockstep export vitals > vitals.csv\n"
          "lockstep export vitals --layer train --at 12 --output train.parquet\n"
          "lockstep export vitals --at 2026-11-20T08:00\n"
          "lockstep export vitals --where \"age >= 60 and ward = 'A'\" --output old.csv --json",
      .positionals = {{.name = "DATASET", .text = "default: the only one", .required = false}},
      .flags = {{.name = "--layer",
                 .value = "LAYER",
                 .text = "which rows (default clean)",
                 .choices = "raw | clean | train | rejected"},
                {.name = "--at",
                 .value = "SNAPSHOT",
                 .text = "12, -1, latest, a time or a tag (default latest)"},
                {.name = "--where",
                 .value = "CONDITION",
                 .text = "only rows for which it holds: comparisons of columns with values, joined "
                         "by and"},
                {.name = "--output",
                 .letter = "-o",
                 .value = "FILE",
                 .text =
                     "a .csv, .tsv, .ndjson or .parquet file instead of CSV to standard output"}},
      .run = run_export,
  };
}

}  // namespace lockstep
