#include "source/mysql/mysql_copy.h"

#include "base/assert.h"
#include "source/mysql/mysql_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace lockstep {
namespace {

std::string mysql_copy_sql(const MysqlCopyTable& table, std::int64_t row_limit) {
  std::vector<std::string> selections;
  for (int column = 0; column < table.target.schema.size(); ++column) {
    selections.push_back(mysql_selection(table.readings[static_cast<std::size_t>(column)].kind,
                                         quote_mysql_name(table.target.schema.field(column).name)));
  }
  return fmt::format("SELECT {} FROM {}{}",
                     fmt::join(selections, ", "),
                     quoted_mysql_table(table.target),
                     row_limit > 0 ? fmt::format(" LIMIT {}", row_limit) : "");
}

}  // namespace

MysqlCopy::MysqlCopy(std::unique_ptr<MysqlLink> link, MysqlCopyRequest request)
    : link_(std::move(link)), request_(std::move(request)) {
  LOCKSTEP_ASSERT(!request_.tables.empty(), "source: a copy of no table");
}

// The server looks at a table's form when it is first read in the transaction, and keeps it then.
Result<void> MysqlCopy::begin_table() {
  const MysqlCopyTable& table = request_.tables[table_];
  TRY_IN(link_->query("SELECT 1 FROM " + quoted_mysql_table(table.target) + " LIMIT 0", {}),
         table.target.origin());
  const MysqlTable now = TRY(read_mysql_table(*link_, table.target));
  if (mysql_table_shape(table.target, now) != table.shape) {
    return make_error(Code::kIo,
                      fmt::format("table {} was altered while it was waiting to be copied",
                                  table.target.origin()),
                      "it is tried again");
  }
  rows_ = std::make_unique<MysqlRows>(table.target, table.readings);
  rows_->truncate();  // of a copy made anew, what is not in it goes
  row_number_ = 0;
  return link_->start_rows(mysql_copy_sql(table, request_.row_limit))
      .with_context(table.target.origin());
}

// What was read becomes a batch; the one before is ready.
Result<void> MysqlCopy::hold() {
  LOCKSTEP_ASSERT(!ready_, "source: a copy that goes on before its batch was given");
  ready_ = std::exchange(held_, std::nullopt);
  held_ = TRY(rows_->finish());
  held_->has_more = true;
  return {};
}

Result<void> MysqlCopy::pull(std::int64_t row_count_max) {
  if (!rows_) TRY(begin_table());
  if (!TRY(link_->next_row(cells_))) {
    TRY(hold());
    rows_.reset();
    ++table_;
    return {};
  }
  rows_->copy(cells_, {request_.transaction, ++row_number_});
  if (rows_->size() >= row_count_max) TRY(hold());
  return {};
}

std::optional<SourceBatch> MysqlCopy::give_last() {
  done_ = true;
  held_->has_more = false;
  held_->position_changes = request_.position_changes;
  return std::exchange(held_, std::nullopt);
}

Result<std::optional<SourceBatch>> MysqlCopy::next(std::int64_t row_count_max) {
  while (!ready_) {
    if (done_) return std::optional<SourceBatch>();
    if (table_ == request_.tables.size()) return give_last();
    TRY(pull(row_count_max));
  }
  return std::exchange(ready_, std::nullopt);
}

}  // namespace lockstep
