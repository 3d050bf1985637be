// How the sources are: at work, failing, or paused by command. A pause outlives the process.
#include "sync/configuration_references.h"
#include "sync/engine_load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kRetryUs = 500'000;
constexpr std::int64_t kWarningUs = 1'000'000;
constexpr std::int64_t kRetryUsMax = 30'000'000;
constexpr std::uint64_t kPausesBytesMax = 1 << 20;

std::string pauses_path(const Configuration& configuration) {
  return configuration.hub.catalog.substr(7) + ".paused";
}

}  // namespace

// It is opened again: at once the first time, and ever later as long as it gives nothing.
void HubEngine::fail(Feed& feed, Error error) {
  feed.source.reset();
  feed.error = std::move(error);
  feed.retry_at_us = io_.monotonic_us() + feed.retry_pause_us;
  feed.retry_pause_us = std::clamp(2 * feed.retry_pause_us, kRetryUs, kRetryUsMax);
}

// The same, told by the sync that is under way.
void HubEngine::fail(Feed& feed, Error error, SyncTotals& totals) {
  fail(feed, std::move(error));
  totals.stop(feed.configuration->name, *feed.error);
}

// Of sources that are no longer configured nothing is kept.
Result<void> HubEngine::read_pauses() {
  const Result<std::string> text = read_file(io_, pauses_path(configuration_), kPausesBytesMax);
  if (!text.ok() && text.error().code == Code::kNotFound) return {};
  const Json names = Json::parse(TRY(text), nullptr, false);
  if (!names.is_array()) {
    return make_error(Code::kCorrupt,
                      fmt::format("{} is no list of sources", pauses_path(configuration_)),
                      "delete it: then no source is paused");
  }
  for (Feed& feed : feeds_)
    feed.paused = std::ranges::find(names, Json(feed.configuration->name)) != names.end();
  return {};
}

Result<HubEngine::Feed*> HubEngine::feed_of(const std::string& source) {
  std::vector<std::string> names;
  for (Feed& feed : feeds_) {
    if (feed.configuration->name == source) return &feed;
    names.push_back(feed.configuration->name);
  }
  const std::optional<std::string> near = nearest(source, names);
  return make_error(Code::kNotFound,
                    fmt::format("there is no source '{}'", source),
                    near ? fmt::format("did you mean {}?", *near)
                         : fmt::format("there are: {}", fmt::join(names, ", ")));
}

Result<Json> HubEngine::set_paused(const std::string& source, bool paused) {
  Feed& feed = *TRY(feed_of(source));
  const bool was_paused = std::exchange(feed.paused, paused);
  Json names = Json::array();
  for (const Feed& one : feeds_) {
    if (one.paused) names.push_back(one.configuration->name);
  }
  const Result<void> kept =
      write_file_atomically(io_, pauses_path(configuration_), names.dump() + "\n");
  if (!kept.ok()) {
    feed.paused = was_paused;
    return kept.error();
  }
  // It lets go of its connection; its position stays.
  if (paused) feed.source.reset();
  feed.error.reset();
  feed.retry_pause_us = 0;
  return Json{{"source", source}, {"paused", paused}, {"unchanged", was_paused == paused}};
}

// Reads it all anew, and changes what differs: for a source whose position is worth nothing now.
Result<Json> HubEngine::resync(const std::string& source) {
  Feed& feed = *TRY(feed_of(source));
  if (feed.paused) {
    return make_error(Code::kRefused,
                      fmt::format("source '{}' is paused", source),
                      fmt::format("lockstep resume {}", source));
  }
  if (!has_tables(*feed.configuration)) {
    return make_error(Code::kUnsupported,
                      fmt::format("source '{}' is of type {}, which has no tables to copy anew",
                                  source,
                                  feed.configuration->type),
                      "a file that changed is read again by itself, and what is pushed again "
                      "changes nothing");
  }
  feed.source.reset();
  feed.error.reset();
  feed.retry_at_us = 0;
  feed.anew = true;
  return sync();
}

// Whether a source may have something, within the time.
bool HubEngine::has_something(Feed& feed, std::int64_t timeout_us) {
  if (feed.paused) {
    io_.sleep_us(timeout_us);
    return false;
  }
  if (!feed.source) {
    const std::int64_t pause_us =
        feed.error ? feed.retry_at_us - io_.monotonic_us() : std::int64_t{0};
    const std::int64_t waited_us = feed.error ? std::min(timeout_us, pause_us) : timeout_us;
    if (waited_us > 0) io_.sleep_us(waited_us);
    return pause_us <= timeout_us;  // it failed or knew no columns: it is tried again
  }
  const Result<bool> waits = feed.source->wait(timeout_us);
  if (waits.ok() && !waits.value()) return false;
  if (!waits.ok()) fail(feed, waits.error());
  return true;
}

// A source that can be woken is waited for, and the others are asked in between: whoever brings
// something is heard at once, however many sources there are.
Result<bool> HubEngine::wait_for_sources(std::int64_t timeout_us) {
  constexpr std::int64_t kBetweenUs = 2'000;
  const auto wakes = [](const Feed& feed) {
    return !feed.paused && feed.source && feed.source->capabilities().wakes;
  };
  const auto waker = std::ranges::find_if(feeds_, wakes);
  if (waker == feeds_.end()) {
    const std::int64_t share =
        std::max<std::int64_t>(1'000, timeout_us / static_cast<std::int64_t>(feeds_.size()));
    return std::ranges::any_of(feeds_, [&](Feed& feed) { return has_something(feed, share); });
  }
  const std::int64_t end_us = io_.monotonic_us() + timeout_us;
  while (true) {
    for (Feed& feed : feeds_) {
      if (&feed != &*waker && !feed.paused && feed.source && has_something(feed, 0)) return true;
    }
    const std::int64_t left_us = end_us - io_.monotonic_us();
    const std::int64_t slice_us = feeds_.size() == 1 ? left_us : std::min(left_us, kBetweenUs);
    if (has_something(*waker, std::max<std::int64_t>(0, slice_us))) return true;
    if (left_us <= slice_us) break;
  }
  // Those that failed are tried again when their time has come.
  return std::ranges::any_of(feeds_, [&](Feed& feed) {
    return !feed.source && !feed.paused && (!feed.error || io_.monotonic_us() >= feed.retry_at_us);
  });
}

// How each source is, for `status`.
Json HubEngine::source_states() {
  Json out = Json::array();
  for (const Feed& feed : feeds_) {
    Json one;
    one["name"] = feed.configuration->name;
    const std::vector<SourceFinding> warnings =
        feed.source ? feed.source->warnings() : std::vector<SourceFinding>();
    const bool is_endangered = !warnings.empty();
    one["state"] = feed.paused     ? "paused"
                   : feed.error    ? "failing"
                   : is_endangered ? "endangered"
                                   : "running";
    one["error"] = nullptr;
    one["hint"] = nullptr;
    if (is_endangered) {
      one["error"] = warnings.front().text;
      one["hint"] = warnings.front().hint;
    }
    if (feed.error) {
      one["error"] = feed.error->message;
      one["hint"] = feed.error->hint;
    }
    const std::int64_t left_us = feed.retry_at_us - io_.monotonic_us();
    one["retry_s"] = feed.error
                         ? Json(static_cast<double>(std::max<std::int64_t>(0, left_us)) / 1e6)
                         : Json(nullptr);
    const SourceLag lag = feed.source ? feed.source->lag() : SourceLag{};
    one["lag"] = {{"bytes", lag.bytes ? Json(*lag.bytes) : Json(nullptr)},
                  {"messages", lag.messages ? Json(*lag.messages) : Json(nullptr)},
                  {"s", lag.us ? Json(static_cast<double>(*lag.us) / 1e6) : Json(nullptr)},
                  {"safe_bytes", lag.safe_bytes ? Json(*lag.safe_bytes) : Json(nullptr)}};
    out.push_back(std::move(one));
  }
  return out;
}

// What endangers a source though it works is logged once, and when it is over.
void HubEngine::mind_sources() {
  if (io_.monotonic_us() < next_warning_us_) return;
  next_warning_us_ = io_.monotonic_us() + kWarningUs;
  for (Feed& feed : feeds_) {
    if (!feed.source) continue;
    const std::vector<SourceFinding> warnings = feed.source->warnings();
    const bool was_endangered = !feed.warned.empty();
    if (warnings.empty() && was_endangered)
      log_.info(fmt::format("source '{}' is no longer in danger", feed.configuration->name));
    if (!warnings.empty() && !was_endangered) {
      log_.warning(fmt::format("source '{}': {} ({})",
                               feed.configuration->name,
                               warnings.front().text,
                               warnings.front().hint));
    }
    feed.warned = warnings.empty() ? "" : warnings.front().text;
  }
}

}  // namespace lockstep
