#include "serve/endpoints.h"

#include "base/hash.h"
#include "serve/answers.h"

#include <utility>
#include <variant>

namespace lockstep {
namespace {

// Hashes of one length, all of whose digits are looked at: the time tells nothing of the token.
bool is_same_token(const std::string& left, const std::string& right) {
  const std::string one = sha256_hex(left);
  const std::string other = sha256_hex(right);
  int difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    difference |= one[i] ^ other[i];
  return difference == 0;
}

}  // namespace

bool Endpoints::may_ask(const HttpRequest& head) const {
  const std::string& token = parts_.configuration.serve.token;
  const std::string prefix = "Bearer ";
  return token.empty() || (head.authorization.starts_with(prefix) &&
                           is_same_token(head.authorization.substr(prefix.size()), token));
}

std::optional<HttpResponse> Endpoints::look(HttpRequest& head) {
  const auto matched = match_route(head);
  const RouteMatch* const match = std::get_if<RouteMatch>(&matched);
  std::optional<HttpResponse> early;
  if (!may_ask(head) && (match == nullptr || !match->info->is_open)) {
    early =
        error_response(401,
                       make_error(Code::kDenied,
                                  "the request shows no token that is known here",
                                  "send Authorization: Bearer TOKEN, as in serve: {token: ...}"));
    early->headers.emplace_back("WWW-Authenticate", "Bearer");
  } else if (match == nullptr) {
    early = std::get<HttpResponse>(matched);
  } else if (match->info->route == Route::kPush) {
    early = look_at_push(parts_, match->name, head);
  }
  if (early) requests_.add(match == nullptr ? nullptr : match->info, early->status, 0);
  return early;
}

void Endpoints::take(HttpRequest request, HttpRespond respond) {
  const RouteMatch match = std::get<RouteMatch>(match_route(request));
  const std::int64_t began_us = parts_.io.monotonic_us();
  HttpRespond counted =
      [this, info = match.info, began_us, respond = std::move(respond)](HttpResponse response) {
        requests_.add(info, response.status, parts_.io.monotonic_us() - began_us);
        respond(std::move(response));
      };
  answer(match, std::move(request), std::move(counted));
}

void Endpoints::answer(const RouteMatch& match, HttpRequest request, HttpRespond respond) {
  switch (match.info->route) {
    case Route::kPush:
      return take_push(parts_, match.name, std::move(request), std::move(respond));
    case Route::kPredict:
      return respond(predict_response(parts_, match.name, request));
    case Route::kStatus:
      return respond(status_response(parts_));
    case Route::kWait:
      return wait_for_push(parts_, match.name, request, std::move(respond));
    case Route::kMetrics:
      return respond(metrics());
    case Route::kHealthy:
      return respond({.status = 200, .body = "healthy\n", .content_type = "text/plain"});
    case Route::kReady:
      return respond(ready());
  }
}

HttpResponse Endpoints::ready() const {
  const WriterStanding standing = parts_.board.standing();
  if (standing == WriterStanding::kWriting)
    return {.status = 200, .body = "ready\n", .content_type = "text/plain"};
  return {.status = 503,
          .body = standing == WriterStanding::kStandingBy ? "standing by\n" : "opening the hub\n",
          .content_type = "text/plain"};
}

HttpResponse Endpoints::metrics() const {
  return {.status = 200,
          .body = metrics_text(parts_, requests_, connections_()),
          .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

HttpResponse Endpoints::refuse(int status, const std::string& message) {
  requests_.add(nullptr, status, 0);
  const Error error = make_error(Code::kInvalid, message);
  return status == 503 ? later_response(status, error) : error_response(status, error);
}

}  // namespace lockstep
