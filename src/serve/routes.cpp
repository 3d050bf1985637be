#include "serve/routes.h"

#include "base/config.h"
#include "serve/answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <optional>
#include <vector>

namespace lockstep {
namespace {

constexpr std::array kRoutes = {
    RouteInfo{Route::kPush, "POST", "/v1/datasets/{name}/changes", false},
    RouteInfo{Route::kPredict, "POST", "/v1/models/{name}/predict", false},
    RouteInfo{Route::kStatus, "GET", "/v1/status", false},
    RouteInfo{Route::kWait, "GET", "/v1/wait/{token}", false},
    RouteInfo{Route::kMetrics, "GET", "/metrics", false},
    RouteInfo{Route::kHealthy, "GET", "/-/healthy", true},
    RouteInfo{Route::kReady, "GET", "/-/ready", true},
};

// What {name} stands for in the path; nullopt: it is of another pattern.
std::optional<std::string> name_in(std::string_view pattern, std::string_view path) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos)
    return pattern == path ? std::optional<std::string>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, open);
  const std::string_view behind = pattern.substr(pattern.find('}') + 1);
  const bool fits = path.size() > before.size() + behind.size() && path.starts_with(before) &&
                    path.ends_with(behind);
  if (!fits) return std::nullopt;
  const std::string_view name =
      path.substr(before.size(), path.size() - before.size() - behind.size());
  if (name.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(name);
}

HttpResponse no_such_path(const std::string& path) {
  std::vector<std::string> patterns;
  for (const RouteInfo& info : kRoutes)
    patterns.emplace_back(info.pattern);
  const std::optional<std::string> near = nearest(path, patterns);
  return error_response(404,
                        make_error(Code::kNotFound,
                                   fmt::format("there is nothing at {}", path),
                                   near ? fmt::format("did you mean {}?", *near)
                                        : fmt::format("there are: {}", fmt::join(patterns, ", "))));
}

}  // namespace

std::span<const RouteInfo> routes() {
  return kRoutes;
}

std::variant<RouteMatch, HttpResponse> match_route(const HttpRequest& request) {
  const RouteInfo* of_path = nullptr;
  for (const RouteInfo& info : kRoutes) {
    const std::optional<std::string> name = name_in(info.pattern, request.path);
    if (!name) continue;
    of_path = &info;
    if (info.method == request.method) return RouteMatch{&info, *name};
  }
  if (of_path == nullptr) return no_such_path(request.path);
  HttpResponse response =
      error_response(405,
                     make_error(Code::kInvalid,
                                fmt::format("{} is not done at {}", request.method, request.path),
                                fmt::format("use {}", of_path->method)));
  response.headers.emplace_back("Allow", std::string(of_path->method));
  return response;
}

}  // namespace lockstep
