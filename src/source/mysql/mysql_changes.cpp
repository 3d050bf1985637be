#include "source/mysql/mysql_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

using EventType = BinlogEventType;

constexpr std::int64_t kUsPerEventSecond = 1'000'000;

Error binlog_out_of_order(std::string_view what) {
  return make_error(Code::kCorrupt, fmt::format("the binary log has {}", what));
}

Error cannot_tell(std::string what) {
  return make_error(Code::kRefused,
                    std::move(what),
                    "lockstep resync of the source copies its tables anew and goes on behind it");
}

Error no_log_column(const TableTarget& target, const std::string& name, const std::string& place) {
  return invalid(
      fmt::format("table {} has no column '{}' at {}", target.origin(), name, place),
      fmt::format("take '{}' out of the dataset's columns, or say what it is called now", name));
}

}  // namespace

MysqlChanges::MysqlChanges(std::vector<FollowedTable> tables, const MysqlPosition& position)
    : progress_(position.progress()) {
  for (FollowedTable& table : tables)
    rows_.push_back(
        std::make_unique<MysqlRows>(std::move(table.target), std::move(table.readings)));
  for (const auto& [origin, copied] : position.tables)
    copied_[origin] = copied.state;
}

Result<void> MysqlChanges::take(std::string_view bytes, std::int64_t row_count_max) {
  const bool has_checksum = has_checksum_ ? *has_checksum_ : ends_in_checksum(bytes);
  return take_one(TRY(parse_binlog_event(bytes, has_checksum)), row_count_max);
}

Result<void> MysqlChanges::take_unpacked(std::string_view bytes, std::int64_t row_count_max) {
  return take_one(TRY(parse_binlog_event(bytes, false)), row_count_max);
}

Result<void> MysqlChanges::take_one(const BinlogEvent& event, std::int64_t row_count_max) {
  TRY(take_event(event));
  if (open_ && open_count() >= row_count_max) {
    gave_ = true;
    return make_all_ready();
  }
  return {};
}

Result<void> MysqlChanges::take_event(const BinlogEvent& event) {
  if (event.time_s != 0) time_s_ = event.time_s;
  if (is_rows_event(event.type)) {
    TRY(take_rows(event));
    note_end(event);
    return {};
  }
  note_end(event);
  switch (event.type) {
    case EventType::kFormat:
      return take_format(event);
    case EventType::kRotate: {
      BinlogRotate rotate = TRY(parse_binlog_rotate(event.body));
      progress_.place = {std::move(rotate.file), rotate.position};
      return {};
    }
    case EventType::kGtid:
    case EventType::kMysqlGtid:
    case EventType::kTaggedGtid:
    case EventType::kAnonymousGtid:
      return begin(event);
    case EventType::kQuery:
    case EventType::kQueryCompressed:
      return take_query(event);
    case EventType::kTableMap:
      return take_table(event);
    case EventType::kXid:
    case EventType::kXaPrepare:  // of tables that are not followed
      return end();
    case EventType::kPreviousGtids:
      return take_previous(event);
    case EventType::kPartialUpdateRows:
      return take_partial_rows(event);
    case EventType::kIncident:
      return cannot_tell(fmt::format("the server itself lost changes, as its binary log says at {}",
                                     place().text()));
    default:
      return take_other(event);
  }
}

// What changes no row.
Result<void> MysqlChanges::take_other(const BinlogEvent& event) {
  switch (event.type) {
    case EventType::kStop:
    case EventType::kIntvar:
    case EventType::kRand:
    case EventType::kUserVar:
    case EventType::kBeginLoad:
    case EventType::kExecuteLoad:
    case EventType::kHeartbeat:
    case EventType::kAnnotate:
    case EventType::kCheckpoint:
    case EventType::kGtidList:
    case EventType::kStartEncryption:
    case EventType::kIgnorable:
    case EventType::kRowsQuery:
    case EventType::kTransactionContext:
    case EventType::kViewChange:
    case EventType::kHeartbeatV2:
      return {};
    default:
      if (event.is_ignorable) return {};
      return make_error(Code::kUnsupported,
                        fmt::format("the binary log has an event of type {}, which is not known",
                                    static_cast<int>(event.type)));
  }
}

void MysqlChanges::note_end(const BinlogEvent& event) {
  if (event.end != 0) progress_.place.offset = event.end;
}

std::optional<SourceBatch> MysqlChanges::give() {
  // Of a transaction that goes on the newest batch waits: it may be the last, which moves the
  // position.
  if (ready_.empty() || (open_ && ready_.size() == 1)) return std::nullopt;
  SourceBatch batch = std::move(ready_.front());
  ready_.pop_front();
  return batch;
}

// A log begins. What the server had begun to write when it died has no end, and never happened.
Result<void> MysqlChanges::take_format(const BinlogEvent& event) {
  has_checksum_ = TRY(parse_binlog_format(event));
  tables_.clear();
  return abandon();
}

// Of MySQL: all transactions in the files before. One that was not in them did not come from there:
// it was told to the server (SET gtid_purged), as who loads a backup does.
Result<void> MysqlChanges::take_previous(const BinlogEvent& event) const {
  const GtidSet* const followed = seen().mysql();
  if (followed == nullptr) return binlog_out_of_order("MySQL's ids in a log of MariaDB");
  const GtidSet missing = TRY(parse_previous_gtids(event)).without(*followed);
  if (missing.is_empty()) return {};
  return cannot_tell(
      fmt::format("the server has {} without having it in its log: rows were loaded beside it",
                  missing.text()));
}

// Of MySQL: only what changed within a JSON document.
Result<void> MysqlChanges::take_partial_rows(const BinlogEvent& event) const {
  const auto found = tables_.find(TRY(table_id_of(event.body)));
  const bool is_read = found != tables_.end() && found->second.rows != nullptr &&
                       !is_passed(found->second.rows->target().origin());
  if (!is_read) return {};
  return make_error(
      Code::kRefused,
      fmt::format("the binary log has only the changed part of a JSON value of {}, at {}",
                  found->second.rows->target().origin(),
                  transaction_text_),
      "run: SET PERSIST binlog_row_value_options = ''; and then lockstep resync of the source");
}

Result<void> MysqlChanges::abandon() {
  if (!open_) return {};
  if (gave_) {
    return make_error(Code::kIo,
                      fmt::format("{} was given in part, and did not happen", transaction_text_));
  }
  for (const std::unique_ptr<MysqlRows>& rows : rows_)
    rows->forget();
  ready_.clear();
  open_ = false;
  return {};
}

Result<void> MysqlChanges::begin(const BinlogEvent& event) {
  if (open_) return binlog_out_of_order("a transaction within another");
  transaction_ = TRY(parse_log_transaction(event));
  transaction_text_ = gtid_text(transaction_.gtid);
  if (!seen().is_of(transaction_.gtid))
    return binlog_out_of_order("a transaction's id of another kind of server: " +
                               transaction_text_);
  // The server was asked for what comes behind the position.
  if (seen().has(transaction_.gtid)) {
    return cannot_tell(fmt::format(
        "transaction {} comes behind {}: the server does not keep its numbers in order{}",
        transaction_text_,
        seen().text(),
        seen().mariadb() == nullptr ? "" : ", as gtid_strict_mode = ON makes it"));
  }
  open_ = true;
  gave_ = false;
  row_number_ = 0;
  newly_stale_.clear();
  return {};
}

Result<void> MysqlChanges::end() {
  if (!open_) return binlog_out_of_order("an end without its transaction");
  open_ = false;
  TRY(make_all_ready());
  progress_.state.move_to(transaction_.gtid);
  if (ready_.empty()) return {};
  ready_.back().has_more = false;
  Position& changes = ready_.back().position_changes;
  add_gtid(changes, progress_, transaction_.gtid);
  // Whoever goes on from there must know that these are to be copied.
  for (const std::string& origin : newly_stale_)
    remove_copied(changes, origin);
  return {};
}

Result<void> MysqlChanges::take_query(const BinlogEvent& event) {
  const BinlogQuery query =
      TRY(parse_binlog_query(event.body, event.type == EventType::kQueryCompressed));
  if (!open_) return {};  // of a server without transactions' ids, which is not followed
  const LogStatement statement = parse_log_statement(query.statement, query.database);
  if (!transaction_.is_standalone) transaction_.is_standalone = !statement.begins_transaction();
  if (statement.kind == LogStatement::Kind::kBeginXa) transaction_.is_prepared_xa = true;
  TRY(take_statement(statement, query.statement));
  if (statement.kind == LogStatement::Kind::kRollback) {
    TRY(abandon());
    progress_.state.move_to(transaction_.gtid);
    return {};
  }
  if (statement.kind == LogStatement::Kind::kCommit || *transaction_.is_standalone) return end();
  return {};
}

Result<void> MysqlChanges::take_statement(const LogStatement& statement, const std::string& text) {
  constexpr std::size_t kShownMax = 100;
  switch (statement.kind) {
    case LogStatement::Kind::kTruncate:
      return truncate(statement.tables.front());
    case LogStatement::Kind::kDefinition:
    case LogStatement::Kind::kDropDatabase:
      return take_definition(statement);
    case LogStatement::Kind::kRollbackTo:
      return cannot_tell(fmt::format(
          "{} goes back to a savepoint behind changes that cannot be undone", transaction_text_));
    case LogStatement::Kind::kRows:
      return cannot_tell(fmt::format(
          "the binary log has a statement in place of the rows that it changed, at {}: {}",
          transaction_text_,
          refused_text(text.substr(0, kShownMax))));
    default:
      return {};
  }
}

bool MysqlChanges::is_passed(const std::string& origin) const {
  const auto copied = copied_.find(origin);
  const bool is_copied = copied != copied_.end() && copied->second.has(transaction_.gtid);
  return is_copied || stale_.contains(origin);
}

MysqlRows* MysqlChanges::rows_of(const TableName& name) const {
  for (const std::unique_ptr<MysqlRows>& rows : rows_) {
    const TableTarget& target = rows->target();
    if (target.schema_name == name.database && target.table == name.table) return rows.get();
  }
  return nullptr;
}

// A table that is made, altered, renamed or dropped may have other rows than those that the log
// told. One of the same name in another database does no harm: it is copied for nothing.
Result<void> MysqlChanges::take_definition(const LogStatement& statement) {
  for (const std::unique_ptr<MysqlRows>& rows : rows_) {
    const TableTarget& target = rows->target();
    const bool is_meant = statement.kind == LogStatement::Kind::kDropDatabase
                              ? statement.tables.front().database == target.schema_name ||
                                    statement.mentions(target.schema_name)
                              : statement.mentions(target.table);
    if (!is_meant || is_passed(target.origin())) continue;
    stale_.insert(target.origin());
    newly_stale_.insert(target.origin());
  }
  return {};
}

Result<void> MysqlChanges::truncate(const TableName& name) {
  MysqlRows* const rows = rows_of(name);
  if (rows == nullptr || is_passed(rows->target().origin())) return {};
  TRY(make_ready(*rows));
  rows->truncate();
  return {};
}

Result<void> MysqlChanges::take_table(const BinlogEvent& event) {
  if (!open_) return binlog_out_of_order("a table outside of a transaction");
  Table& known = tables_[TRY(table_id_of(event.body))];
  if (known.body == event.body) return {};
  Table table;
  table.log = TRY(parse_table_map_name(event.body));
  table.rows = rows_of({table.log.database, table.log.table});
  // Rows that are passed over need not fit: the table is named again with the next.
  const bool is_read = table.rows != nullptr && !is_passed(table.rows->target().origin());
  if (is_read || table.rows == nullptr) table.body = event.body;
  if (is_read) {
    table.log = TRY(parse_table_map(event.body));
    table.sizes = TRY(cell_sizes(table.log));
    TRY(match(table));
  }
  known = std::move(table);
  return {};
}

// Where the dataset's columns are among the log's.
Result<void> MysqlChanges::match(Table& table) const {
  const TableTarget& target = table.rows->target();
  if (!table.log.has_names()) {
    return cannot_tell(
        fmt::format("the binary log does not name the columns of {} at {}: run: SET GLOBAL "
                    "binlog_row_metadata = 'FULL';",
                    target.origin(),
                    transaction_text_));
  }
  for (int column = 0; column < target.schema.size(); ++column) {
    const Field& field = target.schema.field(column);
    const MysqlReading& how = table.rows->readings()[static_cast<std::size_t>(column)];
    const auto found = std::ranges::find(table.log.columns, field.name, &LogColumn::name);
    if (found == table.log.columns.end())
      return no_log_column(target, field.name, transaction_text_);
    if (!can_be(*found, how.kind)) {
      return invalid(fmt::format("column '{}' of table {} is of another type at {} than it is now",
                                 field.name,
                                 target.origin(),
                                 transaction_text_),
                     "lockstep resync of the source copies its tables anew");
    }
    table.view.readings.push_back(make_log_reading(how, *found));
    table.view.place.push_back(static_cast<std::size_t>(found - table.log.columns.begin()));
  }
  return {};
}

void MysqlChanges::copied(const std::string& origin,
                          const LogState& state,
                          const std::vector<MysqlReading>& readings) {
  copied_[origin] = state;
  tables_.clear();  // they are named again, and seen anew
  for (const std::unique_ptr<MysqlRows>& rows : rows_) {
    if (rows->target().origin() == origin) rows->set_readings(readings);
  }
  stale_.erase(origin);
}

Result<void> MysqlChanges::take_rows(const BinlogEvent& event) {
  if (!open_) return binlog_out_of_order("a row outside of a transaction");
  const auto found = tables_.find(TRY(table_id_of(event.body)));
  if (found == tables_.end()) return binlog_out_of_order("a row of a table that it did not name");
  Table& table = found->second;
  if (table.rows == nullptr || is_passed(table.rows->target().origin())) return {};
  if (transaction_.is_prepared_xa)
    return cannot_tell(fmt::format("{} is an XA transaction", transaction_text_));
  TRY(parse_log_rows(event, images_));
  if (images_.column_count != table.sizes.size())
    return binlog_out_of_order("a row with more or fewer columns than its table");
  return take_images(table);
}

Result<void> MysqlChanges::take_images(Table& table) {
  const PresentColumns before(images_.before, images_.column_count);
  const PresentColumns after(images_.after, images_.column_count);
  std::string_view rest = images_.rows;
  while (!rest.empty()) {
    const MysqlPlace place{transaction_text_, ++row_number_};
    TRY(take_row_image(rest, before, table.sizes, before_));
    switch (images_.kind) {
      case RowsKind::kInsert:
        TRY(table.rows->insert(before_, table.view, place));
        break;
      case RowsKind::kUpdate:
        TRY(take_row_image(rest, after, table.sizes, after_));
        table.rows->update(before_, after_, table.view, place);
        break;
      case RowsKind::kDelete:
        table.rows->remove(before_, table.view, place);
        break;
    }
  }
  return {};
}

Result<void> MysqlChanges::make_ready(MysqlRows& rows) {
  if (rows.is_empty()) return {};
  SourceBatch batch = TRY(rows.finish());
  batch.source_time = Timestamp{static_cast<std::int64_t>(time_s_) * kUsPerEventSecond};
  batch.has_more = true;
  ready_.push_back(std::move(batch));
  return {};
}

Result<void> MysqlChanges::make_all_ready() {
  for (const std::unique_ptr<MysqlRows>& rows : rows_)
    TRY(make_ready(*rows));
  return {};
}

std::int64_t MysqlChanges::open_count() const {
  std::int64_t count = 0;
  for (const std::unique_ptr<MysqlRows>& rows : rows_)
    count += rows->size();
  return count;
}

}  // namespace lockstep
