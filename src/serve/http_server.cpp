#include "serve/http_server.h"

#include "base/thread.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <vector>

namespace lockstep {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace net = boost::asio;
using tcp = net::ip::tcp;
using ErrorCode = beast::error_code;

constexpr std::int64_t kDrainUs = 5'000'000;
constexpr std::size_t kDrainBytesMax = 64 << 20;
constexpr std::int64_t kAcceptPauseUs = 100'000;

std::chrono::microseconds microseconds(std::int64_t us) {
  return std::chrono::microseconds(us);
}

std::string text_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

class Connection;

// What the connections of a server share.
struct Shared {
  Shared(const HttpLimits& limits_in, HttpHandler handler_in)
      : limits(limits_in), handler(std::move(handler_in)) {}

  const HttpLimits limits;
  const HttpHandler handler;
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::condition_variable all_closed;
  std::list<std::weak_ptr<Connection>> connections;  // guarded by mutex, as what follows
  std::int64_t count = 0;
};

// One connection; all that it does runs on its strand.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ErrorCode ignored;  // without it answers wait for more to send: slower, and no mistake
    ignored = stream_.socket().set_option(tcp::no_delay(true), ignored);
  }

  ~Connection() {
    const std::scoped_lock lock(shared_->mutex);
    if (--shared_->count == 0) shared_->all_closed.notify_all();
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start(bool is_welcome) {
    net::dispatch(stream_.get_executor(), [self = shared_from_this(), is_welcome] {
      if (is_welcome) return self->read_head(self->shared_->limits.head_us);
      self->close_after_ = true;
      self->send(self->shared_->handler.refuse(503, "too many connections are open"));
    });
  }

  // One that waits for its next request ends; one that is amid a request ends with its answer.
  void stop() {
    net::post(stream_.get_executor(), [self = shared_from_this()] {
      if (self->is_idle_) self->stream_.cancel();
    });
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  void read_head(std::int64_t time_us) {
    if (shared_->stopping) return;
    parser_.emplace();
    parser_->header_limit(shared_->limits.header_bytes_max);
    parser_->body_limit(shared_->limits.body_bytes_max);
    head_ = HttpRequest();
    is_idle_ = true;
    stream_.expires_after(microseconds(time_us));
    http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
          self->is_idle_ = false;
          self->take_head(error);
        });
  }

  // What came is no request, or too long; a connection that ended says nothing.
  void refuse(ErrorCode error) {
    close_after_ = true;
    if (error == http::error::body_limit) {
      return send(shared_->handler.refuse(
          413, fmt::format("the body is longer than {} bytes", shared_->limits.body_bytes_max)));
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return send(shared_->handler.refuse(
          431,
          fmt::format("the headers are longer than {} bytes", shared_->limits.header_bytes_max)));
    }
    const bool is_end =
        error == http::error::end_of_stream || error == http::error::partial_message;
    if (!is_end && error.category() == http::make_error_code(http::error::bad_method).category())
      send(shared_->handler.refuse(400, "the request is no HTTP: " + error.message()));
  }

  void take_head(ErrorCode error) {
    if (error) return refuse(error);
    const auto& message = parser_->get();
    head_.method = text_of(message.method_string());
    head_.target = text_of(message.target());
    head_.content_type = text_of(message[http::field::content_type]);
    head_.authorization = text_of(message[http::field::authorization]);
    head_.idempotency_key = text_of(message["Idempotency-Key"]);
    if (const auto length = parser_->content_length()) head_.content_length = *length;
    close_after_ = !message.keep_alive();
    if (const std::optional<HttpTarget> target = parse_target(head_.target)) {
      head_.path = target->path;
      head_.query = target->query;
    } else {
      close_after_ = true;
      return send(shared_->handler.refuse(400, "the request's target is no path"));
    }
    if (std::optional<HttpResponse> early = shared_->handler.look(head_)) {
      // What was not read of the body cannot be told from a next request.
      close_after_ = close_after_ || !parser_->is_done();
      return send(*std::move(early));
    }
    if (beast::iequals(message[http::field::expect], "100-continue")) return send_continue();
    read_body();
  }

  void send_continue() {
    static constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
    stream_.expires_after(microseconds(shared_->limits.write_us));
    net::async_write(stream_,
                     net::buffer(kContinue, sizeof(kContinue) - 1),
                     [self = shared_from_this()](ErrorCode error, std::size_t) {
                       if (!error) self->read_body();
                     });
  }

  void read_body() {
    if (parser_->is_done()) return take_body({});
    stream_.expires_after(microseconds(shared_->limits.body_us));
    http::async_read(
        stream_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
          self->take_body(error);
        });
  }

  void take_body(ErrorCode error) {
    if (error) return refuse(error);
    head_.body = std::move(parser_->get().body());
    stream_.expires_never();
    // Copies of the function share the flag: the second answer of a request is none.
    auto answered = std::make_shared<std::atomic<bool>>(false);
    shared_->handler.handle(std::move(head_),
                            [self = shared_from_this(), answered](HttpResponse response) {
                              if (answered->exchange(true)) return;
                              net::dispatch(self->stream_.get_executor(),
                                            [self, response = std::move(response)]() mutable {
                                              self->send(std::move(response));
                                            });
                            });
  }

  void send(HttpResponse response) {
    head_ = HttpRequest();
    close_after_ = close_after_ || shared_->stopping;
    response_ = http::response<http::string_body>(
        http::int_to_status(static_cast<unsigned>(response.status)), 11);
    response_.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers)
      response_.insert(name, value);
    response_.keep_alive(!close_after_);
    response_.body() = std::move(response.body);
    response_.prepare_payload();
    stream_.expires_after(microseconds(shared_->limits.write_us));
    http::async_write(
        stream_, response_, [self = shared_from_this()](ErrorCode error, std::size_t) {
          if (error) return;
          if (self->close_after_) return self->drain();
          self->read_head(self->shared_->limits.idle_us);
        });
  }

  // Closed with bytes unread, a connection is reset, and its answer lost: they are read, for a
  // while.
  void drain() {
    ErrorCode ignored;  // it is closed either way
    ignored = stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(microseconds(kDrainUs));
    drain_more();
  }

  void drain_more() {
    if (drained_ > kDrainBytesMax || shared_->stopping) return;
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(65'536),
                            [self = shared_from_this()](ErrorCode error, std::size_t count) {
                              self->drained_ += count;
                              if (!error) self->drain_more();
                            });
  }

  beast::tcp_stream stream_;
  const std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest head_;
  http::response<http::string_body> response_;
  bool is_idle_ = false;
  bool close_after_ = false;
  std::size_t drained_ = 0;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(Log& log, const HttpLimits& limits, HttpHandler handler)
      : log_(log),
        shared_(std::make_shared<Shared>(limits, std::move(handler))),
        acceptor_(net::make_strand(context_)),
        accept_pause_(acceptor_.get_executor()) {}

  ~BeastServer() override { stop(0); }

  BeastServer(const BeastServer&) = delete;
  BeastServer& operator=(const BeastServer&) = delete;

  Result<void> listen() override {
    const HttpLimits& limits = shared_->limits;
    ErrorCode error;
    const auto address = net::ip::make_address(limits.host, error);
    const tcp::endpoint place(address, limits.port);
    if (!error) error = acceptor_.open(place.protocol(), error);
    if (!error) error = acceptor_.set_option(net::socket_base::reuse_address(true), error);
    if (!error) error = acceptor_.bind(place, error);
    if (!error) error = acceptor_.listen(net::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) {
      return make_error(
          Code::kIo,
          fmt::format("cannot listen at {}:{}: {}", limits.host, limits.port, error.message()),
          "end what listens there, or set another port in serve: {listen: ...}");
    }
    accept();
    for (int i = 0; i < limits.threads; ++i)
      threads_.push_back(std::make_unique<Thread>([this] { run(); }));
    return {};
  }

  std::uint16_t port() const override { return port_; }

  std::int64_t connections() const override {
    const std::scoped_lock lock(shared_->mutex);
    return shared_->count;
  }

  void after(std::int64_t us, std::function<void()> call) override {
    auto timer = std::make_shared<net::steady_timer>(context_, microseconds(us));
    timer->async_wait([timer, call = std::move(call)](ErrorCode error) {
      if (!error) call();
    });
  }

  void stop(std::int64_t grace_us) override {
    if (threads_.empty()) return;
    shared_->stopping = true;
    net::post(acceptor_.get_executor(), [this] {
      ErrorCode ignored;  // nothing is taken from it any more
      ignored = acceptor_.close(ignored);
      accept_pause_.cancel();
    });
    {
      std::unique_lock lock(shared_->mutex);
      for (const std::weak_ptr<Connection>& one : shared_->connections) {
        if (const std::shared_ptr<Connection> connection = one.lock()) {
          connection->stop();
          // The last owner must not go under the lock that its end takes.
          kept_.push_back(connection);
        }
      }
      lock.unlock();
      kept_.clear();
      lock.lock();
      shared_->all_closed.wait_for(
          lock, microseconds(grace_us), [this] { return shared_->count == 0; });
    }
    context_.stop();
    threads_.clear();
  }

 private:
  // A handler that throws ends its connection, not the daemon.
  void run() {
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception& exception) {
        log_.error(fmt::format("a request failed: {}", exception.what()));
      }
    }
  }

  void accept() {
    acceptor_.async_accept(net::make_strand(context_), [this](ErrorCode error, tcp::socket socket) {
      if (shared_->stopping) return;
      if (error) return accept_later(error);
      welcome(std::move(socket));
      accept();
    });
  }

  // No descriptor is left, as a rule: connections that end give theirs back.
  void accept_later(ErrorCode error) {
    log_.warning(fmt::format("a connection was not accepted: {}", error.message()));
    accept_pause_.expires_after(microseconds(kAcceptPauseUs));
    accept_pause_.async_wait([this](ErrorCode stopped) {
      if (!stopped) accept();
    });
  }

  void welcome(tcp::socket socket) {
    bool is_welcome = false;
    std::shared_ptr<Connection> connection;
    {
      const std::scoped_lock lock(shared_->mutex);
      is_welcome = shared_->count < shared_->limits.connections_max;
      // Some are told why; behind them they are just closed.
      if (shared_->count >= 2 * shared_->limits.connections_max) return;
      ++shared_->count;
      connection = std::make_shared<Connection>(std::move(socket), shared_);
      std::erase_if(shared_->connections, [](const auto& one) { return one.expired(); });
      shared_->connections.push_back(connection);
    }
    connection->start(is_welcome);
  }

  Log& log_;
  const std::shared_ptr<Shared> shared_;
  net::io_context context_;
  tcp::acceptor acceptor_;
  net::steady_timer accept_pause_;
  std::uint16_t port_ = 0;
  std::vector<std::shared_ptr<Connection>> kept_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace

std::unique_ptr<HttpServer> HttpServer::make(Log& log,
                                             const HttpLimits& limits,
                                             HttpHandler handler) {
  return std::make_unique<BeastServer>(log, limits, std::move(handler));
}

}  // namespace lockstep
