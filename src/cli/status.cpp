#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

Result<int> run_status(Session& session, const Arguments& arguments) {
  const OpenedHub opened = TRY(open_for_reading(session));
  const Json report = TRY(report_status(session.io, *opened.hub, opened.configuration));
  TRY(print_report(session, report, render_status));
  const bool apart = arguments.has("--exit-code") && !flag_of(report, "in_lockstep");
  return apart ? kExitDifference : kExitDone;
}

std::string first_line(const View& view, const Json& report) {
  const bool together = flag_of(report, "in_lockstep");
  const std::string word = together ? "in lockstep" : "not in lockstep";
  std::string text = paint(view, tone_of_status(word), word);
  if (const std::string reason = text_of(report, "reason"); !reason.empty()) {
    text += ": " + printable(reason);
  }
  if (const std::string snapshot = id_text(report, "snapshot"); !snapshot.empty()) {
    text += fmt::format("; snapshot {}", snapshot);
    if (const std::string time = time_of(view, report, "time"); !time.empty()) text += ", " + time;
  }
  return text + "\n";
}

std::string datasets_text(const View& view, const Json& datasets) {
  TextTable table(
      {{"dataset"}, {"rows", true}, {"clean", true}, {"train", true}, {"rejected", true}});
  for (const Json& dataset : datasets) {
    const bool bad = integer_of(dataset, "rejected") > 0;
    table.add({{text_of(dataset, "name")},
               {cell_text(view, field(dataset, "rows"))},
               {cell_text(view, field(dataset, "clean"))},
               {cell_text(view, field(dataset, "train"))},
               {cell_text(view, field(dataset, "rejected")), bad ? Tone::kWarning : Tone::kPlain}});
  }
  return table.text(view);
}

std::string models_text(const View& view, const Json& models) {
  TextTable table(
      {{"model"}, {"champion", true}, {"newest", true}, {"behind", true}, {"status"}, {"error"}});
  for (const Json& model : models) {
    std::string status = text_of(model, "status");
    const Tone tone = tone_of_status(status);
    if (flag_of(model, "latched")) status += ", latched";
    table.add({{text_of(model, "name")},
               {id_text(model, "champion")},
               {id_text(model, "newest")},
               {cell_text(view, field(model, "behind_commits"))},
               {status, tone},
               {error_text(view, field(model, "metrics"))}});
  }
  return table.text(view);
}

// Why a model waits, and what to do about it: the two latches of the gate, and warming.
std::string remarks_text(const Json& models) {
  std::string text;
  for (const Json& model : models) {
    const std::string name = printable(text_of(model, "name"));
    const std::string why = printable(text_of(model, "why"));
    if (!why.empty()) text += fmt::format("{}: {}\n", name, why);
    if (flag_of(model, "latched")) {
      text += fmt::format(
          "try: lockstep revert SNAPSHOT, lockstep accept {0} or lockstep recalibrate {0}\n", name);
    }
  }
  return text;
}

std::string lag_text(const View& view, const Json& lag) {
  std::string text;
  const Json& bytes = field(lag, "bytes");
  const Json& messages = field(lag, "messages");
  if (bytes.is_number()) {
    text = bytes_text(view, bytes.get<std::int64_t>());
  } else if (messages.is_number()) {
    text = plural(view, messages.get<std::int64_t>(), "message");
  }
  const Json& seconds = field(lag, "s");
  if (!seconds.is_number() || seconds.get<double>() <= 0) return text;
  return fmt::format("{}{}{:.1f} s", text, text.empty() ? "" : ", ", seconds.get<double>());
}

Tone tone_of_state(const std::string& state) {
  if (state == "failing") return Tone::kBad;
  return state == "endangered" ? Tone::kWarning : Tone::kPlain;
}

std::string sources_text(const View& view, const Json& sources) {
  TextTable table({{"source"}, {"type"}, {"state"}, {"behind", true}, {"position"}});
  for (const Json& source : sources) {
    const std::string state = text_of(source, "state");
    table.add({{text_of(source, "name")},
               {text_of(source, "type")},
               {state, tone_of_state(state)},
               {lag_text(view, field(source, "lag"))},
               {text_of(source, "position")}});
  }
  std::string text = table.text(view);
  for (const Json& source : sources) {
    const std::string error = printable(text_of(source, "error"));
    if (error.empty() || !view.terminal) continue;
    text += fmt::format("{}\n", error);
    if (const std::string hint = printable(text_of(source, "hint")); !hint.empty())
      text += fmt::format("try: {}\n", hint);
  }
  return text;
}

std::string hub_text(const View& view, const Json& report) {
  const Json& hub = field(report, "hub");
  std::string text = fmt::format("hub: catalog {}, data {}",
                                 bytes_text(view, integer_of(hub, "catalog_bytes")),
                                 bytes_text(view, integer_of(hub, "data_bytes")));
  text += " in " + plural(view, integer_of(hub, "data_files"), "file");
  if (const std::int64_t growth = integer_of(hub, "bytes_per_commit"); growth > 0)
    text += fmt::format(", {} a commit", bytes_text(view, growth));
  const std::int64_t log_max = integer_of(hub, "log_max_bytes");
  if (log_max > 0 && integer_of(hub, "log_bytes") > log_max / 2) {
    text += fmt::format("; its log has {} of {}, since somebody reads for long",
                        bytes_text(view, integer_of(hub, "log_bytes")),
                        bytes_text(view, log_max));
  }
  const Json& writer = field(report, "writer");
  text += flag_of(writer, "running")
              ? fmt::format("; daemon running, pid {}", id_text(writer, "pid"))
              : "; no daemon";
  if (const std::string listen = printable(text_of(writer, "listen")); !listen.empty())
    text += fmt::format(", http://{}", listen);
  return text + "\n";
}

}  // namespace

std::string render_status(const View& view, const Json& report) {
  std::string text = first_line(view, report);
  const std::string gap = view.terminal ? "\n" : "";
  for (const std::string& part : {datasets_text(view, field(report, "datasets")),
                                  models_text(view, field(report, "models")),
                                  sources_text(view, field(report, "sources"))}) {
    if (!part.empty()) text += gap + part;
  }
  text += gap + hub_text(view, report);
  if (view.terminal) text += remarks_text(field(report, "models"));
  return text;
}

Command status_command() {
  return {
      .name = "status",
      .text = "Say whether everything is in lockstep, and what to do if not",
      .example = "lockstep status\nlockstep status --json",
      .flags = {{.name = "--exit-code", .text = "exit with 4 when it is not in lockstep"}},
      .run = run_status,
  };
}

}  // namespace lockstep
