// Compaction's first half: inlined rows become a data file. Reading and writing the file is slow
// and needs no transaction; what is left for the transaction is small (see hub_compact.cpp).
#pragma once

#include "catalog/catalog.h"
#include "hub/delete_file.h"
#include "hub/moved_rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Where a flush writes its files.
struct FlushFolder {
  Io& io;
  const std::string& data_path;
};

struct FlushLimits {
  std::int64_t row_count_max = 1'000;
  // Older versions of rows, which a file of their own is to be worth; fewer stay inlined until they
  // expire or more come.
  std::int64_t older_rows_min = 100;
};

// Value. What a flush has made durable, and which inlined rows that replaces.
struct FlushedRows {
  LakeTable table;
  std::int64_t read_at = 0;  // the newest snapshot when the rows were read
  std::vector<MovedFile> files;
  std::vector<std::optional<WrittenDeletes>> deletes;  // of each file; none: few, if any
  std::vector<std::vector<std::int64_t>> places;       // of each file's rows
  std::vector<std::int64_t> expired;  // places of rows that no snapshot has any more
  std::int64_t last_place = 0;        // of the rows looked at; behind it: newer ones

  bool moves_nothing() const { return files.empty() && expired.empty(); }
};

// Reads the oldest inlined rows behind `after_place` and writes them. Changes nothing in the
// catalog; on an error no file is left.
Result<FlushedRows> write_flush(Catalog& catalog,
                                const FlushFolder& folder,
                                const LakeTable& table,
                                std::int64_t after_place,
                                const FlushLimits& limits);

// Inside the caller's transaction, which makes snapshot `next`. Takes file ids from next. Rows that
// ended since they were read get their ends.
Result<void> apply_flush(Catalog& catalog, FlushedRows& flushed, LakeSnapshot& next);

void remove_flushed(Io& io, const FlushedRows& flushed);

}  // namespace lockstep
