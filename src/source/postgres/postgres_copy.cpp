#include "source/postgres/postgres_copy.h"

#include "source/postgres/postgres_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <numeric>
#include <utility>

namespace lockstep {
namespace {

char unescaped(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return letter;
  }
}

TupleCell cell_of(std::string_view field, std::string& scratch) {
  if (field == "\\N") return {.kind = 'n', .text = {}};
  if (field.find('\\') == std::string_view::npos) return {.kind = 't', .text = field};
  const std::size_t start = scratch.size();
  for (std::size_t at = 0; at < field.size(); ++at) {
    const bool is_escape = field[at] == '\\' && at + 1 < field.size();
    if (is_escape) ++at;
    scratch += is_escape ? unescaped(field[at]) : field[at];
  }
  return {.kind = 't', .text = std::string_view(scratch).substr(start)};
}

std::string copy_sql(const CopyTable& table, std::int64_t row_limit) {
  std::vector<std::string> names;
  for (const Field& field : table.target.schema.fields())
    names.push_back(quote_name(field.name));
  return fmt::format("COPY (SELECT {} FROM {}{}{}) TO STDOUT",
                     fmt::join(names, ", "),
                     table.is_partitioned ? "" : "ONLY ",
                     quoted_table(table.target),
                     row_limit > 0 ? fmt::format(" LIMIT {}", row_limit) : "");
}

}  // namespace

void split_copy_line(std::string_view line, std::vector<TupleCell>& cells, std::string& scratch) {
  cells.clear();
  scratch.clear();
  scratch.reserve(line.size());  // so that cells in it stay where they are
  if (line.ends_with('\n')) line.remove_suffix(1);
  for (;;) {
    const std::size_t tab = line.find('\t');
    cells.push_back(cell_of(line.substr(0, tab), scratch));
    if (tab == std::string_view::npos) return;
    line.remove_prefix(tab + 1);
  }
}

PostgresCopy::PostgresCopy(std::unique_ptr<PostgresLink> link, CopyRequest request)
    : link_(std::move(link)), request_(std::move(request)) {
  LOCKSTEP_ASSERT(!request_.tables.empty(), "source: a copy of no table");
}

Result<void> PostgresCopy::begin_table() {
  const CopyTable& table = request_.tables[table_];
  rows_ = std::make_unique<PostgresRows>(table.target);
  rows_->truncate();  // of a copy made anew, what is not in it goes
  place_.resize(static_cast<std::size_t>(table.target.schema.size()));
  std::iota(place_.begin(), place_.end(), 0);
  row_number_ = 0;
  return link_->start_stream(copy_sql(table, request_.row_limit))
      .with_context(table.target.origin());
}

// What was read becomes a batch; the one before is ready.
Result<void> PostgresCopy::hold() {
  LOCKSTEP_ASSERT(!ready_, "source: a copy that goes on before its batch was given");
  ready_ = std::exchange(held_, std::nullopt);
  held_ = TRY(rows_->finish());
  held_->has_more = true;
  return {};
}

// false: nothing came.
Result<bool> PostgresCopy::pull(std::int64_t row_count_max) {
  if (!rows_) TRY(begin_table());
  const PostgresLink::Received received = TRY(link_->receive());
  if (received.ended) {
    TRY(hold());
    rows_.reset();
    ++table_;
    return true;
  }
  if (!received.message) return false;
  split_copy_line(*received.message, cells_, scratch_);
  const TupleView row{cells_, place_};
  rows_->upsert(row, {request_.lsn, ++row_number_});
  if (rows_->row_count() + rows_->refusal_count() >= row_count_max) TRY(hold());
  return true;
}

std::optional<SourceBatch> PostgresCopy::give_last() {
  done_ = true;
  held_->has_more = false;
  held_->position_changes = request_.position_changes;
  return std::exchange(held_, std::nullopt);
}

Result<std::optional<SourceBatch>> PostgresCopy::next(std::int64_t row_count_max) {
  while (!ready_) {
    if (done_) return std::optional<SourceBatch>();
    if (table_ == request_.tables.size()) return give_last();
    if (!TRY(pull(row_count_max))) return std::optional<SourceBatch>();
  }
  return std::exchange(ready_, std::nullopt);
}

}  // namespace lockstep
