#include "source/postgres/postgres_watch.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {
namespace {

// Without a limit at the server, so much held log is told.
constexpr std::int64_t kHeldBytesMax = 10'000'000'000;

double megabytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace

std::optional<SourceFinding> slot_danger(const std::string& name, const PostgresSlot& slot) {
  SourceFinding finding{.level = SourceFinding::Level::kWarning, .text = {}, .hint = {}};
  if (slot.wal_status == "lost") {
    finding.level = SourceFinding::Level::kFailure;
    finding.text =
        fmt::format("replication slot {} is lost: the server removed log that it needed", name);
    finding.hint = "lockstep resync makes it anew, and changes what differs";
    return finding;
  }
  const std::string held = fmt::format(
      "replication slot {} holds {:.1f} MB of the server's log", name, megabytes(slot.held_bytes));
  const bool has_limit = slot.held_bytes_max >= 0 && slot.safe_bytes.has_value();
  if (has_limit &&
      (slot.wal_status == "unreserved" || *slot.safe_bytes <= slot.held_bytes_max / 2)) {
    finding.text =
        *slot.safe_bytes > 0
            ? fmt::format("{} ({}); {:.1f} MB more, and it is lost",
                          held,
                          slot.wal_status,
                          megabytes(*slot.safe_bytes))
            : fmt::format("{} ({}), and may be lost at the next checkpoint", held, slot.wal_status);
    finding.hint =
        "raise max_slot_wal_keep_size at once: ALTER SYSTEM SET max_slot_wal_keep_size = '...'; "
        "SELECT pg_reload_conf(); run lockstep where it does not run; see what is slow, or which "
        "transaction stays open";
    return finding;
  }
  if (!has_limit && slot.held_bytes > kHeldBytesMax) {
    finding.text = held + ", and no limit keeps it from filling the disk";
    finding.hint =
        "run lockstep where it does not run; see what is slow, or which transaction stays open";
    return finding;
  }
  return std::nullopt;
}

Result<PostgresLink*> PostgresWatch::link(const PostgresOpening& opening) {
  if (link_) return link_.get();
  std::unique_ptr<PostgresLink> fresh = TRY(opening.server.connect(LinkKind::kQueries));
  // The stream waits for the answer.
  TRY(fresh->query("SET statement_timeout = '5s'", {}));
  link_ = std::move(fresh);
  return link_.get();
}

// A connection that failed once is worth nothing.
void PostgresWatch::note(const Result<void>& asked) {
  silence_.reset();
  if (asked.ok()) return;
  silence_ = asked.error();
  link_.reset();
}

Result<void> PostgresWatch::ask_of_slot(const PostgresOpening& opening) {
  PostgresLink& server = *TRY(link(opening));
  slot_ = TRY(read_slot(server, opening.settings.slot));
  return {};
}

void PostgresWatch::look_at_slot(const PostgresOpening& opening) {
  const bool was_kept = link_ != nullptr;
  note(ask_of_slot(opening));
  // A server may close a connection that is quiet for long.
  if (silence_ && was_kept) note(ask_of_slot(opening));
}

Result<std::set<std::string>> PostgresWatch::look_at_tables(
    const PostgresOpening& opening, const std::map<std::string, CopiedTable>& copied) {
  look_at_slot(opening);
  if (silence_) return std::set<std::string>();
  Result<std::set<std::string>> stale = find_stale(opening, *link_, copied);
  if (stale.ok() || stale.error().code != Code::kIo) return stale;
  note(stale.error());
  return std::set<std::string>();
}

std::vector<SourceFinding> PostgresWatch::warnings(const std::string& slot_name) const {
  std::vector<SourceFinding> out;
  if (silence_) {
    out.push_back({SourceFinding::Level::kWarning,
                   "the server answers no questions beside the stream: " + silence_->message,
                   silence_->hint});
    return out;
  }
  if (!slot_) return out;
  if (std::optional<SourceFinding> danger = slot_danger(slot_name, *slot_))
    out.push_back(*std::move(danger));
  return out;
}

}  // namespace lockstep
