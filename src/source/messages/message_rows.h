// Rows of one dataset out of the messages of one topic, change by change: pure.
#pragma once

#include "base/result.h"
#include "source/source.h"
#include "table/cell.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// Value. The dataset that takes the rows.
struct MessageTarget {
  int index = 0;  // of the request's targets
  std::string origin;
  Schema schema;
  std::vector<int> key;  // in `schema`

  // A message's rows have no key of their own: then it is made of its place (file_rows.h).
  bool makes_key() const { return is_key_made; }

  bool is_key_made = false;
};

Result<MessageTarget> parse_message_target(const SourceTarget& target, int index);

// Value. The cells of one row by the dataset's columns, while a message is read.
class RowCells final {
 public:
  enum class State : std::uint8_t { kMissing, kRead, kBad, kUnchanged };

  explicit RowCells(int column_count) : cells_(static_cast<std::size_t>(column_count)) {
    states_.resize(cells_.size());
  }

  void clear();

  // The cell to be read into. A second value of one column makes the row bad.
  Cell& take(int column);
  void refuse(int column, std::string reason);

  void set_unchanged(int column) { state(column) = State::kUnchanged; }

  // Takes a cell that this row lacks from another.
  void fill(int column, const RowCells& other);

  // A text of a cell that nobody else owns, until clear().
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  const Cell& cell(int column) const { return cells_[static_cast<std::size_t>(column)]; }

  State state(int column) const { return states_[static_cast<std::size_t>(column)]; }

  bool has_value(int column) const {
    return state(column) == State::kRead && !cell(column).is_null;
  }

  // Of the first bad cell; empty: all are good.
  const std::string& reason() const { return reason_; }

  int bad_column() const { return bad_column_; }

 private:
  State& state(int column) { return states_[static_cast<std::size_t>(column)]; }

  std::vector<Cell> cells_;
  std::vector<State> states_;
  std::deque<std::string> texts_;
  std::string reason_;
  int bad_column_ = -1;
};

// Where a message stands in its topic.
struct MessagePlace {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string_view text = {};  // of the message, for refusals
};

// Resource. The batch that is being made. What cannot be a row makes a refusal of the message.
class MessageRows final {
 public:
  explicit MessageRows(MessageTarget target);

  // Of the topic; more than one have no common order.
  void set_partition_count(std::int64_t count) { partition_count_ = count; }

  std::int64_t partition_count() const { return partition_count_; }

  // All that follows is of this message.
  void begin(const MessagePlace& place);

  void upsert(const RowCells& row) { put(row, nullptr); }

  // `before`: of the old row at least the key, or nothing.
  void update(const RowCells& before, const RowCells& row);
  void remove(const RowCells& row);
  void truncate();  // before any other row of the batch
  // `key`: cells that may have the row's key, by which a later good row clears the refusal.
  void refuse(std::string stage, std::string reason, const RowCells* key = nullptr);

  std::int64_t row_count() const { return static_cast<std::int64_t>(operations_.size()); }

  bool is_empty() const { return operations_.empty() && refusals_.empty() && !truncates_; }

  const MessageTarget& target() const { return target_; }

  bool has_key(const RowCells& row) const;
  bool same_key(const RowCells& left, const RowCells& right) const;

  // What was added; empty afterwards.
  Result<SourceBatch> finish();

 private:
  void put(const RowCells& row, const RowCells* before);
  bool is_whole(const RowCells& row);
  void refuse_key(const RowCells& row);
  void append(const RowCells& row, Operation operation);
  void append_made_key();
  std::vector<Value> key_of(const RowCells& row) const;

  RowPosition position() const { return {stem_, place_.offset}; }

  const MessageTarget target_;
  BatchBuilder builder_;
  std::vector<Operation> operations_;
  RowPositions positions_;
  std::vector<Refusal> refusals_;
  std::vector<UnchangedCell> unchanged_;
  bool truncates_ = false;
  std::int64_t partition_count_ = 1;
  MessagePlace place_;
  std::string stem_;  // of place_'s position; empty: not made yet
};

}  // namespace lockstep
