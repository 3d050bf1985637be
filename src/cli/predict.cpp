#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "hub/hub.h"
#include "sync/sync.h"
#include "table/types.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr double kLevelDefault = 0.95;

Result<double> interval_level(const Arguments& arguments) {
  if (arguments.has("--no-interval")) {
    if (arguments.has("--level")) {
      return make_error(
          Code::kUsage, "--level and --no-interval exclude each other", "--no-interval");
    }
    return 0.0;
  }
  if (!arguments.has("--level")) return kLevelDefault;
  const std::string given = arguments.text("--level", "");
  const Result<Value> value = parse_value(given, Type::kFloat);
  const double* level = value.ok() ? std::get_if<double>(&value.value()) : nullptr;
  if (level == nullptr || !(*level > 0 && *level < 1)) {
    return make_error(
        Code::kUsage,
        fmt::format("--level is '{}', not a number between 0 and 1", printable(given)),
        "--level 0.95");
  }
  return *level;
}

std::string summary(const Json& report) {
  const View view;
  std::string text = fmt::format("{} by {}@{}, data {}",
                                 plural(view, integer_of(report, "rows"), "row"),
                                 printable(text_of(report, "model")),
                                 id_text(report, "version"),
                                 id_text(report, "snapshot"));
  const std::int64_t refused = integer_of(report, "refused");
  if (refused > 0) text += fmt::format(", {} refused (see column 'refused')", refused);
  return text + "\n";
}

Result<int> run_predict(Session& session, const Arguments& arguments) {
  PredictOptions options;
  options.level = TRY(interval_level(arguments));
  options.input = arguments.word(1);
  options.output = arguments.text("--output", "");
  if (session.json && options.output.empty()) {
    return make_error(Code::kUsage,
                      "--json prints a summary, and standard output takes the predictions",
                      "--json --output predictions.csv");
  }
  options.sink = [&session](std::string_view text) { return session.print(text); };
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(predict(session.io, *opened.hub, arguments.word(0), options));
  if (session.json) {
    TRY(session.print(json_text(report)));
  } else {
    session.say(summary(report));
  }
  return kExitDone;
}

}  // namespace

Command predict_command() {
  return {
      .name = "predict",
      .text = "Predict the rows of a file",
      .example =
          "lockstep predict bp new.csv\n"
          "lockstep predict bp@7 new.csv --output predictions.csv\n"
          "lockstep predict bp@champion new.parquet --no-interval > predictions.csv",
      .positionals = {{.name = "VERSION",
                       .text = "MODEL (its champion), MODEL@VERSION or MODEL@ALIAS"},
                      {.name = "FILE",
                       .text = "raw rows of the dataset: .csv .tsv .ndjson .parquet"}},
      .flags = {{.name = "--output",
                 .letter = "-o",
                 .value = "FILE",
                 .text = "write there instead of CSV to standard output"},
                {.name = "--level", .value = "P", .text = "of the intervals (default 0.95)"},
                {.name = "--no-interval", .text = "no columns _low and _high"}},
      .notes =
          "Rows go through the same steps as in training. Every line names model_version and\n"
          "data_version; `refused` says why a row has no prediction.",
      .run = run_predict,
  };
}

}  // namespace lockstep
