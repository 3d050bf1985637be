#include "source/messages/message_rows.h"

#include "source/files/file_rows.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kRefusedBytesMax = 4096;

// The start of a message, as text: a message may be of any bytes.
std::string shown_message(std::string_view bytes) {
  std::string text(bytes.substr(0, kRefusedBytesMax));
  std::size_t at = 0;
  while (at < text.size()) {
    const std::optional<std::size_t> bad = first_invalid_utf8(std::string_view(text).substr(at));
    if (!bad) break;
    at += *bad;
    text[at] = '?';
  }
  std::ranges::replace(text, '\0', '?');
  return text;
}

}  // namespace

Result<MessageTarget> parse_message_target(const SourceTarget& target, int index) {
  MessageTarget out;
  out.index = index;
  out.origin = target.table;
  out.schema = target.schema;
  out.is_key_made = is_made_key(target.key);
  if (out.schema.size() == 0) return out;
  const std::vector<std::string> made = {std::string(kFileColumn), std::string(kRowColumn)};
  out.key = TRY_IN(out.schema.require_all(out.is_key_made ? made : target.key), "the key");
  return out;
}

void RowCells::clear() {
  std::ranges::fill(states_, State::kMissing);
  texts_.clear();
  reason_.clear();
  bad_column_ = -1;
}

Cell& RowCells::take(int column) {
  State& now = state(column);
  if (now != State::kMissing) {
    refuse(column, "there are two values");
  } else {
    now = State::kRead;
  }
  return cells_[static_cast<std::size_t>(column)];
}

void RowCells::refuse(int column, std::string reason) {
  state(column) = State::kBad;
  if (bad_column_ >= 0) return;
  bad_column_ = column;
  reason_ = std::move(reason);
}

void RowCells::fill(int column, const RowCells& other) {
  if (state(column) != State::kMissing || !other.has_value(column)) return;
  state(column) = State::kRead;
  cells_[static_cast<std::size_t>(column)] = other.cell(column);
}

MessageRows::MessageRows(MessageTarget target)
    : target_(std::move(target)), builder_(target_.schema) {
}

void MessageRows::begin(const MessagePlace& place) {
  if (stem_.empty() || place_.partition != place.partition)
    stem_ = fmt::format("partition {}, offset ", place.partition);
  place_ = place;
}

bool MessageRows::has_key(const RowCells& row) const {
  return target_.makes_key() ||
         std::ranges::all_of(target_.key, [&](int column) { return row.has_value(column); });
}

bool MessageRows::same_key(const RowCells& left, const RowCells& right) const {
  return key_of(left) == key_of(right);
}

std::vector<Value> MessageRows::key_of(const RowCells& row) const {
  if (target_.makes_key())
    return {file_hash(fmt::format("{}/{}", target_.origin, place_.partition)), place_.offset};
  std::vector<Value> key;
  for (const int column : target_.key)
    key.push_back(value_of_cell(row.cell(column), target_.schema.field(column).type));
  return key;
}

void MessageRows::refuse(std::string stage, std::string reason, const RowCells* key) {
  Refusal refusal;
  refusal.origin = target_.origin;
  refusal.position = position().text();
  refusal.stage = std::move(stage);
  refusal.reason = std::move(reason);
  refusal.text = shown_message(place_.text);
  if (key != nullptr && has_key(*key)) refusal.key = key_of(*key);
  refusals_.push_back(std::move(refusal));
}

// false: refused.
bool MessageRows::is_whole(const RowCells& row) {
  if (row.bad_column() >= 0) {
    const std::string& name = target_.schema.field(row.bad_column()).name;
    refuse("decode", fmt::format("column '{}': {}", name, row.reason()), &row);
    return false;
  }
  if (has_key(row)) return true;
  refuse_key(row);
  return false;
}

void MessageRows::refuse_key(const RowCells& row) {
  const auto column =
      std::ranges::find_if(target_.key, [&](int one) { return !row.has_value(one); });
  const std::string& name = target_.schema.field(*column).name;
  refuse("key",
         *column == row.bad_column() ? fmt::format("column '{}': {}", name, row.reason())
                                     : fmt::format("key column '{}' has no value", name));
}

void MessageRows::append_made_key() {
  const std::vector<Value> key = key_of(RowCells(0));
  builder_.append(target_.key[0], key[0]);
  builder_.append(target_.key[1], key[1]);
}

void MessageRows::append(const RowCells& row, Operation operation) {
  static const Cell kNull;
  for (int column = 0; column < target_.schema.size(); ++column) {
    const bool is_made =
        target_.makes_key() && std::ranges::find(target_.key, column) != target_.key.end();
    if (is_made) continue;
    append_cell(builder_, column, row.has_value(column) ? row.cell(column) : kNull);
  }
  if (target_.makes_key()) append_made_key();
  operations_.push_back(operation);
  positions_.add(position());
}

void MessageRows::put(const RowCells& row, const RowCells* before) {
  const bool is_good = is_whole(row);
  // A refused new row leaves its old key all the same, where it has another now.
  const bool moves =
      before != nullptr && has_key(*before) && has_key(row) && !same_key(*before, row);
  if (moves) append(*before, Operation::kDelete);
  if (!is_good) return;
  append(row, Operation::kUpsert);
  for (int column = 0; column < target_.schema.size(); ++column) {
    if (row.state(column) != RowCells::State::kUnchanged) continue;
    unchanged_.push_back({row_count() - 1, column, moves ? row_count() - 2 : row_count() - 1});
  }
}

void MessageRows::update(const RowCells& before, const RowCells& row) {
  put(row, &before);
}

void MessageRows::remove(const RowCells& row) {
  if (target_.makes_key()) {
    refuse("operation", "a delete needs a key, and the dataset has none");
  } else if (has_key(row)) {
    append(row, Operation::kDelete);
  } else {
    refuse_key(row);
  }
}

void MessageRows::truncate() {
  LOCKSTEP_ASSERT(is_empty(), "source: a topic is emptied before a batch's first row");
  truncates_ = true;
}

Result<SourceBatch> MessageRows::finish() {
  SourceBatch batch;
  batch.target = target_.index;
  batch.rows = TRY(builder_.finish());
  batch.operations = std::exchange(operations_, {});
  batch.positions = std::exchange(positions_, {});
  batch.origin = target_.origin;
  batch.refusals = std::exchange(refusals_, {});
  batch.unchanged = std::exchange(unchanged_, {});
  batch.truncates = std::exchange(truncates_, false);
  batch.deletes_again = true;
  return batch;
}

}  // namespace lockstep
