// A request and its answer, without the network.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// Value. What of a request is looked at here.
struct HttpRequest {
  std::string method;  // "POST"
  std::string target;  // as it was sent
  std::string path;    // decoded, without the query
  std::map<std::string, std::string> query;
  std::string content_type;  // as it was sent
  std::string authorization;
  std::string idempotency_key;
  std::optional<std::uint64_t> content_length;
  std::string body;
  std::shared_ptr<void> lease;  // what its bytes hold while they are here
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// Called once, from any thread.
using HttpRespond = std::function<void(HttpResponse)>;

struct HttpHandler {
  // Before the body is read. A response: it is the answer, and the body is not read.
  std::function<std::optional<HttpResponse>(HttpRequest& head)> look;
  std::function<void(HttpRequest request, HttpRespond respond)> handle;
  // An answer that the server gives by itself: what cannot be read as HTTP, or is too long.
  std::function<HttpResponse(int status, const std::string& message)> refuse;
};

// Path and query of a request's target, decoded; nullopt: it is none.
struct HttpTarget {
  std::string path;
  std::map<std::string, std::string> query;
};

std::optional<HttpTarget> parse_target(const std::string& target);

}  // namespace lockstep
