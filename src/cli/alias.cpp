#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"
#include "table/types.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<Json> version_argument(const std::string& text) {
  if (text == "latest") return Json(text);
  const Result<Value> value = parse_value(text, Type::kInt);
  if (value.ok() && std::holds_alternative<std::int64_t>(value.value()) &&
      std::get<std::int64_t>(value.value()) > 0) {
    return Json(std::get<std::int64_t>(value.value()));
  }
  return make_error(Code::kUsage,
                    fmt::format("version '{}' is neither a number nor 'latest'", printable(text)),
                    "lockstep models");
}

Result<int> run_set(Session& session, const Arguments& arguments) {
  const Json version = TRY(version_argument(arguments.word(2)));
  Json command{{"command", "alias-set"},
               {"model", arguments.word(0)},
               {"alias", arguments.word(1)},
               {"version", version}};
  if (arguments.has("--why")) command["why"] = arguments.text("--why", "");
  const Json report = TRY(execute_command(session, command, {}));
  TRY(print_report(session, report, render_alias_set));
  return kExitDone;
}

Result<int> print_aliases(Session& session, const Arguments& arguments, bool history) {
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(report_aliases(*opened.hub, arguments.word(0), history));
  TRY(print_report(session, report, render_aliases));
  if (report.empty()) session.say("no alias was set yet\n");
  return kExitDone;
}

Result<int> run_list(Session& session, const Arguments& arguments) {
  return print_aliases(session, arguments, false);
}

Result<int> run_history(Session& session, const Arguments& arguments) {
  return print_aliases(session, arguments, true);
}

}  // namespace

std::string render_aliases(const View& view, const Json& report) {
  TextTable table({{"model"}, {"alias"}, {"version", true}, {"time"}, {"who"}, {"why"}});
  for (const Json& event : report) {
    std::string version = id_text(event, "version");
    if (flag_of(event, "follow")) version = version.empty() ? "follows" : version + " (follows)";
    table.add({{text_of(event, "model")},
               {text_of(event, "alias"), Tone::kStrong},
               {version},
               {time_of(view, event, "time")},
               {text_of(event, "who")},
               {text_of(event, "why")}});
  }
  return table.text(view);
}

std::string render_alias_set(const View&, const Json& report) {
  const std::string alias = text_of(report, "alias");
  const std::string version = id_text(report, "version");
  std::string text = printable(text_of(report, "model"));
  text += "@" + (alias.empty() ? std::string("champion") : printable(alias));
  if (!version.empty()) text += " is now version " + version;
  if (flag_of(report, "follow"))
    text += version.empty() ? " follows the newest version" : ", and follows";
  return text + "\n";
}

Command alias_set_command() {
  return {
      .name = "alias set",
      .text = "Let an alias name a version of a model",
      .example =
          "lockstep alias set bp champion 7 --why \"holds on the ward\"\n"
          "lockstep alias set bp champion latest",
      .positionals = {{.name = "MODEL", .text = "the model"},
                      {.name = "ALIAS", .text = "champion, challenger, or your own"},
                      {.name = "VERSION",
                       .text = "a number, or latest: follow the newest ready version"}},
      .flags = {{.name = "--why", .value = "TEXT", .text = "for the history"}},
      .run = run_set,
  };
}

Command alias_list_command() {
  return {
      .name = "alias list",
      .text = "List the aliases in force",
      .example = "lockstep alias list\nlockstep alias list bp",
      .positionals = {{.name = "MODEL", .text = "only this one", .required = false}},
      .run = run_list,
  };
}

Command alias_history_command() {
  return {
      .name = "alias history",
      .text = "List who moved an alias, when and why; nothing is ever taken out",
      .example = "lockstep alias history bp",
      .positionals = {{.name = "MODEL", .text = "only this one", .required = false}},
      .run = run_history,
  };
}

}  // namespace lockstep
