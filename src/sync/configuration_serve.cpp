#include "sync/configuration_serve.h"

#include "sync/configuration_tables.h"

#include <fmt/format.h>

#include <charconv>

namespace lockstep {
namespace {

constexpr std::size_t kTokenLengthMin = 16;

// "127.0.0.1:8080" or "[::1]:8080".
Result<void> parse_listen(const std::string& text, const Mark& mark, ServeConfiguration& serve) {
  const std::size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? std::string() : text.substr(0, colon);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const std::string port = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), serve.port);
  const bool plain = host.find_first_not_of("0123456789.") == std::string::npos;
  const bool six =
      in_brackets && host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
  if (error != std::errc() || end != port.data() + port.size() || host.empty() || !(plain || six)) {
    return invalid_at(mark,
                      fmt::format("'{}' is no address to listen at", text),
                      "write 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080");
  }
  serve.host = host;
  return {};
}

bool is_of_this_machine(const std::string& host) {
  return host.starts_with("127.") || host == "::1";
}

}  // namespace

Result<ServeConfiguration> parse_serve(const Node& written, const Node& node) {
  const Settings settings = TRY(Settings::parse(node, kServeSettings, "serve"));
  ServeConfiguration serve;
  serve.enabled = true;
  serve.mark = node.mark;
  TRY(parse_listen(settings.text("listen"), settings.given("listen")->mark, serve));
  serve.body_bytes_max = static_cast<std::uint64_t>(settings.bytes("body_max"));
  serve.queue_bytes_max = static_cast<std::uint64_t>(settings.bytes("queue_max"));
  serve.connections_max = settings.integer("connections_max");
  if (settings.has("token")) {
    serve.token = settings.text("token");
    const Node* token = written.find("token");
    if (token != nullptr && token->scalar.find("${") == std::string::npos) {
      return invalid_at(token->mark,
                        "the token stands in the configuration itself, which the hub keeps",
                        "write ${LOCKSTEP_TOKEN} or ${file:token.txt}");
    }
    while (serve.token.ends_with('\n') || serve.token.ends_with('\r'))
      serve.token.pop_back();
    if (serve.token.size() < kTokenLengthMin) {
      return invalid_at(settings.given("token")->mark,
                        fmt::format("the token has fewer than {} characters", kTokenLengthMin),
                        "make one: openssl rand -hex 32");
    }
  }
  if (serve.queue_bytes_max < serve.body_bytes_max) {
    return invalid_at(node.mark,
                      "queue_max is less than body_max: the longest body would never be taken",
                      "raise queue_max, or lower body_max");
  }
  if (is_of_this_machine(serve.host) || !serve.token.empty()) return serve;
  return invalid_at(
      settings.given("listen")->mark,
      fmt::format("'{}' can be reached from other machines, and nothing asks callers who they are",
                  settings.text("listen")),
      "listen at 127.0.0.1, or set token: ${LOCKSTEP_TOKEN}");
}

const SourceConfiguration* push_source_of(const Configuration& configuration,
                                          const DatasetConfiguration& dataset) {
  for (const std::string& name : dataset.from) {
    const SourceConfiguration* source = configuration.source(name);
    if (source != nullptr && source->type == "http") return source;
  }
  return nullptr;
}

Result<void> check_pushed_datasets(const Configuration& configuration) {
  for (const DatasetConfiguration& dataset : configuration.datasets) {
    const SourceConfiguration* const first = push_source_of(configuration, dataset);
    if (first == nullptr) continue;
    for (const std::string& name : dataset.from) {
      const SourceConfiguration* const other = configuration.source(name);
      if (other == nullptr || other == first || other->type != "http") continue;
      return invalid_at(dataset.mark,
                        fmt::format("dataset '{}' has two sources of type http, '{}' and '{}'",
                                    dataset.name,
                                    first->name,
                                    other->name),
                        "leave one of them: each push goes to the dataset's only one");
    }
    if (!configuration.serve.enabled) {
      return invalid_at(
          first->mark,
          fmt::format("source '{}' takes pushes over HTTP, and nothing listens", first->name),
          "add serve: {listen: \"127.0.0.1:8080\"}");
    }
    if (dataset.columns.size() == 0 && dataset.from.size() == 1) {
      return invalid_at(
          dataset.mark,
          fmt::format("dataset '{}' is only pushed to, and declares no columns", dataset.name),
          "write columns: {age: int, weight: float}");
    }
  }
  return {};
}

}  // namespace lockstep
