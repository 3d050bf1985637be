// What became of a push, and how everything stands.
#include "hub/hub.h"
#include "serve/answers.h"
#include "serve/parts.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <atomic>

namespace lockstep {
namespace {

constexpr std::int64_t kWaitUsDefault = 30'000'000;
constexpr std::int64_t kWaitUsMax = 600'000'000;

Result<std::unique_ptr<Hub>> open_to_read(const ServeParts& parts) {
  const HubPlace place{parts.configuration.hub.catalog, parts.configuration.hub.data};
  return Hub::open(parts.io, place, HubMode::kRead);
}

// Of a push that this process does not remember: an earlier one may have committed it.
Result<HttpResponse> kept_response(const ServeParts& parts, const std::string& token) {
  const std::unique_ptr<Hub> hub = TRY(open_to_read(parts));
  const std::optional<RequestRecord> kept = TRY(hub->request_of_token(token));
  if (kept) return HttpResponse{.status = 200, .body = kept->answer + "\n"};
  return make_error(Code::kNotFound,
                    "the token is not known",
                    "its push was not committed, or more than a day ago: send it again");
}

HttpResponse still_waiting(const std::string& token) {
  return json_response(202, {{"token", token}, {"state", "waiting"}});
}

Result<std::int64_t> timeout_of(const HttpRequest& request) {
  const auto given = request.query.find("timeout");
  if (given == request.query.end()) return kWaitUsDefault;
  const std::int64_t us = TRY_IN(parse_duration_us(given->second), "timeout");
  if (us >= 0 && us <= kWaitUsMax) return us;
  return invalid(fmt::format("the timeout '{}' is longer than 10m", given->second), "30s");
}

}  // namespace

void wait_for_push(ServeParts& parts,
                   const std::string& token,
                   const HttpRequest& request,
                   HttpRespond respond) {
  const Result<std::int64_t> timeout_us = timeout_of(request);
  if (!timeout_us.ok()) return respond(error_response(timeout_us.error()));
  const auto late = std::make_shared<LateAnswer>(std::move(respond));
  const auto [state, waiter] = parts.pushes.await(
      token, [late](const PushAnswer& answer) { late->give(push_response(answer)); });
  if (state == PushDesk::Token::kUnknown) {
    const Result<HttpResponse> kept = kept_response(parts, token);
    return late->give(kept.ok() ? kept.value() : error_response(kept.error()));
  }
  if (state == PushDesk::Token::kAnswered) return;
  const std::uint64_t waiting = waiter;
  parts.after(timeout_us.value(), [&parts, token, waiting, late] {
    parts.pushes.forget(token, waiting);
    late->give(still_waiting(token));
  });
}

HttpResponse status_response(ServeParts& parts) {
  const Result<std::unique_ptr<Hub>> hub = open_to_read(parts);
  if (!hub.ok()) return error_response(hub.error());
  const Result<Json> report = report_status(parts.io, *hub.value(), parts.configuration);
  return report.ok() ? json_response(200, report.value()) : error_response(report.error());
}

}  // namespace lockstep
