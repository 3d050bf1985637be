#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_tag(Session& session, const Arguments& arguments) {
  const std::string name = arguments.word(0);
  if (arguments.has("--list")) {
    const OpenedHub opened = TRY(open_for_reading(session));
    TRY(print_report(session, TRY(report_tags(*opened.hub)), render_tags));
    return kExitDone;
  }
  Json command;
  if (arguments.has("--delete")) {
    command = {{"command", "tag-delete"}, {"tag", arguments.text("--delete", "")}};
  } else if (name.empty()) {
    return make_error(Code::kUsage, "the tag has no name", "lockstep tag NAME [SNAPSHOT]");
  } else {
    command = {{"command", "tag-set"}, {"tag", name}, {"snapshot", arguments.word(1, "latest")}};
  }
  TRY(print_report(session, TRY(execute_command(session, command, {})), render_tags));
  return kExitDone;
}

}  // namespace

std::string render_tags(const View& view, const Json& report) {
  if (report.is_array()) {
    TextTable table({{"tag"}, {"snapshot", true}, {"time"}, {"who"}});
    for (const Json& tag : report) {
      table.add({{text_of(tag, "tag"), Tone::kStrong},
                 {id_text(tag, "snapshot")},
                 {time_of(view, tag, "time")},
                 {text_of(tag, "who")}});
    }
    return table.text(view);
  }
  const std::string name = printable(text_of(report, "tag"));
  if (flag_of(report, "deleted")) return fmt::format("{} is deleted\n", name);
  return fmt::format("{} is snapshot {}\n", name, id_text(report, "snapshot"));
}

Command tag_command() {
  return {
      .name = "tag",
      .text = "Name a snapshot, and keep it for as long as it has the name",
      .example =
          "lockstep tag before-the-move\nlockstep tag release-3 812\nlockstep tag --list\n"
          "lockstep tag --delete release-3",
      .positionals = {{.name = "NAME", .text = "begins with a letter", .required = false},
                      {.name = "SNAPSHOT",
                       .text = "12, latest, or -1, -2, ... from the newest (default latest)",
                       .required = false}},
      .flags = {{.name = "--list", .text = "list the tags"},
                {.name = "--delete", .value = "NAME", .text = "take the name away"}},
      .notes = "A name that is there already moves.",
      .run = run_tag,
  };
}

}  // namespace lockstep
