#include "source/tables/table_rows.h"

#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

std::string refused_text(std::string text) {
  if (text.size() > kRefusedTextMax) text.resize(kRefusedTextMax);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::optional<std::size_t> bad = first_invalid_utf8(std::string_view(text).substr(at));
    if (!bad) break;
    at += *bad;
    text[at] = '?';
  }
  return text;
}

void BadCell::note(const Schema& schema, std::size_t at_column, std::string why, ReadCell& cell) {
  cell.is_null = true;
  if (!reason.empty()) return;
  column = static_cast<int>(at_column);
  name = schema.field(column).name;
  reason = std::move(why);
}

TableRows::TableRows(TableTarget target)
    : target_(std::move(target)),
      builder_(target_.schema),
      row_(static_cast<std::size_t>(target_.schema.size())),
      old_key_(static_cast<std::size_t>(target_.schema.size())) {
}

std::vector<Value> TableRows::key_of(const std::vector<ReadCell>& cells) const {
  std::vector<Value> key;
  for (const int column : target_.key)
    key.push_back(
        value_of(cells[static_cast<std::size_t>(column)], target_.schema.field(column).type));
  return key;
}

bool TableRows::key_differs() const {
  return std::ranges::any_of(target_.key, [&](int column) {
    const auto at = static_cast<std::size_t>(column);
    return !same_value(row_[at], old_key_[at], target_.schema.field(column).type);
  });
}

void TableRows::refuse(Refusal refusal, bool has_key) {
  refusal.origin = target_.origin();
  if (has_key) refusal.key = key_of(row_);
  refusals_.push_back(std::move(refusal));
}

bool TableRows::has_key(const BadCell& bad) const {
  return std::ranges::none_of(target_.key, [&](int column) {
    const ReadCell& cell = row_[static_cast<std::size_t>(column)];
    return cell.is_null || cell.is_unchanged || column == bad.column;
  });
}

std::string TableRows::row_text() const {
  std::string text;
  for (int column = 0; column < target_.schema.size() && text.size() < kRefusedTextMax; ++column) {
    const ReadCell& cell = row_[static_cast<std::size_t>(column)];
    if (cell.is_null) continue;
    const Field& field = target_.schema.field(column);
    text += fmt::format(
        "{}{}={}", text.empty() ? "" : ", ", field.name, value_text(value_of(cell, field.type)));
  }
  return refused_text(std::move(text));
}

void TableRows::refuse_row(const BadCell& bad, std::string place) {
  Refusal refusal;
  refusal.position = std::move(place);
  refusal.stage = bad.reason.empty() ? "key" : "decode";
  refusal.reason = bad.reason.empty() ? "a column of the key is null"
                                      : fmt::format("column '{}': {}", bad.name, bad.reason);
  refusal.text = row_text();
  refuse(std::move(refusal), has_key(bad));
}

void TableRows::take(const BadCell& bad, std::string place) {
  if (is_whole(bad)) {
    upsert(std::move(place));
  } else {
    refuse_row(bad, std::move(place));
  }
}

void TableRows::append(const std::vector<ReadCell>& cells, Operation operation, std::string place) {
  for (int column = 0; column < target_.schema.size(); ++column)
    append_cell(builder_, column, cells[static_cast<std::size_t>(column)]);
  operations_.push_back(operation);
  positions_.push_back(std::move(place));
}

// Of the row that was appended last.
void TableRows::note_unchanged(std::int64_t key_row) {
  for (int column = 0; column < target_.schema.size(); ++column) {
    if (row_[static_cast<std::size_t>(column)].is_unchanged)
      unchanged_.push_back({row_count() - 1, column, key_row});
  }
}

void TableRows::upsert(std::string place) {
  append(row_, Operation::kUpsert, std::move(place));
  note_unchanged(row_count() - 1);
}

void TableRows::update(bool has_row, bool has_key, const std::string& place) {
  // A refused new row leaves its old key all the same.
  const bool moves = has_key && (!has_row || key_differs());
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

void TableRows::remove(std::string place) {
  append(old_key_, Operation::kDelete, std::move(place));
}

void TableRows::forget() {
  builder_ = BatchBuilder(target_.schema);
  operations_.clear();
  positions_.clear();
  refusals_.clear();
  unchanged_.clear();
  truncates_ = false;
}

Result<SourceBatch> TableRows::finish() {
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
