#include "source/mysql/mysql_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

void clear_cell(ReadCell& cell) {
  cell.is_null = true;
  cell.is_unchanged = false;
}

}  // namespace

std::string MysqlPlace::text() const {
  return fmt::format("{} row {}", transaction, row);
}

RowPosition MysqlRows::position_of(const MysqlPlace& place) {
  if (transaction_ != place.transaction) {
    transaction_ = place.transaction;
    stem_ = fmt::format("{} row ", transaction_);
  }
  return {stem_, place.row};
}

MysqlRows::MysqlRows(TableTarget target, std::vector<MysqlReading> readings)
    : rows_(std::move(target)),
      readings_(std::move(readings)),
      scratch_(rows_.row().size()),
      key_scratch_(rows_.row().size()) {
}

void MysqlRows::refuse(std::string stage,
                       std::string reason,
                       const MysqlPlace& place,
                       bool has_key) {
  Refusal refusal;
  refusal.position = place.text();
  refusal.stage = std::move(stage);
  refusal.reason = std::move(reason);
  refusal.text = rows_.row_text();
  rows_.refuse(std::move(refusal), has_key);
}

// Of what was read into row().
bool MysqlRows::has_row(const BadCell& bad, const MysqlPlace& place) {
  if (rows_.is_whole(bad)) return true;
  rows_.refuse_row(bad, place.text());
  return false;
}

void MysqlRows::copy(const std::vector<Text>& cells, const MysqlPlace& place) {
  BadCell bad;
  for (std::size_t column = 0; column < readings_.size(); ++column) {
    ReadCell& out = rows_.row()[column];
    clear_cell(out);
    if (!cells[column]) continue;
    std::optional<std::string> failed =
        read_mysql_text(*cells[column], readings_[column], out, scratch_[column]);
    if (failed) bad.note(target().schema, column, *std::move(failed), out);
  }
  if (has_row(bad, place)) rows_.upsert(place.text());
}

// Into row(). A cell that is not there did not change: it is taken from `before`, else from the
// row that the hub has. false: refused.
bool MysqlRows::read_row(const std::vector<LogCell>& row,
                         const std::vector<LogCell>* before,
                         const LogView& view,
                         const MysqlPlace& place) {
  BadCell bad;
  for (std::size_t column = 0; column < view.readings.size(); ++column) {
    ReadCell& out = rows_.row()[column];
    clear_cell(out);
    const LogCell* cell = &row[view.place[column]];
    if (cell->kind == LogCell::Kind::kAbsent && before != nullptr)
      cell = &(*before)[view.place[column]];
    out.is_unchanged = cell->kind == LogCell::Kind::kAbsent;
    if (cell->kind != LogCell::Kind::kValue) continue;
    if (read_plain_cell(cell->bytes, view.readings[column], out)) continue;
    std::optional<std::string> failed =
        read_log_cell(cell->bytes, view.readings[column], out, scratch_[column]);
    if (failed) bad.note(target().schema, column, *std::move(failed), out);
  }
  return has_row(bad, place);
}

// Into old_key(). false: refused.
bool MysqlRows::read_key(const std::vector<LogCell>& before,
                         const LogView& view,
                         const MysqlPlace& place) {
  for (ReadCell& cell : rows_.old_key())
    clear_cell(cell);
  for (const int key : target().key) {
    const auto column = static_cast<std::size_t>(key);
    const LogCell& cell = before[view.place[column]];
    std::optional<std::string> failed = "is null, or not in the log";
    if (cell.kind == LogCell::Kind::kValue)
      failed = read_log_cell(
          cell.bytes, view.readings[column], rows_.old_key()[column], key_scratch_[column]);
    if (!failed) continue;
    for (ReadCell& one : rows_.row())
      clear_cell(one);
    refuse("key",
           fmt::format("key column '{}': {}", target().schema.field(key).name, *failed),
           place,
           false);
    return false;
  }
  return true;
}

Result<void> MysqlRows::insert(const std::vector<LogCell>& row,
                               const LogView& view,
                               const MysqlPlace& place) {
  for (std::size_t column = 0; column < view.place.size(); ++column) {
    if (row[view.place[column]].kind != LogCell::Kind::kAbsent) continue;
    return make_error(
        Code::kUnsupported,
        fmt::format("a new row of {} is in the binary log without its column '{}', at {}",
                    target().origin(),
                    view.readings[column].column.name,
                    place.transaction),
        "a session set binlog_row_image; run: SET GLOBAL binlog_row_image = 'FULL'; and then "
        "lockstep resync of the source");
  }
  if (read_row(row, nullptr, view, place)) rows_.upsert(position_of(place));
  return {};
}

void MysqlRows::update(const std::vector<LogCell>& before,
                       const std::vector<LogCell>& row,
                       const LogView& view,
                       const MysqlPlace& place) {
  const bool has_key = read_key(before, view, place);
  const bool has_row = read_row(row, &before, view, place);
  rows_.update(has_row, has_key, position_of(place));
}

void MysqlRows::remove(const std::vector<LogCell>& before,
                       const LogView& view,
                       const MysqlPlace& place) {
  if (read_key(before, view, place)) rows_.remove(position_of(place));
}

}  // namespace lockstep
