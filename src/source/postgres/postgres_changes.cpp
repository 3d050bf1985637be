#include "source/postgres/postgres_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

Error out_of_order(std::string_view what) {
  return make_error(Code::kCorrupt, fmt::format("the replication stream has {}", what));
}

std::optional<std::size_t> column_of(const Relation& relation, const std::string& name) {
  const auto found = std::ranges::find(relation.columns, name, &RelationColumn::name);
  if (found == relation.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - relation.columns.begin());
}

Error no_column(const PostgresTarget& target, const std::string& name, Lsn lsn) {
  return invalid(
      fmt::format("table {} has no column '{}' at {}", target.origin(), name, lsn_text(lsn)),
      fmt::format("take '{}' out of the dataset's columns, or say what it is called now; a "
                  "generated column is not in the stream",
                  name));
}

}  // namespace

PostgresChanges::PostgresChanges(const std::vector<PostgresTarget>& targets,
                                 const PostgresPosition& position)
    : start_(position.lsn), copied_(position.tables), seen_(position.lsn) {
  for (const PostgresTarget& target : targets)
    rows_.push_back(std::make_unique<PostgresRows>(target));
}

Result<void> PostgresChanges::take(std::string_view message, std::int64_t row_count_max) {
  TRY(parse_pgoutput(message, message_));
  switch (message_.kind) {
    case 'B':
      return begin(message_);
    case 'C':
      return commit(message_);
    case 'R':
      return take_relation(message_.relation);
    case 'I':
    case 'U':
    case 'D':
      TRY(take_row(message_));
      break;
    case 'T':
      TRY(truncate(message_));
      break;
    default:
      return {};
  }
  if (open_count() >= row_count_max) return make_all_ready();
  return {};
}

std::optional<SourceBatch> PostgresChanges::give() {
  // Of a transaction that goes on the newest batch waits: it may be the last, which moves the
  // position.
  if (ready_.empty() || (open_ && ready_.size() == 1)) return std::nullopt;
  SourceBatch batch = std::move(ready_.front());
  ready_.pop_front();
  return batch;
}

Result<void> PostgresChanges::begin(const PgoutputMessage& message) {
  if (open_) return out_of_order("a transaction within another");
  open_ = true;
  commit_ = message.commit;
  commit_time_us_ = message.commit_time_us;
  row_number_ = 0;
  // Its end is behind its commit: one that began to commit before the position ended there.
  skips_ = commit_ < start_;
  return {};
}

Result<void> PostgresChanges::commit(const PgoutputMessage& message) {
  if (!open_ || message.commit != commit_) return out_of_order("a commit without its transaction");
  if (skips_ && message.end > start_)
    return out_of_order("a transaction that ends behind the position and commits before it");
  open_ = false;
  if (is_gathering()) return saw(message.end);
  if (!skips_) TRY(make_all_ready());
  TRY(saw(message.end));
  if (ready_.empty()) return {};
  ready_.back().has_more = false;
  ready_.back().position_changes = lsn_change(message.end);
  return {};
}

Result<void> PostgresChanges::saw(Lsn lsn) {
  seen_ = lsn > seen_ ? lsn : seen_;
  return gather_until_ && seen_ >= *gather_until_ ? end_gathering() : Result<void>();
}

Result<void> PostgresChanges::gather_until(Lsn lsn, Position end) {
  gather_until_ = lsn;
  gather_end_ = std::move(end);
  return saw(seen_);
}

Result<void> PostgresChanges::end_gathering() {
  TRY(make_all_ready());
  if (ready_.empty()) ready_.push_back(TRY(rows_.front()->finish()));
  SourceBatch& last = ready_.back();
  last.retells = true;
  last.has_more = false;
  last.resumes = false;
  last.position_changes = std::exchange(gather_end_, {});
  last.position_changes.merge(lsn_change(seen_));
  gather_until_.reset();
  return {};
}

// Where the dataset's columns are among the relation's.
Result<void> PostgresChanges::match(Table& table) const {
  const PostgresTarget& target = table.rows->target();
  for (const Field& field : target.schema.fields()) {
    const auto place = column_of(table.relation, field.name);
    if (!place) return no_column(target, field.name, commit_);
    const RelationColumn& column = table.relation.columns[*place];
    if (!may_fit(column.type, field.type)) {
      return invalid(fmt::format("column '{}' of table {} is {} at {}, which is no {}",
                                 field.name,
                                 target.origin(),
                                 postgres_type_name(column.type),
                                 lsn_text(commit_),
                                 type_name(field.type)),
                     "give the dataset's column a type that fits, or take it out");
    }
    table.place.push_back(static_cast<int>(*place));
    table.known.push_back(column.in_identity ? 1 : 0);
  }
  return {};
}

Result<void> PostgresChanges::take_relation(const Relation& relation) {
  Table table;
  table.relation = relation;
  for (const std::unique_ptr<PostgresRows>& rows : rows_) {
    const PostgresTarget& target = rows->target();
    if (target.schema_name == relation.schema && target.table == relation.table)
      table.rows = rows.get();
  }
  if (table.rows != nullptr) {
    const std::string origin = table.rows->target().origin();
    const auto copied = copied_.find(origin);
    if (copied != copied_.end()) table.copied = copied->second.lsn;
    const bool is_passed = skips_ || commit_ < table.copied;
    Result<void> matched = match(table);
    // Rows that are passed over need not fit: with its next form the table is named again.
    if (!matched.ok() && !is_passed) return matched;
    if (!matched.ok()) table.rows = nullptr;
    if (!is_passed && copied != copied_.end() &&
        copied->second.shape != table_shape(table.rows->target(), relation))
      stale_.insert(origin);
  }
  tables_[relation.id] = std::move(table);
  return {};
}

void PostgresChanges::copied(const std::string& origin, const CopiedTable& table) {
  copied_[origin] = table;
  for (auto& [id, known] : tables_) {
    if (known.rows != nullptr && known.rows->target().origin() == origin) known.copied = table.lsn;
  }
  stale_.erase(origin);
}

Result<PostgresChanges::Table*> PostgresChanges::table_of(std::uint32_t relation_id) {
  if (!open_) return out_of_order("a row outside of a transaction");
  const auto found = tables_.find(relation_id);
  if (found == tables_.end()) return out_of_order("a row of a table that it did not name");
  Table& table = found->second;
  const bool is_passed = skips_ || table.rows == nullptr || commit_ < table.copied;
  return is_passed ? nullptr : &table;
}

Result<void> PostgresChanges::take_row(const PgoutputMessage& message) {
  Table* const table = TRY(table_of(message.relation_id));
  ++row_number_;
  if (table == nullptr) return {};
  const RowPlace place{commit_, row_number_};
  const TupleView row{message.new_cells, table->place};
  const TupleView before{
      message.old_cells, table->place, message.old_kind == 'K' ? &table->known : nullptr};
  if (message.kind == 'D') {
    table->rows->remove(before, place);
  } else if (message.old_kind != 0) {
    table->rows->update(before, row, place);
  } else {
    table->rows->upsert(row, place);
  }
  return {};
}

Result<void> PostgresChanges::truncate(const PgoutputMessage& message) {
  for (const std::uint32_t relation_id : message.truncated) {
    Table* const table = TRY(table_of(relation_id));
    if (table == nullptr) continue;
    TRY(make_ready(*table->rows));
    table->rows->truncate();
  }
  return {};
}

Result<void> PostgresChanges::make_ready(PostgresRows& rows) {
  if (rows.is_empty()) return {};
  SourceBatch batch = TRY(rows.finish());
  batch.source_time = Timestamp{commit_time_us_};
  batch.has_more = true;
  batch.schema_pending = commit_ < pending_until_ || !stale_.empty();
  batch.retells = is_gathering();
  batch.resumes = is_gathering();
  ready_.push_back(std::move(batch));
  return {};
}

Result<void> PostgresChanges::make_all_ready() {
  for (const std::unique_ptr<PostgresRows>& rows : rows_)
    TRY(make_ready(*rows));
  return {};
}

std::int64_t PostgresChanges::open_count() const {
  std::int64_t count = 0;
  for (const std::unique_ptr<PostgresRows>& rows : rows_)
    count += rows->row_count() + rows->refusal_count();
  return count;
}

}  // namespace lockstep
