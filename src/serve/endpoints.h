// Requests on their way to their routes: who may ask, what there is, and how long it took.
#pragma once

#include "base/io.h"
#include "serve/http_message.h"
#include "serve/http_metrics.h"
#include "serve/parts.h"
#include "serve/routes.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace lockstep {

// Resource; safe from many threads.
class Endpoints final {
 public:
  // `parts` outlives it.
  Endpoints(ServeParts& parts, std::function<std::int64_t()> connections)
      : parts_(parts), connections_(std::move(connections)) {}

  // Before the body is read; a response: it is the answer.
  std::optional<HttpResponse> look(HttpRequest& head);
  // What was looked at. Answers once, perhaps later.
  void take(HttpRequest request, HttpRespond respond);
  // What is no request at all.
  HttpResponse refuse(int status, const std::string& message);

 private:
  bool may_ask(const HttpRequest& head) const;
  void answer(const RouteMatch& match, HttpRequest request, HttpRespond respond);
  HttpResponse metrics() const;
  HttpResponse ready() const;

  ServeParts& parts_;
  const std::function<std::int64_t()> connections_;
  HttpMetrics requests_;
};

}  // namespace lockstep
