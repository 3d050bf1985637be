// Rows of one table that changed as a batch for its dataset: what the sources of tables share.
// Pure.
//
// A source reads a row's cells into row(), those of its key before the change into old_key(), and
// says what they mean.
#pragma once

#include "source/source.h"
#include "source/tables/read_cell.h"
#include "source/tables/table_target.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

inline constexpr std::size_t kRefusedTextMax = 4096;

// A row's text for its refusal: cut, and what is no UTF-8, as in a database without an encoding,
// replaced.
std::string refused_text(std::string text);

// Value. A row's first cell that cannot be stored.
struct BadCell {
  int column = -1;     // of the dataset; -1: none of them
  std::string name;    // of the column
  std::string reason;  // empty: there is no such cell

  // `cell`, which becomes null.
  void note(const Schema& schema, std::size_t at_column, std::string why, ReadCell& cell);
};

// Resource. The batch that is being made.
class TableRows final {
 public:
  explicit TableRows(TableTarget target);

  const TableTarget& target() const { return target_; }

  // By the dataset's column; used again for each row.
  std::vector<ReadCell>& row() { return row_; }

  std::vector<ReadCell>& old_key() { return old_key_; }

  const ReadCell& cell(int column) const { return row_[static_cast<std::size_t>(column)]; }

  // row() is the row of its key. `place`: where it stands, for refusals.
  void upsert(const RowPosition& place);
  // The same, and the row of old_key() is gone where that is another key. `has_row`, `has_key`:
  // whether each could be read; what could not was refused.
  void update(bool has_row, bool has_key, const RowPosition& place);
  // The row of old_key() is gone.
  void remove(const RowPosition& place);

  // Places that are one text each.
  void upsert(const std::string& place) { upsert(RowPosition{place, {}}); }

  void update(bool has_row, bool has_key, const std::string& place) {
    update(has_row, has_key, RowPosition{place, {}});
  }

  void remove(const std::string& place) { remove(RowPosition{place, {}}); }

  // A row that did not become one. With its key, where row() has it.
  void refuse(Refusal refusal, bool has_key);

  // Whether row() can be taken: nothing of it is bad, and its key is there.
  bool is_whole(const BadCell& bad) const { return bad.reason.empty() && has_key(bad); }

  // It cannot.
  void refuse_row(const BadCell& bad, std::string place);
  // One or the other: an upsert of row(), or its refusal.
  void take(const BadCell& bad, std::string place);
  // What row() holds, for a refusal: "id=7, note=a".
  std::string row_text() const;

  void truncate() { truncates_ = true; }

  // What was added since the last finish() never was.
  void forget();

  std::int64_t row_count() const { return static_cast<std::int64_t>(operations_.size()); }

  std::int64_t refusal_count() const { return static_cast<std::int64_t>(refusals_.size()); }

  bool is_empty() const { return operations_.empty() && refusals_.empty() && !truncates_; }

  // What was added, `whole`; empty afterwards.
  Result<SourceBatch> finish();

 private:
  void append(const std::vector<ReadCell>& cells, Operation operation, const RowPosition& place);
  void append_row(const RowPosition& place, std::int64_t key_row);
  bool key_differs() const;
  bool has_key(const BadCell& bad) const;
  std::vector<Value> key_of(const std::vector<ReadCell>& cells) const;

  const TableTarget target_;
  std::vector<Type> types_;  // by column
  BatchBuilder builder_;
  std::vector<Operation> operations_;
  RowPositions positions_;
  std::vector<Refusal> refusals_;
  std::vector<UnchangedCell> unchanged_;
  bool truncates_ = false;
  std::vector<ReadCell> row_;
  std::vector<ReadCell> old_key_;
};

}  // namespace lockstep
