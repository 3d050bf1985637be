// The conditions of a scan: which files and row groups cannot hold a wanted row, and which rows are
// wanted.
#pragma once

#include "hub/data_files.h"
#include "hub/lake_tables.h"
#include "hub/predicate.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

// Value. Conditions bound to a table's columns.
class ScanFilter final {
 public:
  ScanFilter() = default;

  // kInvalid: no such column, or a value of another type.
  static Result<ScanFilter> bind(const LakeTable& table, const std::vector<Predicate>& where);

  bool is_empty() const { return conditions_.empty(); }

  // Indexes into the table's columns, each once.
  const std::vector<int>& columns() const { return columns_; }

  // By the value of the table's partition that the file's rows have.
  bool partition_may_match(const LakeTable& table, const DataFile& file) const;
  // By the file's statistics in the catalog.
  Result<bool> file_may_match(Catalog& catalog, const DataFile& file) const;
  // By the bounds and Bloom filters in the file.
  Result<bool> group_may_match(ParquetReader& reader, int group) const;

  // Those of `rows`, indexes into the batch, that match. The batch has the columns of `columns()`,
  // in this order.
  std::vector<std::int64_t> matching(const Batch& batch, std::vector<std::int64_t> rows) const;

 private:
  struct Condition {
    ParquetColumn column;
    int place = 0;  // in columns_
    Comparison comparison = Comparison::kEqual;
    Value value;
  };

  std::vector<Condition> conditions_;
  std::vector<int> columns_;
};

}  // namespace lockstep
