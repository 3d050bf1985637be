#include "source/query/query_look.h"

#include "base/assert.h"
#include "base/hash.h"
#include "source/tables/table_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lockstep {
namespace {

const KeyedHash& query_row_hash() {
  static const KeyedHash kHash("rows of a query");
  return kHash;
}

void append_number_bytes(const Value& value, std::string& out) {
  const auto append = [&out](auto number) {
    std::array<char, sizeof(number)> bytes{};
    std::memcpy(bytes.data(), &number, sizeof(number));
    out.append(bytes.data(), bytes.size());
  };
  if (const auto* truth = std::get_if<bool>(&value)) append(*truth ? '1' : '0');
  if (const auto* number = std::get_if<std::int64_t>(&value)) append(*number);
  if (const auto* number = std::get_if<double>(&value)) append(*number);
  if (const auto* date = std::get_if<Date>(&value)) append(date->days);
  if (const auto* time = std::get_if<Timestamp>(&value)) append(time->us);
}

// Of one column: no two values have the same.
void append_cell_bytes(const ReadCell& cell, bool is_text, std::string& out) {
  out += cell.is_null ? '0' : '1';
  if (cell.is_null) return;
  if (!is_text) return append_number_bytes(cell.value, out);
  append_number_bytes(static_cast<std::int64_t>(cell.text.size()), out);
  out += cell.text;
}

std::string row_place(const QueryTask& task, const QueryRowRead& row, std::int64_t number) {
  if (task.watermark.empty()) return fmt::format("row {}", number);
  return row.watermark ? fmt::format("at {}", *row.watermark) : "without a watermark";
}

}  // namespace

const QueryColumn* query_column(const std::vector<QueryColumn>& columns, const std::string& name) {
  const auto found = std::ranges::find(columns, name, &QueryColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

Result<void> check_query_columns(const std::vector<QueryColumn>& columns,
                                 const TableTarget& target,
                                 const std::string& watermark) {
  std::vector<std::string> names;
  for (const QueryColumn& one : columns)
    names.push_back(one.name);
  for (const Field& field : target.schema.fields()) {
    const QueryColumn* column = query_column(columns, field.name);
    if (column == nullptr) return missing_table_column(target, field.name, names);
    if (column->takers.empty())
      return unsupported_table_column(target, column->name, column->type_name);
    if (std::ranges::find(column->takers, field.type) == column->takers.end())
      return unfit_table_column(target, field, column->type_name, column->type);
  }
  if (!watermark.empty() && query_column(columns, watermark) == nullptr)
    return missing_table_column(target, watermark, names);
  return {};
}

void QueryLook::Content::add(const TableRows& rows, const BadCell& bad) {
  std::string bytes;
  const Schema& schema = rows.target().schema;
  for (int column = 0; column < schema.size(); ++column)
    append_cell_bytes(rows.cell(column), schema.field(column).type == Type::kText, bytes);
  bytes += bad.reason;
  const std::array<std::uint64_t, 2> hash = query_row_hash().hash128(bytes);
  sum[0] += hash[0];
  sum[1] += hash[1] + (sum[0] < hash[0] ? 1 : 0);
  ++row_count;
}

std::string QueryLook::Content::text() const {
  return fmt::format("{:016x}{:016x}", sum[1], sum[0]);
}

QueryLook::QueryLook(QueryConnection& connection, QueryTask task)
    : connection_(connection), task_(std::move(task)), rows_(task_.target) {
}

// The transaction, and what is to be read in it.
Result<void> QueryLook::begin() {
  TRY(connection_.begin());
  const std::vector<QueryColumn> columns = TRY(connection_.columns(task_.from));
  TRY(check_query_columns(columns, task_.target, task_.watermark));
  QueryRead read;
  read.from = task_.from;
  read.schema = task_.target.schema;
  read.watermark = task_.watermark;
  place_.shape = task_.shape;
  place_.was_compared = task_.compares;
  if (task_.last) place_.compared_us = task_.last->compared_us;
  if (task_.compares) place_.compared_us = task_.now_us;
  if (!task_.watermark.empty())
    watermark_type_ =
        TRY(connection_.watermark_type(task_.from, *query_column(columns, task_.watermark)));
  const bool knows = task_.last && task_.last->watermark && watermark_type_ &&
                     watermark_number(*task_.last->watermark, *watermark_type_);
  if (task_.compares || !knows) {
    // Without a watermark yet there was no row, or none with one: all rows are few, or new.
    reads_.push_back(read);
    return {};
  }
  place_.watermark = task_.last->watermark;
  greatest_ = watermark_number(*place_.watermark, *watermark_type_);
  std::optional<Timestamp> now;
  if (*watermark_type_ != Type::kInt) now = TRY(connection_.now());
  read.since = TRY(watermark_since(*place_.watermark, *watermark_type_, task_.overlap, now));
  read.rows = QueryRead::Rows::kUnmarked;
  reads_.push_back(read);
  read.rows = QueryRead::Rows::kSince;
  reads_.push_back(std::move(read));
  return {};
}

void QueryLook::start_again() {
  read_ = 0;
  content_ = {};
  keeps_rows_ = true;
  rows_.forget();
}

// false: there are no more rows.
Result<bool> QueryLook::pull() {
  while (read_ < reads_.size()) {
    if (!is_reading_) TRY(connection_.start(reads_[read_]));
    is_reading_ = true;
    QueryRowRead row;
    if (TRY(connection_.next(rows_.row(), row))) {
      take(row);
      return true;
    }
    is_reading_ = false;
    ++read_;
  }
  return false;
}

void QueryLook::take(const QueryRowRead& given) {
  QueryRowRead row = given;
  if (row.watermark && watermark_type_ && row.bad.column < 0 &&
      !watermark_number(*row.watermark, *watermark_type_)) {
    row.bad.reason = fmt::format("'{}' is no watermark", *row.watermark);
    row.bad.name = task_.watermark;
  }
  content_.add(rows_, row.bad);
  note_watermark(row);
  if (!keeps_rows_) return;
  rows_.take(row.bad, row_place(task_, row, content_.row_count));
}

void QueryLook::note_watermark(const QueryRowRead& row) {
  if (!row.watermark || !watermark_type_) return;
  const std::optional<std::int64_t> number = watermark_number(*row.watermark, *watermark_type_);
  if (!number || (greatest_ && *number <= *greatest_)) return;
  greatest_ = number;
  place_.watermark = std::string(*row.watermark);
}

bool QueryLook::is_as_last_time() const {
  return task_.last && task_.last->was_compared == task_.compares &&
         task_.last->row_count == content_.row_count && task_.last->content == content_.text();
}

// Of rows that do not fit into a batch: they are looked at first, and read again if they differ.
Result<bool> QueryLook::rest_is_as_last_time() {
  if (!task_.last || task_.last->was_compared != task_.compares) return false;
  keeps_rows_ = false;
  while (TRY(pull())) {
  }
  if (is_as_last_time()) return true;
  start_again();
  return false;
}

Result<SourceBatch> QueryLook::finish_batch(bool is_last) {
  SourceBatch batch = TRY(rows_.finish());
  batch.replaces_origin = task_.compares && !has_given_;
  batch.has_more = !is_last;
  has_given_ = true;
  if (!is_last) return batch;
  place_.row_count = content_.row_count;
  place_.content = content_.text();
  batch.position_changes = query_change(task_.target.origin(), place_);
  return batch;
}

Result<void> QueryLook::end() {
  is_done_ = true;
  return connection_.end();
}

// true: the look has no more rows.
Result<bool> QueryLook::fill(std::int64_t row_count_max) {
  while (rows_.row_count() + rows_.refusal_count() < row_count_max) {
    if (!TRY(pull())) return true;
  }
  return false;
}

// What the last look found is in the hub already.
Result<std::optional<SourceBatch>> QueryLook::give_nothing() {
  place_ = *task_.last;
  return std::optional<SourceBatch>();
}

Result<std::optional<SourceBatch>> QueryLook::next(std::int64_t row_count_max) {
  if (is_done_) return std::optional<SourceBatch>();
  for (bool was_looked_at = has_given_;; was_looked_at = true) {
    if (TRY(fill(row_count_max))) {
      TRY(end());
      if (!has_given_ && is_as_last_time()) return give_nothing();
      return std::optional(TRY(finish_batch(true)));
    }
    if (was_looked_at) return std::optional(TRY(finish_batch(false)));
    if (!TRY(rest_is_as_last_time())) continue;
    TRY(end());
    return give_nothing();
  }
}

}  // namespace lockstep
