// Which requests there are.
#pragma once

#include "serve/http_message.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace lockstep {

enum class Route : std::uint8_t { kPush, kPredict, kStatus, kWait, kMetrics, kHealthy, kReady };

struct RouteInfo {
  Route route;
  std::string_view method;
  std::string_view pattern;  // {name} stands for one segment
  bool is_open;              // to who shows no token
};

std::span<const RouteInfo> routes();

struct RouteMatch {
  const RouteInfo* info = nullptr;
  std::string name;  // what {name} stood for
};

// The route of a request, or the answer that there is none: 404 with what comes near, 405 with the
// method that it takes.
std::variant<RouteMatch, HttpResponse> match_route(const HttpRequest& request);

}  // namespace lockstep
