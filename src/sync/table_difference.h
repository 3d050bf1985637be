// What differs between two states of a table: counted key by key as the changes stream by.
#pragma once

#include "hub/hub.h"
#include "sync/sync.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace lockstep {

// Resource. Borrows the table.
class TableDifference final {
 public:
  using TakeRow = std::function<Result<void>(const Json& row)>;

  explicit TableDifference(const TableDefinition& table);

  // Changes in key order, -1 before +1; both rows of a key in one batch. `take`, where it is given,
  // gets each key: {table, key, change: added|removed|changed, before, after}.
  Result<void> read(const Batch& changes, const TakeRow& take);

  std::int64_t added() const { return added_; }

  std::int64_t removed() const { return removed_; }

  std::int64_t changed() const { return changed_; }

  bool any() const { return added_ + removed_ + changed_ > 0; }

  // {table, added, removed, changed, columns: {name: changed}, numbers: {name: {rows, mean_before,
  // mean_after, largest}}}: of keys that are on both sides with another number in that column.
  Json summary() const;

 private:
  struct Column {
    std::int64_t changed = 0;
    std::int64_t numbers = 0;  // of these, finite numbers on both sides
    double sum_before = 0;
    double sum_after = 0;
    double largest = 0;
  };

  void count(const Batch& rows, std::int64_t before, std::int64_t after);
  void count_cell(const Batch& rows, int column, std::int64_t before, std::int64_t after);
  Json row_json(const Batch& rows, std::int64_t before, std::int64_t after) const;

  const TableDefinition& table_;
  std::vector<int> key_;
  std::vector<Column> columns_;
  std::int64_t added_ = 0;
  std::int64_t removed_ = 0;
  std::int64_t changed_ = 0;
};

}  // namespace lockstep
