#include "cli/command_list.h"
#include "cli/render.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

Result<int> run_check(Session& session, const Arguments&) {
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  const Json report = TRY(check(session.io, configuration));
  TRY(print_report(session, report, render_check));
  return anything_failed(report) ? kExitDifference : kExitDone;
}

}  // namespace

bool anything_failed(const Json& check_report) {
  return std::any_of(check_report.begin(), check_report.end(), [](const Json& line) {
    return text_of(line, "level") == "fail";
  });
}

std::string render_check(const View& view, const Json& report) {
  std::string text;
  for (const Json& line : report) {
    const std::string level = text_of(line, "level");
    const std::string hint = printable(text_of(line, "hint"));
    const std::string what = printable(text_of(line, "what"));
    const std::string message = printable(text_of(line, "message"));
    if (!view.terminal) {
      text += fmt::format("{}\t{}\t{}\t{}\n", level, what, message, hint);
      continue;
    }
    const std::string gap(level.size() < 4 ? 4 - level.size() : 0, ' ');
    text += fmt::format(
        "{}{}  {}: {}\n", paint(view, tone_of_status(level), level), gap, what, message);
    if (!hint.empty()) text += fmt::format("      try: {}\n", hint);
  }
  return text;
}

Command check_command() {
  return {
      .name = "check",
      .text = "Look for mistakes in configuration, sources and hub, and say what would change",
      .example = "lockstep check\nlockstep check --json",
      .notes =
          "Each line is ok, warn or fail. Exit code 4 when a line is fail. Nothing is written.",
      .run = run_check,
  };
}

}  // namespace lockstep
