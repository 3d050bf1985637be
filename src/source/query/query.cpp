#include "source/query/query.h"

#include "source/query/query_check.h"
#include "source/query/query_look.h"
#include "source/query/query_position.h"
#include "source/query/query_settings.h"
#include "source/query/query_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

class QuerySource final : public Source {
 public:
  QuerySource(Io& io,
              QuerySettings settings,
              std::vector<SourceTarget> requested,
              std::unique_ptr<QueryDatabase> database)
      : io_(io),
        settings_(std::move(settings)),
        requested_(std::move(requested)),
        database_(std::move(database)) {}

  Capabilities capabilities() const override {
    return {.replays = true,
            .deletes = settings_.watermark.empty() || settings_.full_us.has_value(),
            .transactions = true};
  }

  Result<Schema> infer_schema(int target) override {
    const QueryTarget parsed = TRY(target_of(target));
    return query_schema(TRY(columns_of(parsed)), parsed.table);
  }

  Result<Schema> infer_newest_schema(int target) override {
    std::vector<Field> fields;
    for (const QueryColumn& column : TRY(columns_of(TRY(target_of(target))))) {
      if (column.type) fields.push_back({column.name, *column.type});
    }
    return Schema(std::move(fields));
  }

  Result<void> open(const Position& position) override;
  Result<std::optional<SourceBatch>> next(const SourceLimits& limits) override;

  Result<void> committed(const Position&) override { return {}; }  // the database is told nothing

  Result<bool> wait(std::int64_t timeout_us) override;

  void look_now() override {
    for (Table& table : tables_)
      table.due_us = 0;
  }

  std::string describe(const Position& position) const override {
    const Result<QueryPosition> parsed = parse_query_position(position);
    return parsed.ok() ? describe_query_position(parsed.value()) : parsed.error().message;
  }

  // What changed since the last look is not known: it is not older than that.
  SourceLag lag() override {
    std::optional<std::int64_t> us;
    for (const Table& table : tables_) {
      if (!table.looked_us) return {};
      us = std::max(us.value_or(0), io_.monotonic_us() - *table.looked_us);
    }
    return {.us = us};
  }

  Result<std::optional<SourceBatch>> sample(int target, std::int64_t row_count) override;

  std::vector<SourceFinding> check() override {
    return check_query(*database_, settings_, requested_);
  }

 private:
  struct Table {
    QueryTarget target;
    std::string shape;
    std::optional<QueryPlace> place;  // nullopt: never read, or not as it is read now
    std::int64_t due_us = 0;          // the next look, by the steady clock
    std::optional<std::int64_t> looked_us = {};
  };

  Result<QueryTarget> target_of(int target) const {
    return parse_query_target(
        requested_.at(static_cast<std::size_t>(target)), target, settings_, *database_);
  }

  Result<std::vector<QueryColumn>> columns_of(const QueryTarget& target) {
    const std::unique_ptr<QueryConnection> connection = TRY(database_->connect());
    return connection->columns(target.from).with_context(target.table.origin());
  }

  Table* due_table();
  bool is_comparison_due(const Table& table) const;
  Result<void> begin_look(Table& table);
  Result<std::optional<SourceBatch>> look_on(std::int64_t row_count_max);

  Io& io_;
  const QuerySettings settings_;
  const std::vector<SourceTarget> requested_;
  const std::unique_ptr<QueryDatabase> database_;
  std::vector<Table> tables_;
  std::unique_ptr<QueryConnection> connection_;  // as long as there is a look to do
  std::unique_ptr<QueryLook> look_;
  std::size_t looked_at_ = 0;  // the table
};

Result<void> QuerySource::open(const Position& position) {
  look_.reset();
  connection_.reset();
  tables_.clear();
  const QueryPosition places = TRY(parse_query_position(position));
  for (std::size_t index = 0; index < requested_.size(); ++index) {
    Table table{.target = TRY(target_of(static_cast<int>(index))), .shape = {}, .place = {}};
    table.shape = table.target.shape(settings_.watermark);
    const auto place = places.find(table.target.table.origin());
    if (place != places.end() && place->second.shape == table.shape) table.place = place->second;
    tables_.push_back(std::move(table));
  }
  return {};
}

// nullptr: none.
QuerySource::Table* QuerySource::due_table() {
  const std::int64_t now_us = io_.monotonic_us();
  const auto found =
      std::ranges::find_if(tables_, [&](const Table& table) { return table.due_us <= now_us; });
  return found == tables_.end() ? nullptr : &*found;
}

bool QuerySource::is_comparison_due(const Table& table) const {
  if (settings_.watermark.empty() || !table.place) return true;
  if (!settings_.full_us) return false;
  const std::int64_t since_us = io_.now_us() - table.place->compared_us.value_or(0);
  // A clock that was set back must not put it off for ever.
  return !table.place->compared_us || since_us >= *settings_.full_us || since_us < 0;
}

Result<void> QuerySource::begin_look(Table& table) {
  table.looked_us = io_.monotonic_us();
  table.due_us = *table.looked_us + settings_.every_us;
  looked_at_ = static_cast<std::size_t>(&table - tables_.data());
  if (!connection_) connection_ = TRY(database_->connect());
  QueryTask task;
  task.target = table.target.table;
  task.from = table.target.from;
  task.watermark = settings_.watermark;
  task.overlap = settings_.overlap;
  task.shape = table.shape;
  task.last = table.place;
  task.compares = is_comparison_due(table);
  task.now_us = io_.now_us();
  look_ = std::make_unique<QueryLook>(*connection_, std::move(task));
  return look_->begin().with_context(table.target.table.origin());
}

// nullopt: it has no more.
Result<std::optional<SourceBatch>> QuerySource::look_on(std::int64_t row_count_max) {
  Table& table = tables_[looked_at_];
  std::optional<SourceBatch> batch =
      TRY_IN(look_->next(row_count_max), table.target.table.origin());
  if (batch && batch->has_more) return batch;
  table.place = look_->place();
  look_.reset();
  return batch;
}

Result<std::optional<SourceBatch>> QuerySource::next(const SourceLimits& limits) {
  for (;;) {
    if (look_) {
      std::optional<SourceBatch> batch = TRY(look_on(limits.row_count_max));
      if (batch) return batch;
    }
    Table* const table = due_table();
    if (table == nullptr) {
      connection_.reset();
      return std::optional<SourceBatch>();
    }
    TRY(begin_look(*table));
  }
}

Result<bool> QuerySource::wait(std::int64_t timeout_us) {
  if (look_ || due_table() != nullptr) return true;
  std::int64_t due_us = std::numeric_limits<std::int64_t>::max();
  for (const Table& table : tables_)
    due_us = std::min(due_us, table.due_us);
  const std::int64_t left_us = due_us - io_.monotonic_us();
  if (timeout_us > 0) io_.sleep_us(std::clamp<std::int64_t>(left_us, 0, timeout_us));
  return left_us <= timeout_us;
}

Result<std::optional<SourceBatch>> QuerySource::sample(int target, std::int64_t row_count) {
  const QueryTarget parsed = TRY(target_of(target));
  const std::unique_ptr<QueryConnection> connection = TRY(database_->connect());
  const std::string context = parsed.table.origin();
  TRY_IN(check_query_columns(TRY(connection->columns(parsed.from)), parsed.table, ""), context);
  TRY(connection->begin());
  QueryRead read;
  read.from = parsed.from;
  read.schema = parsed.table.schema;
  read.row_limit = row_count;
  TRY_IN(connection->start(read), context);
  TableRows rows(parsed.table);
  for (std::int64_t number = 1;; ++number) {
    QueryRowRead row;
    if (!TRY_IN(connection->next(rows.row(), row), context)) break;
    rows.take(row.bad, fmt::format("row {}", number));
  }
  TRY(connection->end());
  return std::optional(TRY(rows.finish()));
}

}  // namespace

Result<std::unique_ptr<Source>> make_query_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<QueryDatabase> database) {
  QuerySettings settings = TRY(parse_query_settings(request));
  return std::unique_ptr<Source>(
      std::make_unique<QuerySource>(io, std::move(settings), request.targets, std::move(database)));
}

Result<std::unique_ptr<Source>> make_query_source(Io& io, const SourceRequest& request) {
  QuerySettings settings = TRY(parse_query_settings(request));
  std::unique_ptr<QueryDatabase> database =
      TRY(make_query_database(settings.url, request.directory));
  return std::unique_ptr<Source>(
      std::make_unique<QuerySource>(io, std::move(settings), request.targets, std::move(database)));
}

}  // namespace lockstep
