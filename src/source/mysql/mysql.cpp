#include "source/mysql/mysql.h"

#include "source/mysql/mysql_catalog.h"
#include "source/mysql/mysql_changes.h"
#include "source/mysql/mysql_check.h"
#include "source/mysql/mysql_open.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace lockstep {
namespace {

// While there is more to come for sure, the server is waited for, and may be silent for so long.
constexpr std::int64_t kLogSilenceUs = 300'000'000;
constexpr std::int64_t kLogPauseUs = 100'000;

class MysqlSource final : public Source {
 public:
  MysqlSource(Io& io,
              MysqlSettings settings,
              std::vector<SourceTarget> requested,
              std::unique_ptr<MysqlServer> server)
      : io_(io),
        settings_(std::move(settings)),
        requested_(std::move(requested)),
        server_(std::move(server)) {}

  Capabilities capabilities() const override {
    return {.replays = true, .old_rows = false, .deletes = true, .transactions = true};
  }

  Result<Schema> infer_schema(int target) override {
    const MysqlTable table = TRY(table_now(target));
    for (const MysqlColumn& column : table.columns) {
      if (!table_type_of(column.type)) return unsupported_column(TRY(target_of(target)), column);
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
    const Result<MysqlPosition> parsed = parse_mysql_position(position);
    if (!parsed.ok()) return parsed.error().message;
    if (parsed.value().is_empty()) return "nothing yet";
    const std::string at = parsed.value().state.text();
    return fmt::format("at {}", at.empty() ? "the log's beginning" : at);
  }

  SourceLag lag() override;
  Result<std::optional<SourceBatch>> sample(int target, std::int64_t row_count) override;

  std::vector<SourceFinding> check() override {
    return check_mysql(*server_, settings_, requested_);
  }

 private:
  Result<TableTarget> target_of(int target) const {
    return parse_mysql_target(requested_.at(static_cast<std::size_t>(target)), target, *server_);
  }

  Result<MysqlTable> table_now(int target) {
    const TableTarget parsed = TRY(target_of(target));
    const std::unique_ptr<MysqlLink> link = TRY(server_->connect(MysqlLinkKind::kQueries));
    return read_mysql_table(*link, parsed);
  }

  MysqlOpening opening() { return {io_, *server_, settings_, targets_}; }

  Result<void> start(std::vector<FollowedTable> tables);
  Result<void> mind_tables();
  Result<void> end_copy();
  Result<std::optional<SourceBatch>> next_changed(std::int64_t row_count_max);
  Result<bool> pump(std::int64_t row_count_max);
  bool owes_heartbeat();
  SourceBatch heartbeat();

  bool is_behind() const { return changes_->in_transaction() || !changes_->seen().has_all(goal_); }

  // Errors stay: after one the connection is worth nothing.
  template <typename T>
  Result<T> keep(Result<T> result) {
    if (!result.ok()) failure_ = result.error();
    return result;
  }

  Io& io_;
  const MysqlSettings settings_;
  const std::vector<SourceTarget> requested_;
  const std::unique_ptr<MysqlServer> server_;
  std::vector<TableTarget> targets_;
  std::unique_ptr<MysqlLink> log_;  // once it runs, with changes_
  std::unique_ptr<MysqlChanges> changes_;
  std::unique_ptr<MysqlCopy> copy_;
  std::vector<FollowedTable> copied_tables_;  // by the first copy, for the log behind it
  MysqlPosition position_;                    // where the log starts
  std::optional<SourceBatch> ready_;          // pumped by wait()
  std::set<std::string> stale_;               // to be copied anew
  std::optional<Error> failure_;
  LogState goal_;                 // the log's end when it was started
  std::vector<LogPlace> files_;   // of it, with their sizes
  LogState given_;                // of the batches given
  std::int64_t unconfirmed_ = 0;  // batches that move the position, and are not known to be durable
  std::int64_t heard_us_ = 0;
  std::int64_t heartbeat_us_ = 0;  // when the position moved last
  std::int64_t row_count_max_ = SourceLimits{}.row_count_max;
};

Result<void> MysqlSource::open(const Position& position) {
  copy_.reset();
  changes_.reset();
  log_.reset();
  ready_.reset();
  failure_.reset();
  stale_.clear();
  targets_.clear();
  unconfirmed_ = 0;
  for (std::size_t index = 0; index < requested_.size(); ++index)
    targets_.push_back(TRY(target_of(static_cast<int>(index))));
  position_ = TRY(parse_mysql_position(position));
  if (position_.is_empty()) {
    BegunMysqlCopy begun = TRY(begin_mysql_copy(opening(), position_));
    copy_ = std::move(begun.copy);
    copied_tables_ = std::move(begun.tables);
    position_ = std::move(begun.position);
    return {};
  }
  MysqlTablesNow now = TRY(look_at_mysql_tables(opening(), position_.tables));
  stale_ = std::move(now.stale);
  return start(std::move(now.tables));
}

// The log, from the position.
Result<void> MysqlSource::start(std::vector<FollowedTable> tables) {
  StartedLog log = TRY(start_mysql_log(opening(), position_));
  log_ = std::move(log.link);
  goal_ = std::move(log.end);
  position_.server = std::move(log.server);
  files_ = std::move(log.files);
  changes_ = std::make_unique<MysqlChanges>(std::move(tables), position_);
  given_ = position_.state;
  heartbeat_us_ = io_.monotonic_us();
  return {};
}

Result<std::optional<SourceBatch>> MysqlSource::next(const SourceLimits& limits) {
  LOCKSTEP_ASSERT(copy_ != nullptr || changes_ != nullptr, "source: next() before open()");
  row_count_max_ = limits.row_count_max;
  if (failure_) return *failure_;
  for (;;) {
    TRY(keep(mind_tables()));
    if (copy_) {
      Result<std::optional<SourceBatch>> batch = keep(copy_->next(limits.row_count_max));
      if (!batch.ok() || batch.value()) return batch;
      TRY(keep(end_copy()));
    }
    Result<std::optional<SourceBatch>> batch = keep(next_changed(limits.row_count_max));
    // Nothing, for now tables are to be copied: that is not the end.
    if (!batch.ok() || batch.value() || changes_->stale().empty()) return batch;
  }
}

// A table that is another now, or came later, is copied between two transactions.
Result<void> MysqlSource::mind_tables() {
  if (copy_ || ready_ || !changes_ || changes_->in_transaction()) return {};
  stale_.insert(changes_->stale().begin(), changes_->stale().end());
  if (stale_.empty()) return {};
  BegunMysqlCopy begun = TRY(begin_mysql_copy_of(opening(), stale_));
  copy_ = std::move(begun.copy);
  for (const FollowedTable& table : begun.tables) {
    const std::string origin = table.target.origin();
    changes_->copied(origin, begun.copied[origin].state, table.readings);
  }
  stale_.clear();
  return {};
}

Result<void> MysqlSource::end_copy() {
  copy_.reset();
  return changes_ ? Result<void>() : start(std::move(copied_tables_));
}

Result<std::optional<SourceBatch>> MysqlSource::next_changed(std::int64_t row_count_max) {
  heard_us_ = io_.monotonic_us();
  while (!TRY(pump(row_count_max))) {
    if (!changes_->stale().empty()) return std::optional<SourceBatch>();
    if (!is_behind()) return std::optional<SourceBatch>();
    if (io_.monotonic_us() - heard_us_ >= kLogSilenceUs)
      return make_error(Code::kIo, "the server has changes, and has been silent for five minutes");
    TRY(log_->wait(kLogPauseUs));
  }
  SourceBatch batch = *std::exchange(ready_, std::nullopt);
  if (!batch.has_more) {
    given_ = changes_->seen();
    heartbeat_us_ = io_.monotonic_us();
  }
  if (!batch.position_changes.empty()) ++unconfirmed_;
  return std::optional(std::move(batch));
}

// Takes what the server has sent, until a batch is ready (true) or nothing is left, or tables must
// be copied first (false).
Result<bool> MysqlSource::pump(std::int64_t row_count_max) {
  while (!ready_) {
    ready_ = changes_->give();
    if (ready_) break;
    if (!changes_->in_transaction() && !changes_->stale().empty()) break;
    const std::optional<SentEvent> event = TRY(log_->receive());
    if (event) {
      heard_us_ = io_.monotonic_us();
      TRY(event->is_unpacked ? changes_->take_unpacked(event->bytes, row_count_max)
                             : changes_->take(event->bytes, row_count_max));
      continue;
    }
    if (!owes_heartbeat()) break;
    ready_ = heartbeat();
  }
  return ready_.has_value();
}

// Nothing waits to be committed, and the log went on with what is not for us.
bool MysqlSource::owes_heartbeat() {
  if (changes_->in_transaction() || unconfirmed_ > 0 || changes_->seen() == given_) return false;
  return io_.monotonic_us() - heartbeat_us_ >= settings_.heartbeat_us;
}

SourceBatch MysqlSource::heartbeat() {
  SourceBatch batch;
  batch.rows = Batch::empty(targets_.front().schema);
  batch.origin = targets_.front().origin();
  add_progress(batch.position_changes, changes_->progress());
  batch.whole = true;
  return batch;
}

Result<void> MysqlSource::committed(const Position& changes) {
  if (changes_ && !changes.empty() && unconfirmed_ > 0) --unconfirmed_;
  return {};
}

Result<bool> MysqlSource::wait(std::int64_t timeout_us) {
  if (failure_ || copy_) return true;
  TRY(keep(mind_tables()));
  if (copy_) return true;
  const std::int64_t end_us = io_.monotonic_us() + timeout_us;
  for (;;) {
    if (TRY(keep(pump(row_count_max_))) || !changes_->stale().empty()) return true;
    const std::int64_t left_us = end_us - io_.monotonic_us();
    if (left_us <= 0) return false;
    TRY(keep(log_->wait(std::min(left_us, settings_.heartbeat_us))));
  }
}

// What has come and was not taken, and what the log's files had when it was started.
SourceLag MysqlSource::lag() {
  if (!changes_) return {};
  const LogPlace& place = changes_->place();
  std::uint64_t bytes = log_->waiting_bytes();
  if (!changes_->seen().has_all(goal_)) {
    bytes = 0;
    for (const LogPlace& file : files_) {
      if (file.file_number() > place.file_number()) bytes += file.offset;
      if (file.file == place.file && file.offset > place.offset)
        bytes += file.offset - place.offset;
    }
  }
  SourceLag lag{.bytes = bytes};
  constexpr std::int64_t kSecondUs = 1'000'000;
  const std::int64_t age_us =
      io_.now_us() - static_cast<std::int64_t>(changes_->time_s()) * kSecondUs;
  lag.us = bytes == 0 || changes_->time_s() == 0 ? 0 : std::max<std::int64_t>(age_us, 0);
  return lag;
}

Result<std::optional<SourceBatch>> MysqlSource::sample(int target, std::int64_t row_count) {
  TableTarget parsed = TRY(target_of(target));
  std::unique_ptr<MysqlLink> link = TRY(server_->connect(MysqlLinkKind::kQueries));
  const MysqlTable table = TRY(read_mysql_table(*link, parsed));
  TRY(check_mysql_table(parsed, table));
  std::vector<MysqlReading> readings = mysql_readings(parsed, table, settings_.zero_is_null);
  std::string shape = mysql_table_shape(parsed, table);
  MysqlCopyRequest request;
  request.tables.push_back({std::move(parsed), std::move(readings), std::move(shape)});
  request.row_limit = row_count;
  MysqlCopy copy(std::move(link), std::move(request));
  return copy.next(row_count + 1);
}

}  // namespace

Result<std::unique_ptr<Source>> make_mysql_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<MysqlServer> server) {
  MysqlSettings settings = TRY(parse_mysql_settings(request));
  return std::unique_ptr<Source>(
      std::make_unique<MysqlSource>(io, std::move(settings), request.targets, std::move(server)));
}

Result<std::unique_ptr<Source>> make_mysql_source(Io& io, const SourceRequest& request) {
  const MysqlSettings settings = TRY(parse_mysql_settings(request));
  return make_mysql_source_of(io, request, TRY(make_mysql_server(settings.url)));
}

}  // namespace lockstep
