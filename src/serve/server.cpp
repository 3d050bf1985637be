#include "serve/endpoints.h"
#include "serve/http_server.h"
#include "serve/parts.h"
#include "serve/serve.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kListenUs = 5'000'000;
constexpr std::int64_t kListenAgainUs = 100'000;
constexpr std::int64_t kLatePushesUs = 1'000'000;
constexpr std::int64_t kGraceUs = 3'000'000;

class HttpSurface final : public Server, public Surface {
 public:
  HttpSurface(Io& io, Log& log, const Configuration& configuration)
      : io_(io),
        log_(log),
        configuration_(configuration),
        board_(io, configuration),
        pushes_(configuration.serve.queue_bytes_max),
        parts_{.io = io,
               .configuration = configuration,
               .board = board_,
               .pushes = pushes_,
               .after = [this](std::int64_t us,
                               std::function<void()> call) { http_->after(us, std::move(call)); }},
        endpoints_(parts_, [this] { return http_->connections(); }) {}

  // Whoever still waits is told so, and hears it.
  ~HttpSurface() override {
    pushes_.end();
    if (http_) http_->stop(kGraceUs);
  }

  HttpSurface(const HttpSurface&) = delete;
  HttpSurface& operator=(const HttpSurface&) = delete;

  Result<void> listen() {
    const ServeConfiguration& serve = configuration_.serve;
    HttpLimits limits;
    limits.host = serve.host;
    limits.port = serve.port;
    limits.body_bytes_max = serve.body_bytes_max;
    limits.connections_max = serve.connections_max;
    // Whoever comes at once finds it in its place.
    http_ = HttpServer::make(log_, limits, handler());
    TRY(http_->listen());
    const std::string host =
        serve.host.find(':') == std::string::npos ? serve.host : fmt::format("[{}]", serve.host);
    const std::string address = fmt::format("{}:{}", host, http_->port());
    {
      const std::scoped_lock lock(mutex_);
      address_ = address;
    }
    log_.info(fmt::format("listening at http://{}", address));
    look_at_late_pushes();
    return {};
  }

  Surface& surface() override { return *this; }

  PushDesk& pushes() override { return pushes_; }

  // ---- told by the writer
  Result<void> opened() override {
    // The one that wrote before may still be ending.
    for (std::int64_t waited = 0; address().empty(); waited += kListenAgainUs) {
      Result<void> listening = listen();
      if (!listening.ok() && waited >= kListenUs) return listening;
      if (!listening.ok()) io_.sleep_us(kListenAgainUs);
    }
    board_.set_standing(WriterStanding::kWriting);
    return {};
  }

  void champion(std::shared_ptr<const Champion> champion) override {
    board_.put(std::move(champion));
  }

  void committed(const CommitNews& news) override { board_.add(news); }

  void sources(const Json& states) override { board_.put_sources(states); }

  void standing_by() override { board_.set_standing(WriterStanding::kStandingBy); }

  void closed() override { board_.set_standing(WriterStanding::kOpening); }

  std::string address() const override {
    const std::scoped_lock lock(mutex_);
    return address_;
  }

 private:
  HttpHandler handler() {
    HttpHandler handler;
    handler.look = [this](HttpRequest& head) { return endpoints_.look(head); };
    handler.handle = [this](HttpRequest request, HttpRespond respond) {
      endpoints_.take(std::move(request), std::move(respond));
    };
    handler.refuse = [this](int status, const std::string& message) {
      return endpoints_.refuse(status, message);
    };
    return handler;
  }

  void look_at_late_pushes() {
    http_->after(kLatePushesUs, [this] {
      answer_late_pushes(parts_);
      look_at_late_pushes();
    });
  }

  Io& io_;
  Log& log_;
  const Configuration& configuration_;
  Board board_;
  mutable std::mutex mutex_;
  std::string address_;  // guarded by mutex_
  // Answers that the desk still holds are dropped before the connections that they are for.
  std::unique_ptr<HttpServer> http_;
  PushDesk pushes_;
  ServeParts parts_;
  Endpoints endpoints_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Io& io,
                                              Log& log,
                                              const Configuration& configuration) {
  auto server = std::make_unique<HttpSurface>(io, log, configuration);
  // Another process may hold the address as long as it writes: it is tried again then.
  if (const Result<void> listening = server->listen(); !listening.ok())
    log.warning(listening.error().message);
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace lockstep
