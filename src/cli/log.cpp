#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kCommitsDefault = 20;

Result<int> run_log(Session& session, const Arguments& arguments) {
  const std::int64_t count = TRY(arguments.integer("--number", kCommitsDefault, 1));
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(report_log(*opened.hub, count, arguments.has("--all")));
  TRY(print_report(session, report, render_log));
  return kExitDone;
}

// "bp@7 bp2@3 blocked": a status only where it is not the usual one.
std::string short_versions(const Json& versions) {
  std::string text;
  for (const Json& version : versions) {
    const std::string status = text_of(version, "status");
    text += fmt::format(
        "{}{}@{}", text.empty() ? "" : " ", text_of(version, "model"), id_text(version, "version"));
    if (status != "ready") text += " " + status;
  }
  return text;
}

}  // namespace

std::string render_log(const View& view, const Json& report) {
  TextTable table({{"snapshot", true},
                   {"commit", true},
                   {"time"},
                   {"kind"},
                   {"+", true},
                   {"~", true},
                   {"-", true},
                   {"rejected", true},
                   {"versions"},
                   {"message"}});
  for (const Json& commit : report) {
    table.add({{id_text(commit, "snapshot"), Tone::kStrong},
               {id_text(commit, "commit")},
               {time_of(view, commit, "time")},
               {text_of(commit, "kind")},
               {cell_text(view, field(commit, "inserted"))},
               {cell_text(view, field(commit, "updated"))},
               {cell_text(view, field(commit, "deleted"))},
               {cell_text(view, field(commit, "rejected"))},
               {short_versions(field(commit, "versions"))},
               {text_of(commit, "message")}});
  }
  return table.text(view);
}

Command log_command() {
  return {
      .name = "log",
      .text = "List commits, the newest first, with the model versions that they made",
      .example = "lockstep log\nlockstep log -n 100 --json",
      .flags = {{.name = "--number", .letter = "-n", .value = "N", .text = "how many (default 20)"},
                {.name = "--all", .text = "with the commits that only keep the hub compact"}},
      .run = run_log,
  };
}

}  // namespace lockstep
