#include "sync/sync.h"

#include "cli/cli.h"
#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "cli/source_errors.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_sync(Session& session, const Arguments& arguments) {
  WriteOptions options;
  options.apply = arguments.has("--apply");
  options.accept_deletes = arguments.has("--accept-deletes");
  const Json report = TRY(execute_command(session, Json{{"command", "sync"}}, options));
  TRY(print_report(session, report, render_sync));
  if (const Json& errors = field(report, "errors"); !errors.empty()) {
    return report_source_errors(session, errors);
  }
  const bool in_part = arguments.has("--strict") && integer_of(report, "rejected") > 0;
  return in_part ? kExitPart : kExitDone;
}

}  // namespace

int report_source_errors(Session& session, const Json& errors) {
  int exit_code = kExitDone;
  const bool colour = session.view.colour && session.terminal.error_is_terminal();
  for (const Json& one : errors) {
    const Code code = code_of_name(text_of(one, "code")).value_or(Code::kInvalid);
    const Error error =
        make_error(code, printable(text_of(one, "message")), printable(text_of(one, "hint")));
    session.terminal.write_error(failure_text(error, session.json, colour));
    if (exit_code == kExitDone) exit_code = code_info(code).exit_code;
  }
  return exit_code;
}

std::string changes_text(const View& view, const Json& changes) {
  std::string text;
  const auto add = [&](const char* name, const char* sign) {
    const std::int64_t count = integer_of(changes, name);
    if (count != 0)
      text += fmt::format("{}{}{}", text.empty() ? "" : " ", sign, count_text(view, count));
  };
  add("inserted", "+");
  add("updated", "~");
  add("deleted", "-");
  return text.empty() ? "no rows changed" : text + " rows";
}

std::string versions_text(const View& view, const Json& versions) {
  std::string text;
  for (const Json& version : versions) {
    const std::string status = text_of(version, "status");
    std::string name = text_of(version, "model");
    if (const std::string number = id_text(version, "version"); !number.empty())
      name += "@" + number;
    text += fmt::format("  {} {}", printable(name), paint(view, tone_of_status(status), status));
    const std::string errors = error_text(view, field(version, "metrics"));
    if (!errors.empty()) text += ", " + printable(errors);
    const std::string reason = printable(text_of(version, "reason"));
    if (!reason.empty()) text += ": " + reason;
    text += "\n";
  }
  return text;
}

std::string render_sync(const View& view, const Json& report) {
  const std::string snapshot = id_text(report, "snapshot");
  const std::string changes = changes_text(view, field(report, "changes"));
  const std::int64_t rejected = integer_of(report, "rejected");
  const std::string versions = versions_text(view, field(report, "versions"));
  std::string applied;
  for (const Json& item : field(report, "applied")) {
    if (item.is_string())
      applied += fmt::format("applied: {}\n", printable(item.get<std::string>()));
  }
  std::string adopted;
  for (const Json& taken : field(report, "adopted"))
    adopted += fmt::format("{}{}", adopted.empty() ? "adopted: snapshots " : ", ", taken.dump());
  if (!adopted.empty()) applied += adopted + "\n";
  const bool nothing = changes == "no rows changed" && rejected == 0 && versions.empty();
  std::string text = nothing ? (applied.empty() ? "nothing new" : "no new rows") : changes;
  if (!snapshot.empty()) text = fmt::format("snapshot {}: {}", snapshot, text);
  if (rejected > 0)
    text += ", " + paint(view, Tone::kWarning, count_text(view, rejected) + " rejected");
  if (const auto seconds = number_of(report, "duration_s"); seconds && view.terminal && !nothing) {
    text += fmt::format(" in {}", duration_text(*seconds));
  }
  if (const std::int64_t kept = integer_of(report, "kept_later"); kept > 0) {
    text += fmt::format("; {} changed later, and were kept", plural(view, kept, "row"));
  }
  text += "\n" + versions;
  text = applied + text;
  for (const Json& source : field(report, "unfinished")) {
    if (source.is_string())
      text += fmt::format("the load of {} is not finished; the next sync goes on with it\n",
                          printable(source.get<std::string>()));
  }
  for (const Json& source : field(report, "paused")) {
    if (source.is_string())
      text += fmt::format("source {0} is paused; lockstep resume {0} goes on with it\n",
                          printable(source.get<std::string>()));
  }
  if (rejected > 0 && view.terminal) text += "try: lockstep rejected\n";
  return text;
}

Command sync_command() {
  return {
      .name = "sync",
      .text = "Read what is new in the sources, and commit data and models together",
      .example = "lockstep sync\nlockstep sync --strict --json",
      .flags = {{.name = "--apply",
                 .text =
                     "take a changed lockstep.yaml that rebuilds or loses (see lockstep check)"},
                {.name = "--accept-deletes",
                 .text = "let a mirrored source delete more than its max_delete"},
                {.name = "--strict", .text = "exit with 3 when rows were rejected"}},
      .notes =
          "When a daemon runs (lockstep run), it does the work. --apply and --accept-deletes need\n"
          "the writer's lock, so stop the daemon for them.",
      .run = run_sync,
  };
}

}  // namespace lockstep
