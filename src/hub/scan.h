// Scans: the rows of a table at a snapshot, a batch at a time.
#pragma once

#include "base/result.h"
#include "hub/predicate.h"
#include "table/batch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct ScanOptions {
  std::vector<std::string> columns;  // empty: all
  std::int64_t batch_rows_max = 65'536;
  std::vector<Predicate> where = {};  // rows for which all hold
};

// What a scan read so far, and what it passed over since no row there could be wanted.
struct ScanCounters {
  std::int64_t files_read = 0;
  std::int64_t files_skipped = 0;
  std::int64_t files_skipped_by_partition = 0;  // of those: by the partition's value alone
  std::int64_t row_groups_read = 0;
  std::int64_t row_groups_skipped = 0;  // of files that were read
};

// Resource. Rows of one table, a batch at a time.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual Result<std::optional<Batch>> next() = 0;  // nullopt: the end
};

// Resource. Rows at one snapshot, all +1; files first, in order of their ids, then inlined rows by
// schema version and row id.
class Scan : public BatchStream {
 public:
  virtual ScanCounters counters() const = 0;
};

}  // namespace lockstep
