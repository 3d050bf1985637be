#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/progress.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

int exit_code_of(const Json& report) {
  if (everything_exact(report)) return kExitDone;
  const bool expired_only = std::all_of(report.begin(), report.end(), [](const Json& version) {
    return flag_of(version, "exact") || flag_of(version, "expired");
  });
  return expired_only ? kExitExpired : kExitDifference;
}

Result<int> run_verify(Session& session, const Arguments& arguments) {
  const OpenedHub opened = TRY(open_for_reading(session));
  ProgressLine line(session);
  VerifyOptions options;
  options.quick = arguments.has("--quick");
  options.progress = line.callback();
  const Json report = TRY(verify(*opened.hub, arguments.word(0), options));
  line.wipe();
  TRY(print_report(session, report, render_verify));
  if (report.empty()) session.say("no model has a version to verify yet\n");
  return exit_code_of(report);
}

std::string word_of(const Json& version) {
  if (flag_of(version, "exact")) return "exact";
  return flag_of(version, "expired") ? "expired" : "differs";
}

std::string line_text(const View& view, const Json& version) {
  const bool exact = flag_of(version, "exact");
  const std::string word = word_of(version);
  std::string text = fmt::format("{}  {}@{}, snapshot {}: ",
                                 paint(view, tone_of_status(word), word),
                                 printable(text_of(version, "model")),
                                 id_text(version, "version"),
                                 id_text(version, "snapshot"));
  text += plural(view, integer_of(version, "rows"), "row") + " retrained";
  const std::string time = duration_of(view, version, "duration_s", 1);
  if (!time.empty()) text += " in " + time;
  text += fmt::format("\n  fingerprint  {}\n  weights      {}\n",
                      text_of(version, "fingerprint"),
                      text_of(version, "weights_sha256"));
  if (!exact && !flag_of(version, "expired"))
    text += fmt::format("  retrained    {}\n", text_of(version, "retrained_weights_sha256"));
  for (const Json& difference : field(version, "differences")) {
    text +=
        "  " +
        printable(difference.is_string() ? difference.get<std::string>() : json_line(difference)) +
        "\n";
  }
  return text;
}

}  // namespace

bool everything_exact(const Json& verify_report) {
  return std::all_of(verify_report.begin(), verify_report.end(), [](const Json& version) {
    return flag_of(version, "exact");
  });
}

std::string render_verify(const View& view, const Json& report) {
  if (view.terminal) {
    std::string text;
    for (const Json& version : report)
      text += line_text(view, version);
    return text;
  }
  TextTable table({{"result"},
                   {"model"},
                   {"version"},
                   {"snapshot"},
                   {"rows"},
                   {"fingerprint"},
                   {"weights"},
                   {"retrained"},
                   {"differences"}});
  for (const Json& version : report) {
    std::string differences;
    for (const Json& difference : field(version, "differences")) {
      differences +=
          (differences.empty() ? "" : "; ") +
          (difference.is_string() ? difference.get<std::string>() : json_line(difference));
    }
    table.add({{word_of(version)},
               {text_of(version, "model")},
               {id_text(version, "version")},
               {id_text(version, "snapshot")},
               {cell_text(view, field(version, "rows"))},
               {text_of(version, "fingerprint")},
               {text_of(version, "weights_sha256")},
               {text_of(version, "retrained_weights_sha256")},
               {differences}});
  }
  return table.text(view);
}

Command verify_command() {
  return {
      .name = "verify",
      .text = "Retrain from the stored rows, and compare with what the commits made, bit for bit",
      .example = "lockstep verify\nlockstep verify bp@7\nlockstep verify bp --quick",
      .positionals =
          {{.name = "VERSION",
            .text = "MODEL, MODEL@VERSION or MODEL@ALIAS (default: champion and newest of each)",
            .required = false}},
      .flags = {{.name = "--quick", .text = "from the train layer, without preparing raw again"}},
      .notes =
          "Exit code 4 when any version is not exact, 14 when none is, but the rows of some have\n"
          "expired. Nothing is written.",
      .run = run_verify,
  };
}

}  // namespace lockstep
