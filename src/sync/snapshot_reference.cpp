// What a text names: a snapshot by its number, by a time, or counted from the newest.
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <charconv>

namespace lockstep {
namespace {

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// "2026-11-20T08:00", also without a time of day, which is midnight; UTC unless it says otherwise.
std::optional<Timestamp> moment(const std::string& text) {
  constexpr std::size_t kDateLength = 10;
  const std::string whole = text.size() == kDateLength ? text + "T00:00" : text;
  const Result<Value> parsed = parse_value(whole, Type::kTimestamp);
  if (!parsed.ok()) return std::nullopt;
  return std::get<Timestamp>(parsed.value());
}

// The newest commit with data, of all or by a time, or the one `back` before it.
Result<std::optional<CommitRecord>> data_commit(Hub& hub,
                                                std::optional<Timestamp> by,
                                                std::int64_t back) {
  constexpr std::int64_t kBackMax = 1'000'000'000;  // more than any hub keeps
  if (back > kBackMax) return std::optional<CommitRecord>();
  const auto commits = TRY(hub.commits({.count = back + 1, .until = by, .with_rows = true}));
  if (std::ssize(commits) <= back) return std::optional<CommitRecord>();
  return std::optional(commits.back());
}

// -1 is the newest.
Result<std::int64_t> counted_back(Hub& hub, std::int64_t value) {
  const auto found = TRY(data_commit(hub, std::nullopt, -(value + 1)));
  if (found) return number(*found->snapshot);
  return make_error(Code::kNotFound,
                    fmt::format("{} goes too far back: there are fewer snapshots with data", value),
                    "lockstep log");
}

Result<std::int64_t> newest_by(Hub& hub, const std::string& text, Timestamp time) {
  const auto found = TRY(data_commit(hub, time, 0));
  if (found) return number(*found->snapshot);
  return make_error(
      Code::kNotFound, fmt::format("no snapshot with data is as old as {}", text), "lockstep log");
}

}  // namespace

Result<std::int64_t> resolve_snapshot(Hub& hub, const std::string& text) {
  const std::int64_t newest = number(hub.latest_snapshot());
  if (text == "latest") {
    const auto found = TRY(data_commit(hub, std::nullopt, 0));
    return found ? number(*found->snapshot) : newest;
  }
  if (const auto value = whole_number(text)) {
    if (*value < 0) return counted_back(hub, *value);
    if (*value <= newest) return *value;
    return make_error(Code::kNotFound,
                      fmt::format("there is no snapshot {}; the newest is {}", *value, newest),
                      "lockstep log");
  }
  if (const auto time = moment(text)) return newest_by(hub, text, *time);
  // Tags begin with a letter, as no number and no time does.
  for (const TagRecord& tag : TRY(hub.tags())) {
    if (tag.name == text) return number(tag.snapshot);
  }
  return make_error(
      Code::kUsage,
      fmt::format("'{}' names no snapshot", text),
      "write a number, latest, -1, a time as 2026-11-20T08:00, or a tag (lockstep tag --list)");
}

}  // namespace lockstep
