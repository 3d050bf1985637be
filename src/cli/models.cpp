#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kVersionsDefault = 20;
constexpr std::size_t kShortHash = 12;

Result<int> run_models(Session& session, const Arguments& arguments) {
  const std::int64_t count = TRY(arguments.integer("--number", kVersionsDefault, 1));
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(report_models(*opened.hub, arguments.word(0), count));
  TRY(print_report(session, report, render_models));
  if (report.empty()) session.say("no model has a version yet\n");
  return kExitDone;
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& item : list) {
    text +=
        (text.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : json_line(item));
  }
  return text;
}

std::string hash_text(const View& view, const Json& version, const char* name) {
  const std::string hash = text_of(version, name);
  return view.terminal ? hash.substr(0, kShortHash) : hash;
}

}  // namespace

std::string render_models(const View& view, const Json& report) {
  TextTable table({{"model"},
                   {"version", true},
                   {"snapshot", true},
                   {"kind"},
                   {"status"},
                   {"rows", true},
                   {"test", true},
                   {"error"},
                   {"weights"},
                   {"aliases"},
                   {"reason"}});
  for (const Json& version : report) {
    const std::string status = text_of(version, "status");
    const bool expired = field(version, "verifiable") == false;
    table.add({{text_of(version, "model")},
               {id_text(version, "version"), Tone::kStrong},
               {id_text(version, "snapshot")},
               {text_of(version, "kind")},
               {expired ? status + ", verifiable: no (expired)" : status, tone_of_status(status)},
               {cell_text(view, field(version, "folded"))},
               {cell_text(view, field(version, "tested"))},
               {error_text(view, field(version, "metrics"))},
               {hash_text(view, version, "weights_sha256")},
               {joined(field(version, "aliases"))},
               {text_of(version, "reason")}});
  }
  return table.text(view);
}

Command models_command() {
  return {
      .name = "models",
      .text = "List model versions, the newest first",
      .example = "lockstep models\nlockstep models bp -n 5",
      .positionals = {{.name = "MODEL", .text = "only this one", .required = false}},
      .flags =
          {{.name = "--number", .letter = "-n", .value = "N", .text = "how many (default 20)"}},
      .run = run_models,
  };
}

}  // namespace lockstep
