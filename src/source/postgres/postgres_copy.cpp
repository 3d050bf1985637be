#include "source/postgres/postgres_copy.h"

#include "source/postgres/postgres_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
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

// Rows whose place in the table is from block `from` to before block `to`; 0: no end.
std::string blocks_sql(std::int64_t from, std::int64_t to) {
  std::string out;
  if (from > 0) out = fmt::format(" WHERE ctid >= '({},0)'", from);
  if (to > 0) out += fmt::format("{} ctid < '({},0)'", from > 0 ? " AND" : " WHERE", to);
  return out;
}

std::string copy_sql(const CopyTable& table, const std::string& which) {
  std::vector<std::string> names;
  for (const Field& field : table.target.schema.fields())
    names.push_back(quote_name(field.name));
  return fmt::format("COPY (SELECT {} FROM {}{}{}) TO STDOUT",
                     fmt::join(names, ", "),
                     table.is_partitioned ? "" : "ONLY ",
                     quoted_table(table.target),
                     which);
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
  // Of a copy made anew, what is not in it goes; not what the copy before this one gave.
  if (table.first_block == 0) rows_->truncate();
  place_.resize(static_cast<std::size_t>(table.target.schema.size()));
  std::iota(place_.begin(), place_.end(), 0);
  row_number_ = 0;
  block_ = table.first_block;
  return begin_chunk();
}

// Whether one statement from that block on reads the table to its end.
bool PostgresCopy::chunks_end_behind(std::int64_t block) const {
  const CopyTable& table = request_.tables[table_];
  return table.is_partitioned || request_.chunk_blocks == 0 ||
         block + request_.chunk_blocks >= table.block_count;
}

Result<void> PostgresCopy::begin_chunk() {
  const CopyTable& table = request_.tables[table_];
  const std::string which =
      request_.row_limit > 0
          ? fmt::format(" LIMIT {}", request_.row_limit)
          : blocks_sql(block_, chunks_end_behind(block_) ? 0 : block_ + request_.chunk_blocks);
  return link_->start_stream(copy_sql(table, which)).with_context(table.target.origin());
}

// Where a copy that goes on with this one begins: the rows that were read of this chunk come again.
Position PostgresCopy::progress() const {
  Position out = request_.begin;
  for (std::size_t done = 0; done < table_; ++done)
    add_copied(out, request_.tables[done].target.origin(), request_.tables[done].copied);
  CopyProgress copy;
  if (table_ < request_.tables.size()) {
    const CopyTable& table = request_.tables[table_];
    copy = {.origin = table.target.origin(), .node = table.node, .block = block_};
  }
  add_progress(out, copy);
  return out;
}

std::uint64_t PostgresCopy::bytes_left() const {
  constexpr std::int64_t kBlockBytes = 8192;
  std::int64_t blocks = 0;
  for (std::size_t index = table_; index < request_.tables.size(); ++index) {
    const CopyTable& table = request_.tables[index];
    const std::int64_t from = index == table_ && rows_ ? block_ : table.first_block;
    blocks += std::max<std::int64_t>(0, table.block_count - from);
  }
  return static_cast<std::uint64_t>(blocks * kBlockBytes);
}

// What was read becomes a batch; the one before is ready.
Result<void> PostgresCopy::hold() {
  LOCKSTEP_ASSERT(!ready_, "source: a copy that goes on before its batch was given");
  ready_ = std::exchange(held_, std::nullopt);
  held_ = TRY(rows_->finish());
  held_->has_more = true;
  held_->schema_pending = request_.schema_pending;
  if (!request_.resumes) return {};
  held_->resumes = true;
  held_->retells = request_.goes_on_behind;
  held_->position_changes = progress();
  return {};
}

// true: it was the table's last.
Result<bool> PostgresCopy::end_chunk() {
  const bool was_last = request_.row_limit > 0 || chunks_end_behind(block_);
  block_ += request_.chunk_blocks;
  if (!was_last) TRY(begin_chunk());
  return was_last;
}

// false: nothing came.
Result<bool> PostgresCopy::pull(std::int64_t row_count_max) {
  if (!rows_) TRY(begin_table());
  const PostgresLink::Received received = TRY(link_->receive());
  if (received.ended) {
    if (!TRY(end_chunk())) return true;
    // It is done: a copy that goes on with this one begins with the next.
    ++table_;
    block_ = table_ < request_.tables.size() ? request_.tables[table_].first_block : 0;
    TRY(hold());
    rows_.reset();
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
  held_->has_more = request_.goes_on_behind;
  held_->resumes = request_.goes_on_behind;
  held_->position_changes = request_.goes_on_behind ? progress() : request_.position_changes;
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
