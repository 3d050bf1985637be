#include "source/postgres/postgres_rows.h"

#include "base/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

// nullptr: the tuple has no such cell.
const TupleCell* cell_at(const TupleView& tuple, int column) {
  const int place = tuple.place[static_cast<std::size_t>(column)];
  if (place < 0 || static_cast<std::size_t>(place) >= tuple.cells.size()) return nullptr;
  if (tuple.known != nullptr && (*tuple.known)[static_cast<std::size_t>(column)] == 0)
    return nullptr;
  return &tuple.cells[static_cast<std::size_t>(place)];
}

std::string tuple_text(const PostgresTarget& target, const TupleView& row) {
  std::string text;
  for (int column = 0; column < target.schema.size() && text.size() < kRefusedTextMax; ++column) {
    const TupleCell* cell = cell_at(row, column);
    if (cell == nullptr || cell->kind != 't') continue;
    text += fmt::format(
        "{}{}={}", text.empty() ? "" : ", ", target.schema.field(column).name, cell->text);
  }
  return refused_text(std::move(text));
}

}  // namespace

Result<PostgresTarget> parse_target(const SourceTarget& target, int index) {
  return parse_table_target(target, index, "public");
}

std::string table_shape(const PostgresTarget& target, const Relation& relation) {
  constexpr std::size_t kShown = 16;
  std::string text = fmt::format("{}", relation.id);
  for (const Field& field : target.schema.fields()) {
    const auto column = std::ranges::find(relation.columns, field.name, &RelationColumn::name);
    if (column == relation.columns.end()) continue;
    text += fmt::format("\n{} {} {}", column->name, column->type, column->modifier);
  }
  return sha256_hex(text).substr(0, kShown);
}

std::string RowPlace::text() const {
  return fmt::format("{} row {}", lsn_text(lsn), number);
}

RowPosition PostgresRows::position_of(const RowPlace& place) {
  if (stem_.empty() || lsn_ != place.lsn) {
    lsn_ = place.lsn;
    stem_ = fmt::format("{} row ", lsn_text(lsn_));
  }
  return {stem_, place.number};
}

Refusal PostgresRows::refusal(std::string stage,
                              std::string reason,
                              const TupleView& row,
                              const RowPlace& place) const {
  Refusal refusal;
  refusal.position = place.text();
  refusal.stage = std::move(stage);
  refusal.reason = std::move(reason);
  refusal.text = tuple_text(target(), row);
  return refusal;
}

// `before`: where an unchanged cell's text is looked for. false: refused.
bool PostgresRows::read_row(const TupleView& row, const TupleView* before, const RowPlace& place) {
  const Schema& schema = target().schema;
  std::optional<std::string> reason;
  int bad_column = -1;
  for (int column = 0; column < schema.size(); ++column) {
    ReadCell& out = rows_.row()[static_cast<std::size_t>(column)];
    out.is_null = true;
    out.is_unchanged = false;
    const TupleCell* cell = cell_at(row, column);
    if (cell != nullptr && cell->kind == 'u') {
      const TupleCell* old = before == nullptr ? nullptr : cell_at(*before, column);
      out.is_unchanged = old == nullptr;
      cell = old;
    }
    if (cell == nullptr || cell->kind != 't') continue;
    std::optional<std::string> failed = read_cell(cell->text, schema.field(column).type, out);
    if (!failed || reason) continue;
    reason = std::move(failed);
    bad_column = column;
  }
  const bool has_key = std::ranges::none_of(target().key, [&](int column) {
    const ReadCell& cell = rows_.row()[static_cast<std::size_t>(column)];
    return cell.is_null || cell.is_unchanged || (reason && column == bad_column);
  });
  if (!reason && has_key) return true;
  if (!reason) {
    rows_.refuse(refusal("key", "a column of the key is null", row, place), false);
    return false;
  }
  reason = fmt::format("column '{}': {}", schema.field(bad_column).name, *reason);
  rows_.refuse(refusal("decode", *std::move(reason), row, place), has_key);
  return false;
}

// false: refused.
bool PostgresRows::read_key(const TupleView& before, const RowPlace& place) {
  for (ReadCell& cell : rows_.old_key()) {
    cell.is_null = true;
    cell.is_unchanged = false;
  }
  for (const int column : target().key) {
    const std::string& name = target().schema.field(column).name;
    const TupleCell* cell = cell_at(before, column);
    if (cell == nullptr || cell->kind != 't') {
      std::string reason =
          fmt::format("key column '{}' is not in the table's replica identity, or null", name);
      rows_.refuse(refusal("key", std::move(reason), before, place), false);
      return false;
    }
    ReadCell& out = rows_.old_key()[static_cast<std::size_t>(column)];
    const std::optional<std::string> failed =
        read_cell(cell->text, target().schema.field(column).type, out);
    if (!failed) continue;
    std::string reason = fmt::format("column '{}': {}", name, *failed);
    rows_.refuse(refusal("key", std::move(reason), before, place), false);
    return false;
  }
  return true;
}

void PostgresRows::upsert(const TupleView& row, const RowPlace& place) {
  if (read_row(row, nullptr, place)) rows_.upsert(position_of(place));
}

void PostgresRows::update(const TupleView& before, const TupleView& row, const RowPlace& place) {
  const bool has_key = read_key(before, place);
  const bool has_row = read_row(row, &before, place);
  rows_.update(has_row, has_key, position_of(place));
}

void PostgresRows::remove(const TupleView& before, const RowPlace& place) {
  if (read_key(before, place)) rows_.remove(position_of(place));
}

}  // namespace lockstep
