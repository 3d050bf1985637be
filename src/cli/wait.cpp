#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/report.h"
#include "cli/text.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kWaitUsDefault = 30'000'000;
constexpr std::int64_t kAskAgainUs = 20'000;

std::string render_wait(const View& view, const Json& report) {
  std::string text = fmt::format("commit {}, snapshot {}: {}",
                                 id_text(report, "commit"),
                                 id_text(report, "snapshot"),
                                 plural(view, integer_of(report, "rows"), "row"));
  if (const std::int64_t rejected = integer_of(report, "rejected"); rejected > 0)
    text += fmt::format(", {} rejected", rejected);
  for (const auto& [model, version] : field(report, "models").items())
    text += fmt::format(", {} v{}", printable(model), id_text(version, "version"));
  return text + "\n";
}

// Without a daemon nothing is under way: what was committed is in the hub.
Result<Json> state_in_hub(Session& session, const std::string& token) {
  const OpenedHub opened = TRY(open_for_reading(session));
  const std::optional<RequestRecord> kept = TRY(opened.hub->request_of_token(token));
  if (!kept) return Json{{"state", "unknown"}};
  return Json{{"state", "done"}, {"answer", Json::parse(kept->answer, nullptr, false)}};
}

Result<Json> state_of_push(Session& session,
                           const Configuration& configuration,
                           const std::string& token) {
  const Json command{{"command", "push-state"}, {"token", token}};
  std::optional<Json> state = TRY(ask_daemon(session.io, configuration, command));
  return state ? *std::move(state) : state_in_hub(session, token);
}

Result<std::int64_t> wait_time(const Arguments& arguments) {
  if (!arguments.has("--timeout")) return kWaitUsDefault;
  const std::string given = arguments.text("--timeout", "");
  Result<std::int64_t> us = parse_duration_us(given);
  if (us.ok()) return us;
  return make_error(Code::kUsage, us.error().message, "--timeout 30s");
}

Result<int> run_wait(Session& session, const Arguments& arguments) {
  const std::string token = arguments.word(0);
  const std::int64_t timeout_us = TRY(wait_time(arguments));
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  const std::int64_t end_us = session.io.monotonic_us() + timeout_us;
  while (true) {
    const Json state = TRY(state_of_push(session, configuration, token));
    const std::string name = text_of(state, "state");
    if (name == "done") {
      TRY(print_report(session, field(state, "answer"), render_wait));
      return kExitDone;
    }
    if (name == "failed") {
      const Json& error = field(state, "error");
      return make_error(Code::kRefused, text_of(error, "message"), text_of(error, "hint"));
    }
    if (name == "unknown") {
      return make_error(Code::kNotFound,
                        fmt::format("no push with the token '{}' is known", printable(token)),
                        "it was not committed, or more than a day ago: send it again");
    }
    const std::int64_t left_us = end_us - session.io.monotonic_us();
    if (left_us <= 0 || (session.stop && session.stop())) {
      return make_error(Code::kInterrupted,
                        "the push is not committed yet",
                        "wait for longer with --timeout, or see lockstep status");
    }
    session.io.sleep_us(std::min(left_us, kAskAgainUs));
  }
}

}  // namespace

Command wait_command() {
  return {
      .name = "wait",
      .text = "Wait until a push that was sent with ?wait=false is committed",
      .example =
          "lockstep wait 5f0c9d1e2b7a4c3d8e6f1a2b3c4d5e6f\n"
          "lockstep wait $TOKEN --timeout 5m --json",
      .positionals = {{.name = "TOKEN", .text = "what the push was answered"}},
      .flags = {{.name = "--timeout", .value = "TIME", .text = "how long (default 30s)"}},
      .notes =
          "Answers of committed pushes are kept for a day. It ends with 130 when the time is\n"
          "over, and the push still waits.",
      .run = run_wait,
  };
}

}  // namespace lockstep
