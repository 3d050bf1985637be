// Changes come in: what may be pushed now, and what its sender hears.
#include "base/hash.h"
#include "serve/answers.h"
#include "serve/parts.h"
#include "sync/configuration_serve.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

constexpr std::size_t kKeyLengthMax = 255;
constexpr std::int64_t kPushTimeoutUs = 60'000'000;
constexpr std::int64_t kPausedRetryS = 10;

struct MediaType {
  std::string_view name;
  PushFormat format;
};

constexpr std::array kMediaTypes = {
    MediaType{"application/json", PushFormat::kJson},
    MediaType{"application/x-ndjson", PushFormat::kNdjson},
    MediaType{"application/jsonl", PushFormat::kNdjson},
    MediaType{"text/csv", PushFormat::kCsv},
    MediaType{"application/vnd.apache.arrow.stream", PushFormat::kArrow},
    MediaType{"application/vnd.apache.parquet", PushFormat::kParquet},
};

// "Text/CSV; charset=utf-8" is text/csv.
std::optional<PushFormat> format_of_media(const std::string& content_type) {
  std::string name = content_type.substr(0, content_type.find(';'));
  while (name.ends_with(' '))
    name.pop_back();
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const MediaType& known : kMediaTypes) {
    if (known.name == name) return known.format;
  }
  return std::nullopt;
}

HttpResponse unknown_media(const std::string& content_type) {
  std::vector<std::string_view> names;
  for (const MediaType& known : kMediaTypes)
    names.push_back(known.name);
  return error_response(
      415,
      make_error(Code::kUnsupported,
                 content_type.empty()
                     ? std::string("the request has no Content-Type")
                     : fmt::format("the Content-Type '{}' is not taken", content_type),
                 fmt::format("send one of: {}", fmt::join(names, ", "))));
}

// The parameters of a push.
struct PushQuery {
  std::optional<Operation> operation;
  bool is_strict = false;
  bool waits = true;
};

Result<bool> flag_of_query(const HttpRequest& request, const std::string& name, bool fallback) {
  const auto given = request.query.find(name);
  if (given == request.query.end()) return fallback;
  if (given->second == "true") return true;
  if (given->second == "false") return false;
  return invalid(fmt::format("{} is '{}'", name, given->second), "write true or false");
}

Result<PushQuery> query_of_push(const HttpRequest& request) {
  const std::vector<std::string> known = {"operation", "strict", "wait"};
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return invalid(fmt::format("there is no parameter '{}'", name),
                   fmt::format("there are: {}", fmt::join(known, ", ")));
  }
  PushQuery query;
  query.is_strict = TRY(flag_of_query(request, "strict", false));
  query.waits = TRY(flag_of_query(request, "wait", true));
  const auto operation = request.query.find("operation");
  if (operation == request.query.end()) return query;
  if (operation->second == "insert") query.operation = Operation::kInsert;
  if (operation->second == "upsert") query.operation = Operation::kUpsert;
  if (operation->second == "delete") query.operation = Operation::kDelete;
  if (query.operation) return query;
  return invalid(fmt::format("the operation '{}' is not known", operation->second),
                 "write insert, upsert or delete");
}

Result<void> check_key(const std::string& key) {
  const bool plain = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
  if (plain && key.size() <= kKeyLengthMax) return {};
  return invalid(
      "the Idempotency-Key is longer than 255 characters, or has others than visible "
      "ASCII",
      "a UUID will do");
}

std::string random_token(Io& io) {
  std::array<std::byte, 16> bytes;
  io.random_bytes(bytes);
  std::string token;
  for (const std::byte byte : bytes)
    token += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return token;
}

// All that a push asks for: another body, or the same one to be done otherwise, is another push.
std::string hash_of_push(const std::string& dataset, const Push& push) {
  Sha256 hash;
  const int operation = push.operation ? static_cast<int>(*push.operation) : -1;
  hash.add(fmt::format(
      "{} {} {} {} ", dataset, static_cast<int>(push.format), operation, push.is_strict));
  hash.add(push.body);
  return hash.hex();
}

Result<const SourceConfiguration*> source_of_push(const Configuration& configuration,
                                                  const std::string& name) {
  const DatasetConfiguration* const dataset = configuration.dataset(name);
  if (dataset == nullptr) {
    std::vector<std::string> names;
    for (const DatasetConfiguration& one : configuration.datasets)
      names.push_back(one.name);
    const std::optional<std::string> near = nearest(name, names);
    return make_error(Code::kNotFound,
                      fmt::format("there is no dataset '{}'", name),
                      near ? fmt::format("did you mean {}?", *near)
                           : fmt::format("there are: {}", fmt::join(names, ", ")));
  }
  const SourceConfiguration* const source = push_source_of(configuration, *dataset);
  if (source != nullptr) return source;
  return make_error(Code::kNotFound,
                    fmt::format("dataset '{}' takes no pushes", name),
                    "add a source {type: http} to its from");
}

// Why nothing can be pushed to the source now; nullopt: it can.
std::optional<HttpResponse> not_now(const ServeParts& parts, const std::string& source) {
  if (parts.board.standing() == WriterStanding::kStandingBy) {
    return later_response(503,
                          make_error(Code::kLocked,
                                     "another process writes to the hub, and this one stands by",
                                     "send it to that one"));
  }
  if (parts.pushes.is_open(source)) return std::nullopt;
  if (parts.board.is_paused(source)) {
    return later_response(503,
                          make_error(Code::kRefused,
                                     fmt::format("source '{}' is paused", source),
                                     fmt::format("lockstep resume {}", source)),
                          kPausedRetryS);
  }
  return later_response(503,
                        make_error(Code::kIo,
                                   fmt::format("source '{}' is not open", source),
                                   "see /v1/status; it may be opening, or ending"));
}

HttpResponse queue_is_full() {
  return later_response(
      429,
      make_error(Code::kRefused,
                 "as much waits to be committed as serve: {queue_max: ...} allows",
                 "send it again a little later"));
}

// The body's bytes count from before it is read. A chunked one counts as the longest that is taken.
bool reserve(ServeParts& parts, HttpRequest& head) {
  const ServeConfiguration& serve = parts.configuration.serve;
  const std::uint64_t bytes = head.content_length.value_or(serve.body_bytes_max);
  const std::uint64_t before = parts.reading_bytes.fetch_add(bytes);
  head.lease = std::shared_ptr<void>(
      &parts, [bytes](void* shared) { static_cast<ServeParts*>(shared)->reading_bytes -= bytes; });
  return before + bytes + parts.pushes.bytes() <= serve.queue_bytes_max;
}

HttpResponse not_yet_committed() {
  return later_response(503,
                        make_error(Code::kInterrupted,
                                   "the push is not committed yet, and may still be",
                                   "send it again with its Idempotency-Key: it is applied once"));
}

}  // namespace

std::optional<HttpResponse> look_at_push(ServeParts& parts,
                                         const std::string& dataset,
                                         HttpRequest& head) {
  const auto source = source_of_push(parts.configuration, dataset);
  if (!source.ok()) return error_response(source.error());
  if (!format_of_media(head.content_type)) return unknown_media(head.content_type);
  if (const auto query = query_of_push(head); !query.ok()) return error_response(query.error());
  if (const auto key = check_key(head.idempotency_key); !key.ok())
    return error_response(key.error());
  if (auto response = not_now(parts, source.value()->name)) return response;
  if (!reserve(parts, head)) return queue_is_full();
  return std::nullopt;
}

void take_push(ServeParts& parts,
               const std::string& dataset,
               HttpRequest request,
               HttpRespond respond) {
  // They were looked at with the headers.
  const SourceConfiguration& source = *source_of_push(parts.configuration, dataset).value();
  const PushQuery query = query_of_push(request).value();
  Push push;
  push.source = source.name;
  push.token = random_token(parts.io);
  push.key = request.idempotency_key;
  push.format = *format_of_media(request.content_type);
  push.operation = query.operation;
  push.is_strict = query.is_strict;
  push.is_kept = !query.waits;
  push.received_us = parts.io.now_us();
  push.body = std::move(request.body);
  if (!push.key.empty()) push.sha256 = hash_of_push(dataset, push);
  request.lease.reset();  // the desk counts it from here on
  const std::string token = push.token;
  const auto late = std::make_shared<LateAnswer>(std::move(respond));
  PushDesk::Answered answered;
  if (query.waits) {
    answered = [late](const PushAnswer& answer) { late->give(push_response(answer)); };
    parts.late.add(late, parts.io.monotonic_us() + kPushTimeoutUs);
  }
  switch (parts.pushes.offer(std::move(push), std::move(answered))) {
    case PushDesk::Taken::kYes:
      if (!query.waits) late->give(json_response(202, {{"token", token}}));
      return;
    case PushDesk::Taken::kFull:
      return late->give(queue_is_full());
    case PushDesk::Taken::kUnderWay:
      return late->give(later_response(
          409,
          make_error(Code::kRefused,
                     fmt::format("a push with the key '{}' is under way", request.idempotency_key),
                     "wait for its answer, then send it again to hear it")));
    case PushDesk::Taken::kClosed:
      return late->give(not_now(parts, source.name).value_or(queue_is_full()));
  }
}

void answer_late_pushes(ServeParts& parts) {
  for (const auto& late : parts.late.take_over(parts.io.monotonic_us()))
    late->give(not_yet_committed());
}

HttpResponse push_response(const PushAnswer& answer) {
  using enum PushAnswer::Kind;
  switch (answer.kind) {
    case kDone:
    case kRepeated: {
      HttpResponse response;
      response.body = answer.json + "\n";
      if (answer.kind == kRepeated) response.headers.emplace_back("Idempotency-Replayed", "true");
      return response;
    }
    case kUnreadable:
      return error_response(400, answer.error);
    case kOtherBody:
    case kBadRows:
      return error_response(422, answer.error);
    case kFailed:
      return later_response(503, answer.error);
  }
  return error_response(500, answer.error);
}

}  // namespace lockstep
