#include "source/postgres/postgres.h"

#include "source/postgres/postgres_catalog.h"
#include "source/postgres/postgres_changes.h"
#include "source/postgres/postgres_check.h"
#include "source/postgres/postgres_slot.h"
#include "source/postgres/postgres_watch.h"
#include "source/tables/table_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

namespace lockstep {
namespace {

// While there is more to come for sure, the server is waited for, and may be silent for so long: it
// reads through huge transactions of other tables without a word.
constexpr std::int64_t kSilenceUs = 300'000'000;
// A keepalive at least so often; the server hangs up after a minute without one.
constexpr std::int64_t kStatusUs = 5'000'000;
// What is committed is told the server no more often than that.
constexpr std::int64_t kFlushedUs = 20'000;
// The server is asked how far it is no more often than that.
constexpr std::int64_t kAskUs = 100'000;
// Behind by more than that, the position follows the log at once, not with the next heartbeat.
constexpr Lsn kIdleBytes = 1'000'000;

class PostgresSource final : public Source {
 public:
  PostgresSource(Io& io,
                 PostgresSettings settings,
                 const SourceRequest& request,
                 std::unique_ptr<PostgresServer> server)
      : io_(io),
        settings_(std::move(settings)),
        requested_(request.targets),
        stopping_(request.stopping),
        server_(std::move(server)) {}

  Capabilities capabilities() const override {
    return {
        .replays = true, .old_rows = false, .deletes = true, .transactions = true, .wakes = true};
  }

  Result<Schema> infer_schema(int target) override {
    const PostgresTable table = TRY(table_now(target));
    for (const PostgresColumn& column : table.columns) {
      if (column.is_generated || table_type_of(column.type)) continue;
      return unsupported_table_column(TRY(target_of(target)), column.name, column.type.name);
    }
    return dataset_schema(table);
  }

  Result<Schema> infer_newest_schema(int target) override {
    return dataset_schema(TRY(table_now(target)));
  }

  Result<void> open(const Position& position) override;
  Result<std::optional<SourceBatch>> next(const SourceLimits& limits) override;
  Result<void> committed(const Position& changes) override;
  Result<bool> wait(std::int64_t timeout_us) override;

  std::string describe(const Position& position) const override {
    const Result<PostgresPosition> parsed = parse_postgres_position(position);
    if (!parsed.ok()) return parsed.error().message;
    if (parsed.value().is_empty()) return "nothing yet";
    return fmt::format("at {}", lsn_text(parsed.value().lsn));
  }

  SourceLag lag() override;

  std::vector<SourceFinding> warnings() override { return watch_.warnings(settings_.slot); }

  Result<std::optional<SourceBatch>> sample(int target, std::int64_t row_count) override;

  std::vector<SourceFinding> check() override {
    return check_postgres(*server_, settings_, requested_);
  }

 private:
  Result<PostgresTarget> target_of(int target) const {
    return parse_target(requested_.at(static_cast<std::size_t>(target)), target);
  }

  Result<PostgresTable> table_now(int target) {
    const PostgresTarget parsed = TRY(target_of(target));
    const std::unique_ptr<PostgresLink> link = TRY(server_->connect(LinkKind::kQueries));
    return read_table(*link, parsed);
  }

  PostgresOpening opening() { return {io_, *server_, settings_, targets_}; }

  Result<void> start();
  Result<void> mind_tables();
  void mind_slot();
  Result<void> end_copy();
  Result<std::optional<SourceBatch>> next_copied(std::int64_t row_count_max);
  Result<std::optional<SourceBatch>> next_changed(std::int64_t row_count_max);
  Result<bool> pump(std::int64_t row_count_max);
  Result<void> take(std::string_view bytes, std::int64_t row_count_max);
  Result<void> tell_server(bool at_once);
  bool owes_heartbeat();
  SourceBatch heartbeat();

  // Between two words to the server.
  std::int64_t told_pause_us() const { return told_ == flushed_ ? kStatusUs : kFlushedUs; }

  bool is_stopping() const { return stopping_ && stopping_(); }

  bool is_behind() const { return changes_->in_transaction() || changes_->seen() < goal_; }

  // Errors stay: after one the connection is worth nothing.
  template <typename T>
  Result<T> keep(Result<T> result) {
    if (!result.ok()) failure_ = result.error();
    return result;
  }

  Io& io_;
  const PostgresSettings settings_;
  const std::vector<SourceTarget> requested_;
  const std::function<bool()> stopping_;
  const std::unique_ptr<PostgresServer> server_;
  std::vector<PostgresTarget> targets_;
  std::unique_ptr<PostgresLink> replication_;
  std::unique_ptr<PostgresCopy> copy_;
  std::unique_ptr<PostgresChanges> changes_;  // once the stream runs
  PostgresPosition position_;                 // where the stream starts
  std::optional<SourceBatch> ready_;          // pumped by wait()
  std::set<std::string> stale_;               // to be copied anew
  PostgresWatch watch_;
  std::int64_t looked_us_ = 0;    // at the slot and the tables' shapes
  std::int64_t complete_us_ = 0;  // what was committed before has been given or taken, since 1970
  std::optional<Error> failure_;
  Lsn goal_ = 0;     // the log's end when the stream was started
  Lsn log_end_ = 0;  // as far as the server has told
  Lsn given_ = 0;    // of the batches given
  Lsn flushed_ = 0;  // of those that are durable
  Lsn told_ = 0;     // of those that the server knows of
  std::int64_t told_us_ = 0;
  std::int64_t heard_us_ = 0;
  std::int64_t heartbeat_us_ = 0;  // when the position moved last
  std::int64_t row_count_max_ = SourceLimits{}.row_count_max;
};

Result<void> PostgresSource::open(const Position& position) {
  copy_.reset();
  changes_.reset();
  replication_.reset();
  ready_.reset();
  failure_.reset();
  stale_.clear();
  targets_.clear();
  for (std::size_t index = 0; index < requested_.size(); ++index)
    targets_.push_back(TRY(target_of(static_cast<int>(index))));
  position_ = TRY(parse_postgres_position(position));
  const bool is_anew = position_.is_empty() || position_.slot != settings_.slot;
  if (is_anew || position_.copy) {
    BegunCopy begun =
        TRY(is_anew ? begin_copy(opening(), position_) : resume_copy(opening(), position_));
    replication_ = std::move(begun.replication);
    copy_ = std::move(begun.copy);
    position_ = std::move(begun.position);
    if (!copy_) TRY(start());
  } else {
    replication_ = TRY(resume(opening(), position_));
    TRY(start());
    stale_ = TRY(watch_.look_at_tables(opening(), position_.tables));
  }
  given_ = flushed_ = position_.lsn;
  return {};
}

// The stream, from the position.
Result<void> PostgresSource::start() {
  const PostgresSystem system = TRY(identify(*replication_));
  TRY(start_stream(opening(), *replication_, position_.lsn));
  changes_ = std::make_unique<PostgresChanges>(targets_, position_);
  looked_us_ = io_.monotonic_us();
  goal_ = log_end_ = system.flushed;
  told_ = 0;
  heartbeat_us_ = io_.monotonic_us();
  for (const auto& [origin, table] : position_.tables) {
    if (position_.tables.size() > 1 && !position_.copy) changes_->pending_until(table.lsn);
  }
  if (!position_.copy) return {};
  PostgresPosition whole = position_;
  whole.copy.reset();
  Position end = whole.parts();
  end.erase(std::string(kLsnPart));
  add_progress(end, std::nullopt);
  position_ = std::move(whole);
  return changes_->gather_until(goal_, std::move(end));
}

Result<std::optional<SourceBatch>> PostgresSource::next(const SourceLimits& limits) {
  LOCKSTEP_ASSERT(replication_ != nullptr, "source: next() before open()");
  row_count_max_ = limits.row_count_max;
  if (failure_) return *failure_;
  TRY(keep(mind_tables()));
  if (copy_) {
    Result<std::optional<SourceBatch>> batch = keep(next_copied(limits.row_count_max));
    if (!batch.ok() || batch.value() || !copy_->is_done()) return batch;
    TRY(keep(end_copy()));
  }
  return keep(next_changed(limits.row_count_max));
}

// A table that is another now, or came later, is copied between two transactions.
Result<void> PostgresSource::mind_tables() {
  if (copy_ || ready_ || !changes_ || changes_->in_transaction()) return {};
  if (changes_->is_gathering()) return {};
  if (io_.monotonic_us() - looked_us_ >= settings_.heartbeat_us) {
    stale_ = TRY(watch_.look_at_tables(opening(), position_.tables));
    looked_us_ = io_.monotonic_us();
  }
  stale_.insert(changes_->stale().begin(), changes_->stale().end());
  if (stale_.empty()) return {};
  CopyOfSome begun = TRY(begin_copy_of(opening(), stale_));
  copy_ = std::move(begun.copy);
  for (auto& [origin, table] : begun.tables) {
    changes_->copied(origin, table);
    if (begun.tables.size() < targets_.size()) changes_->pending_until(table.lsn);
    position_.tables[origin] = std::move(table);
  }
  stale_.clear();
  return {};
}

Result<void> PostgresSource::end_copy() {
  copy_.reset();
  looked_us_ = io_.monotonic_us();
  return changes_ ? Result<void>() : start();
}

Result<std::optional<SourceBatch>> PostgresSource::next_copied(std::int64_t row_count_max) {
  for (;;) {
    std::optional<SourceBatch> batch = TRY(copy_->next(row_count_max));
    if (batch || copy_->is_done() || is_stopping()) return batch;
    TRY(copy_->link().wait(kAskUs));
    if (changes_) TRY(tell_server(false));
    mind_slot();
  }
}

// The log grows while a copy is under way.
void PostgresSource::mind_slot() {
  if (io_.monotonic_us() - looked_us_ < settings_.heartbeat_us) return;
  watch_.look_at_slot(opening());
  looked_us_ = io_.monotonic_us();
}

Result<std::optional<SourceBatch>> PostgresSource::next_changed(std::int64_t row_count_max) {
  heard_us_ = io_.monotonic_us();
  while (!TRY(pump(row_count_max))) {
    if (!is_behind() || is_stopping()) return std::optional<SourceBatch>();
    if (io_.monotonic_us() - heard_us_ >= kSilenceUs)
      return make_error(Code::kIo, "PostgreSQL has changes, and has been silent for five minutes");
    if (TRY(replication_->wait(kAskUs)) || changes_->in_transaction()) continue;
    TRY(tell_server(io_.monotonic_us() - told_us_ >= kAskUs));
  }
  SourceBatch batch = *std::exchange(ready_, std::nullopt);
  const auto moved = batch.position_changes.find(std::string(kLsnPart));
  if (moved != batch.position_changes.end()) {
    given_ = parse_lsn(moved->second).value_or(given_);
    heartbeat_us_ = io_.monotonic_us();
  }
  return std::optional(std::move(batch));
}

// Takes what the server has sent, until a batch is ready (true) or nothing is left (false).
Result<bool> PostgresSource::pump(std::int64_t row_count_max) {
  while (!ready_) {
    ready_ = changes_->give();
    if (ready_) break;
    const PostgresLink::Received received = TRY(replication_->receive());
    if (received.ended)
      return make_error(Code::kIo, "PostgreSQL ended the replication stream", "it is tried again");
    if (received.message) {
      TRY(take(*received.message, row_count_max));
      continue;
    }
    if (!owes_heartbeat()) break;
    ready_ = heartbeat();
  }
  TRY(tell_server(false));
  return ready_.has_value();
}

Result<void> PostgresSource::take(std::string_view bytes, std::int64_t row_count_max) {
  const StreamFrame frame = TRY(parse_frame(bytes));
  log_end_ = std::max(log_end_, frame.log_end);
  heard_us_ = io_.monotonic_us();
  if (frame.kind == 'w') {
    TRY(changes_->take(frame.message, row_count_max));
    complete_us_ = std::max(complete_us_, changes_->commit_time_us());
    return {};
  }
  // All that was committed up to there has been sent.
  if (!changes_->in_transaction()) {
    TRY(changes_->saw(frame.log_end));
    complete_us_ = std::max(complete_us_, frame.time_us);
  }
  return frame.wants_reply ? tell_server(true) : Result<void>();
}

Result<void> PostgresSource::tell_server(bool at_once) {
  const std::int64_t now_us = io_.monotonic_us();
  if (!at_once && now_us - told_us_ < told_pause_us()) return {};
  // Behind, it is asked how far it is: it may have nothing to say of itself.
  const bool asks = changes_->seen() < std::max(goal_, watch_.log_end());
  TRY(replication_->send(
      status_bytes({.flushed = flushed_, .now_us = io_.now_us(), .asks_reply = asks})));
  told_ = flushed_;
  told_us_ = now_us;
  return {};
}

// Nothing waits to be committed, and the log went on with what is not for us.
bool PostgresSource::owes_heartbeat() {
  if (changes_->in_transaction() || changes_->is_gathering()) return false;
  if (flushed_ != given_ || changes_->seen() <= given_) return false;
  if (io_.monotonic_us() - heartbeat_us_ >= settings_.heartbeat_us) return true;
  return given_ == position_.lsn && changes_->seen() - given_ > kIdleBytes;
}

SourceBatch PostgresSource::heartbeat() {
  SourceBatch batch;
  batch.rows = Batch::empty(targets_.front().schema);
  batch.origin = targets_.front().origin();
  batch.position_changes = lsn_change(changes_->seen());
  batch.whole = true;
  return batch;
}

Result<void> PostgresSource::committed(const Position& changes) {
  const auto moved = changes.find(std::string(kLsnPart));
  if (moved == changes.end()) return {};
  const std::optional<Lsn> lsn = parse_lsn(moved->second);
  LOCKSTEP_ASSERT(lsn.has_value(), "source: a position that this source did not give");
  LOCKSTEP_ASSERT(*lsn >= flushed_, "source: commits are told in their order");
  flushed_ = *lsn;
  return {};
}

SourceLag PostgresSource::lag() {
  SourceLag lag{.safe_bytes = watch_.safe_bytes()};
  if (copy_) lag.bytes = copy_->bytes_left();
  if (copy_ || !changes_) return lag;
  const Lsn end = std::max({log_end_, goal_, watch_.log_end()});
  lag.bytes = end > given_ ? end - given_ : 0;
  const bool has_taken = changes_->in_transaction() || (ready_ && ready_->source_time);
  // Of what was not taken it is known only when all before it was.
  std::int64_t since_us = complete_us_;
  if (changes_->in_transaction()) since_us = changes_->commit_time_us();
  if (ready_ && ready_->source_time) since_us = ready_->source_time->us;
  const bool is_complete = !has_taken && changes_->seen() >= end;
  if (is_complete || since_us > 0)
    lag.us = is_complete ? 0 : std::max<std::int64_t>(0, io_.now_us() - since_us);
  return lag;
}

Result<bool> PostgresSource::wait(std::int64_t timeout_us) {
  if (failure_ || copy_) return true;
  TRY(keep(mind_tables()));
  if (copy_) return true;
  const std::int64_t end_us = io_.monotonic_us() + timeout_us;
  for (;;) {
    if (TRY(keep(pump(row_count_max_)))) return true;
    const std::int64_t left_us = end_us - io_.monotonic_us();
    if (left_us <= 0) return false;
    TRY(keep(replication_->wait(std::min({left_us, told_pause_us(), settings_.heartbeat_us}))));
  }
}

Result<std::optional<SourceBatch>> PostgresSource::sample(int target, std::int64_t row_count) {
  PostgresTarget parsed = TRY(target_of(target));
  std::unique_ptr<PostgresLink> link = TRY(server_->connect(LinkKind::kQueries));
  const PostgresTable table = TRY(read_table(*link, parsed));
  TRY(check_table(parsed, table));
  CopyRequest request;
  request.tables.push_back({std::move(parsed), table.kind == 'p'});
  request.row_limit = row_count;
  PostgresCopy copy(std::move(link), std::move(request));
  for (;;) {
    std::optional<SourceBatch> batch = TRY(copy.next(row_count + 1));
    if (batch || copy.is_done()) return batch;
    TRY(copy.link().wait(kStatusUs));
  }
}

}  // namespace

Result<std::unique_ptr<Source>> make_postgres_source_of(Io& io,
                                                        const SourceRequest& request,
                                                        std::unique_ptr<PostgresServer> server) {
  PostgresSettings settings = TRY(parse_postgres_settings(request));
  return std::unique_ptr<Source>(
      std::make_unique<PostgresSource>(io, std::move(settings), request, std::move(server)));
}

Result<std::unique_ptr<Source>> make_postgres_source(Io& io, const SourceRequest& request) {
  PostgresSettings settings = TRY(parse_postgres_settings(request));
  std::unique_ptr<PostgresServer> server = TRY(make_postgres_server(settings.url));
  return std::unique_ptr<Source>(
      std::make_unique<PostgresSource>(io, std::move(settings), request, std::move(server)));
}

}  // namespace lockstep
