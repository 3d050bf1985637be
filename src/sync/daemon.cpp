// `lockstep run`: sync, wait, sync again; and commands from the hub's socket in between. One
// thread: a command and a commit never meet. While another process writes it stands by, and takes
// over when that one's lock is free.
#include "sync/surface.h"
#include "sync/sync.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace lockstep {
namespace {

constexpr std::int64_t kWaitUs = 200'000;
// A change ends it, a caller does not: he is heard after it.
constexpr std::int64_t kWaitForChangesUs = 50'000;
constexpr std::int64_t kRequestUs = 5'000'000;
constexpr std::size_t kMessageBytesMax = 64 << 20;
constexpr std::int64_t kStandByUs = 200'000;
constexpr std::int64_t kShowSourcesUs = 1'000'000;
constexpr std::int64_t kOpenRetryUs = 1'000'000;
constexpr std::int64_t kOpenRetryUsMax = 60'000'000;

std::string socket_path(const Configuration& configuration) {
  return join_path(parent_path(configuration.hub.catalog.substr(7)), "lockstep.sock");
}

// One message is one line of JSON. Empty: the other side closed without one.
Result<std::string> read_line(Connection& connection, std::int64_t timeout_us) {
  std::string line;
  std::array<std::byte, 65'536> buffer;
  while (line.size() < kMessageBytesMax) {
    const std::size_t count = TRY(connection.read(buffer, timeout_us));
    if (count == 0 && line.empty()) return std::string();
    if (count == 0) return make_error(Code::kIo, "the other side closed the connection");
    line.append(reinterpret_cast<const char*>(buffer.data()), count);
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return invalid("a message is longer than 64 MiB");
}

Result<void> write_line(Connection& connection, const Json& message) {
  const std::string line = message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return connection.write(std::as_bytes(std::span(line)));
}

Json error_json(const Error& error) {
  return {
      {"error",
       {{"code", code_info(error.code).name}, {"message", error.message}, {"hint", error.hint}}}};
}

Error error_of(const Json& json) {
  Error error;
  error.code = Code::kIo;
  const auto name = json.value("code", std::string());
  for (int code = 0; code <= static_cast<int>(Code::kInterrupted); ++code) {
    if (name == code_info(static_cast<Code>(code)).name) error.code = static_cast<Code>(code);
  }
  error.message = json.value("message", std::string("the daemon gave no message"));
  error.hint = json.value("hint", std::string());
  return error;
}

Result<void> answer(Connection& connection, Engine& engine) {
  const std::string line = TRY(read_line(connection, kRequestUs));
  if (line.empty()) return {};  // somebody looked whether a daemon is here
  const Json command = Json::parse(line, nullptr, false);
  if (command.is_discarded())
    return write_line(connection, error_json(invalid("the command is no JSON")));
  Result<Json> result = engine.execute(command);
  return write_line(connection,
                    result.ok() ? Json{{"result", result.value()}} : error_json(result.error()));
}

// Rows came, or a version whose time had come.
bool has_news(const Json& report) {
  return report.at("commits").get<std::int64_t>() > 0 || !report.at("versions").empty();
}

void log_sync(Log& log, const Json& report) {
  for (const Json& error : report.at("errors")) {
    log.error(fmt::format("{} ({})", error.value("message", ""), error.value("hint", "")));
  }
  if (!has_news(report)) return;
  const Json& changes = report.at("changes");
  std::string text = fmt::format("snapshot {}: +{} ~{} -{} rows, {} rejected",
                                 report.at("snapshot").get<std::int64_t>(),
                                 changes.at("inserted").get<std::int64_t>(),
                                 changes.at("updated").get<std::int64_t>(),
                                 changes.at("deleted").get<std::int64_t>(),
                                 report.at("rejected").get<std::int64_t>());
  for (const Json& version : report.at("versions")) {
    text += fmt::format(", {} v{} {}",
                        version.at("model").get<std::string>(),
                        version.at("version").get<std::int64_t>(),
                        version.at("status").get<std::string>());
  }
  log.info(text);
}

// What the surface is told of the sources: now and then, since to know what is left a source may
// have to look at its folders.
void show_sources(Io& io, Engine& engine, Surface* surface, std::int64_t& next_us) {
  if (surface == nullptr || io.monotonic_us() < next_us) return;
  next_us = io.monotonic_us() + kShowSourcesUs;
  const Result<Json> states = engine.execute(Json{{"command", "sources"}});
  if (states.ok()) surface->sources(states.value());
}

// Resource. What one that serves holds: the hub's lock and its socket. The socket goes first.
struct Post {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Listener> listener;
};

// Works until told to stop, or until the engine fails; then the post is free.
Result<void> serve(Io& io, Log& log, const Post post, const DaemonOptions& options) {
  const auto stopping = [&] { return options.engine.stop && options.engine.stop(); };
  std::string last_error;
  std::int64_t next_show_us = 0;
  while (!stopping()) {
    const Json report = TRY(post.engine->sync());
    const std::string errors = report.at("errors").dump();
    // An error that stays the same is told once, not five times a second.
    if (errors != last_error || has_news(report)) log_sync(log, report);
    last_error = errors;
    bool changed = false;
    while (!changed && !stopping()) {
      std::unique_ptr<Connection> caller = TRY(post.listener->accept(0));
      if (caller) {
        Result<void> answered = answer(*caller, *post.engine);
        if (!answered.ok())
          log.warning(fmt::format("a caller was not answered: {}", answered.error().message));
        next_show_us = 0;  // he may have paused one
      }
      show_sources(io, *post.engine, options.engine.surface, next_show_us);
      // However many callers there are, the sources are looked at between two of them.
      post.engine->tend();
      changed = TRY(post.engine->wait(caller ? 0 : kWaitForChangesUs));
    }
  }
  return {};
}

Result<Post> take_post(Io& io,
                       Log& log,
                       const Configuration& configuration,
                       const DaemonOptions& options) {
  Post post;
  post.engine = TRY(Engine::open(io, log, configuration, options.engine));
  post.listener = TRY(io.listen_local(socket_path(configuration)));
  return post;
}

}  // namespace

Result<void> run_daemon(Io& io,
                        Log& log,
                        const Configuration& configuration,
                        const DaemonOptions& options) {
  const auto stopping = [&] { return options.engine.stop && options.engine.stop(); };
  Surface* const surface = options.engine.surface;
  std::int64_t pause_us = kOpenRetryUs;
  bool started = false;
  std::string standing_by;  // why, as it was told
  while (!stopping()) {
    Result<Post> post = take_post(io, log, configuration, options);
    if (!post.ok() && post.error().code == Code::kLocked) {
      const std::string& why = post.error().message;
      if (why != standing_by) log.info(fmt::format("standing by: {}", why));
      standing_by = why;
      if (surface != nullptr) surface->standing_by();
      io.sleep_us(kStandByUs);
      continue;
    }
    if (!post.ok() && !started) return std::move(post).error();
    Result<void> served;
    if (post.ok()) {
      if (!started || !standing_by.empty())
        log.info(fmt::format("running on {}", configuration.hub.catalog));
      standing_by.clear();
      started = true;
      served = surface == nullptr ? Result<void>() : surface->opened();
      if (!served.ok()) return served;
      served = serve(io, log, std::move(post).value(), options);
      if (surface != nullptr) surface->closed();
      if (served.ok()) break;
      pause_us = kOpenRetryUs;
    } else {
      served = std::move(post).error();
      pause_us = std::min(2 * pause_us, kOpenRetryUsMax);
    }
    log.error(fmt::format(
        "{}; opening the hub again in {} s", served.error().message, pause_us / 1'000'000));
    for (std::int64_t waited = 0; waited < pause_us && !stopping(); waited += kWaitUs)
      io.sleep_us(kWaitUs);
  }
  log.info("stopped");
  return {};
}

Result<std::optional<Json>> ask_daemon(Io& io,
                                       const Configuration& configuration,
                                       const Json& command,
                                       std::int64_t timeout_us) {
  Result<std::unique_ptr<Connection>> connection = io.connect_local(socket_path(configuration));
  // No socket, or one that a dead daemon left: nobody to ask.
  if (!connection.ok()) return std::optional<Json>();
  TRY(write_line(*connection.value(), command));
  const std::string line = TRY_IN(read_line(*connection.value(), timeout_us), "asking the daemon");
  if (line.empty()) {
    return make_error(Code::kIo,
                      "the daemon ended before it answered",
                      "lockstep log shows whether the command was done");
  }
  const Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded() || !answer.is_object())
    return make_error(Code::kCorrupt, "the daemon's answer is no JSON");
  if (answer.contains("error")) return error_of(answer.at("error"));
  return std::optional<Json>(answer.at("result"));
}

std::optional<std::int64_t> daemon_process(Io& io, const Configuration& configuration) {
  if (!io.connect_local(socket_path(configuration)).ok()) return std::nullopt;
  // The hub writes down who holds it: "process 1234".
  constexpr std::uint64_t kOwnerBytesMax = 1024;
  const Result<std::string> owner =
      read_file(io, configuration.hub.catalog.substr(7) + ".writer", kOwnerBytesMax);
  if (!owner.ok()) return std::nullopt;
  const std::string digits = owner.value().substr(owner.value().find(' ') + 1);
  std::int64_t process = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), process);
  return error == std::errc() ? std::optional(process) : std::nullopt;
}

}  // namespace lockstep
