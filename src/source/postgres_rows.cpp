#include "source/postgres_rows.h"

#include "base/hash.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kRefusedTextMax = 4096;

// nullptr: the tuple has no such cell.
const TupleCell* cell_at(const TupleView& tuple, int column) {
  const int place = tuple.place[static_cast<std::size_t>(column)];
  if (place < 0 || static_cast<std::size_t>(place) >= tuple.cells.size()) return nullptr;
  if (tuple.known != nullptr && (*tuple.known)[static_cast<std::size_t>(column)] == 0)
    return nullptr;
  return &tuple.cells[static_cast<std::size_t>(place)];
}

// What is no UTF-8, as in a database without an encoding, cannot be kept.
std::string printable(std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::optional<std::size_t> bad = first_invalid_utf8(std::string_view(text).substr(at));
    if (!bad) break;
    at += *bad;
    text[at] = '?';
  }
  return text;
}

std::string tuple_text(const PostgresTarget& target, const TupleView& row) {
  std::string text;
  for (int column = 0; column < target.schema.size() && text.size() < kRefusedTextMax; ++column) {
    const TupleCell* cell = cell_at(row, column);
    if (cell == nullptr || cell->kind != 't') continue;
    text += fmt::format(
        "{}{}={}", text.empty() ? "" : ", ", target.schema.field(column).name, cell->text);
  }
  if (text.size() > kRefusedTextMax) text.resize(kRefusedTextMax);
  return printable(std::move(text));
}

}  // namespace

Result<PostgresTarget> parse_target(const SourceTarget& target, int index) {
  PostgresTarget out;
  out.index = index;
  const std::size_t dot = target.table.find('.');
  out.schema_name = dot == std::string::npos ? "public" : target.table.substr(0, dot);
  out.table = dot == std::string::npos ? target.table : target.table.substr(dot + 1);
  if (out.table.empty() || out.schema_name.empty()) {
    return invalid("a dataset does not say which table of the database it follows",
                   "write from: [SOURCE.public.TABLE]");
  }
  out.schema = target.schema;
  if (target.key.empty()) {
    return invalid(fmt::format("the dataset of table {} has no key", out.origin()),
                   "name the columns of the table's primary key, as key: [id]");
  }
  if (out.schema.size() > 0) out.key = TRY(out.schema.require_all(target.key));
  return out;
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

PostgresRows::PostgresRows(PostgresTarget target)
    : target_(std::move(target)),
      builder_(target_.schema),
      row_(static_cast<std::size_t>(target_.schema.size())),
      old_key_(static_cast<std::size_t>(target_.schema.size())) {
}

std::vector<Value> PostgresRows::key_of(const std::vector<ReadCell>& cells) const {
  std::vector<Value> key;
  for (const int column : target_.key)
    key.push_back(
        value_of(cells[static_cast<std::size_t>(column)], target_.schema.field(column).type));
  return key;
}

void PostgresRows::refuse(std::string stage,
                          std::string reason,
                          const TupleView& row,
                          const RowPlace& place) {
  Refusal refusal;
  refusal.origin = target_.origin();
  refusal.position = place.text();
  refusal.stage = std::move(stage);
  refusal.reason = std::move(reason);
  refusal.text = tuple_text(target_, row);
  refusals_.push_back(std::move(refusal));
}

// Into row_. `before`: where an unchanged cell's text is looked for. false: refused.
bool PostgresRows::read_row(const TupleView& row, const TupleView* before, const RowPlace& place) {
  std::optional<std::string> reason;
  int bad_column = -1;
  for (int column = 0; column < target_.schema.size(); ++column) {
    ReadCell& out = row_[static_cast<std::size_t>(column)];
    out.is_null = true;
    out.is_unchanged = false;
    const TupleCell* cell = cell_at(row, column);
    if (cell != nullptr && cell->kind == 'u') {
      const TupleCell* old = before == nullptr ? nullptr : cell_at(*before, column);
      out.is_unchanged = old == nullptr;
      cell = old;
    }
    if (cell == nullptr || cell->kind != 't') continue;
    std::optional<std::string> failed =
        read_cell(cell->text, target_.schema.field(column).type, out);
    if (!failed || reason) continue;
    reason = std::move(failed);
    bad_column = column;
  }
  const bool has_key = std::ranges::none_of(target_.key, [&](int column) {
    const ReadCell& cell = row_[static_cast<std::size_t>(column)];
    return cell.is_null || cell.is_unchanged || (reason && column == bad_column);
  });
  if (!reason && has_key) return true;
  if (!reason) {
    refuse("key", "a column of the key is null", row, place);
    return false;
  }
  refuse("decode",
         fmt::format("column '{}': {}", target_.schema.field(bad_column).name, *reason),
         row,
         place);
  if (has_key) refusals_.back().key = key_of(row_);
  return false;
}

// Into old_key_. false: refused.
bool PostgresRows::read_key(const TupleView& before, const RowPlace& place) {
  for (ReadCell& cell : old_key_) {
    cell.is_null = true;
    cell.is_unchanged = false;
  }
  for (const int column : target_.key) {
    const std::string& name = target_.schema.field(column).name;
    const TupleCell* cell = cell_at(before, column);
    if (cell == nullptr || cell->kind != 't') {
      refuse("key",
             fmt::format("key column '{}' is not in the table's replica identity, or null", name),
             before,
             place);
      return false;
    }
    ReadCell& out = old_key_[static_cast<std::size_t>(column)];
    const std::optional<std::string> failed =
        read_cell(cell->text, target_.schema.field(column).type, out);
    if (!failed) continue;
    refuse("key", fmt::format("column '{}': {}", name, *failed), before, place);
    return false;
  }
  return true;
}

void PostgresRows::append(const std::vector<ReadCell>& cells,
                          Operation operation,
                          const RowPlace& place) {
  for (int column = 0; column < target_.schema.size(); ++column)
    append_cell(builder_, column, cells[static_cast<std::size_t>(column)]);
  operations_.push_back(operation);
  positions_.push_back(place.text());
}

// Of the row that was appended last.
void PostgresRows::note_unchanged(std::int64_t key_row) {
  for (int column = 0; column < target_.schema.size(); ++column) {
    if (row_[static_cast<std::size_t>(column)].is_unchanged)
      unchanged_.push_back({row_count() - 1, column, key_row});
  }
}

void PostgresRows::upsert(const TupleView& row, const RowPlace& place) {
  if (!read_row(row, nullptr, place)) return;
  append(row_, Operation::kUpsert, place);
  note_unchanged(row_count() - 1);
}

void PostgresRows::update(const TupleView& before, const TupleView& row, const RowPlace& place) {
  // A refused new row leaves its old key all the same.
  const bool has_key = read_key(before, place);
  const bool has_row = read_row(row, &before, place);
  const bool moves = has_key && (!has_row || key_of(old_key_) != key_of(row_));
  if (!has_row && has_key) {
    // Whether the key changed is only known where the new one could be read.
    const std::optional<std::vector<Value>>& key = refusals_.back().key;
    if (!key || *key == key_of(old_key_)) return;
  }
  if (moves) append(old_key_, Operation::kDelete, place);
  if (!has_row) return;
  append(row_, Operation::kUpsert, place);
  note_unchanged(moves ? row_count() - 2 : row_count() - 1);
}

void PostgresRows::remove(const TupleView& before, const RowPlace& place) {
  if (read_key(before, place)) append(old_key_, Operation::kDelete, place);
}

Result<SourceBatch> PostgresRows::finish() {
  SourceBatch batch;
  batch.target = target_.index;
  batch.rows = TRY(builder_.finish());
  batch.operations = std::exchange(operations_, {});
  batch.positions = std::exchange(positions_, {});
  batch.origin = target_.origin();
  batch.refusals = std::exchange(refusals_, {});
  batch.unchanged = std::exchange(unchanged_, {});
  batch.truncates = std::exchange(truncates_, false);
  batch.whole = true;
  return batch;
}

}  // namespace lockstep
