// HTTP/1.1 over TCP: connections, limits and time limits. The one place that knows the network
// library.
//
// What it promises:
//   http-1  A request that was handed on is answered once, unless its connection died; its handler
//           may answer from any thread, and at any time.
//   http-2  Nobody holds a connection for ever: sending a request, waiting for the next one and
//           taking an answer each have their time.
//   http-3  stop() takes no new request, and gives those under way some time to be answered.
#pragma once

#include "base/log.h"
#include "base/result.h"
#include "serve/http_message.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace lockstep {

struct HttpLimits {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::uint64_t body_bytes_max = 16'000'000;
  std::uint32_t header_bytes_max = 16'384;
  std::int64_t connections_max = 256;
  std::int64_t head_us = 15'000'000;   // for the first byte to the end of the headers
  std::int64_t idle_us = 60'000'000;   // between two requests, the next one's headers included
  std::int64_t body_us = 60'000'000;   // for a body
  std::int64_t write_us = 30'000'000;  // for an answer
  int threads = 2;
};

// Resource.
class HttpServer {
 public:
  static std::unique_ptr<HttpServer> make(Log& log, const HttpLimits& limits, HttpHandler handler);
  virtual ~HttpServer() = default;
  // kIo: the address cannot be listened at. Once.
  virtual Result<void> listen() = 0;
  virtual std::uint16_t port() const = 0;
  virtual std::int64_t connections() const = 0;
  // Calls back later, from one of the server's threads; not after stop().
  virtual void after(std::int64_t us, std::function<void()> call) = 0;
  virtual void stop(std::int64_t grace_us) = 0;
};

}  // namespace lockstep
