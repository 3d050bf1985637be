#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {
namespace {

constexpr std::int64_t kPreviewRows = 10;

Result<int> run_preview(Session& session, const Arguments& arguments) {
  const std::int64_t rows = TRY(arguments.integer("--rows", kPreviewRows, 1));
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  const std::string dataset = TRY(dataset_or_only(configuration, arguments.word(0)));
  const Json report = TRY(preview(session.io, configuration, dataset, rows));
  TRY(print_report(session, report, render_preview));
  return kExitDone;
}

}  // namespace

std::string render_preview(const View& view, const Json& report) {
  constexpr std::array kParts = {"raw", "clean", "train", "rejected", "prediction"};
  std::string text;
  for (const char* part : kParts) {
    const Json& rows = field(report, part);
    if (!rows.is_array() || rows.empty()) continue;
    std::string title = part;
    if (title == "raw") title += " from " + text_of(report, "source");
    if (title == "prediction") title += " by " + text_of(report, "model");
    if (!text.empty()) text += "\n";
    text += view.terminal ? paint(view, Tone::kStrong, title) + "\n" : "# " + title + "\n";
    text += objects_text(view, rows);
  }
  if (const std::string note = text_of(report, "note"); !note.empty())
    text += printable(note) + "\n";
  return text.empty() ? "no rows yet\n" : text;
}

Command preview_command() {
  return {
      .name = "preview",
      .text = "Show a few rows on their way from raw to prediction; commits nothing",
      .example = "lockstep preview\nlockstep preview vitals --rows 3",
      .positionals = {{.name = "DATASET", .text = "default: the only one", .required = false}},
      .flags = {{.name = "--rows", .value = "N", .text = "how many rows (default 10)"}},
      .notes =
          "Needs no hub. The model is fitted to these rows alone: its predictions show the shape, "
          "not the quality.",
      .run = run_preview,
  };
}

}  // namespace lockstep
