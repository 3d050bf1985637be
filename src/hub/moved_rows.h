// Rows on their way into another data file, with their whole life: what compaction moves. A file of
// rows that came in several snapshots names each row's own (DuckLake's partial file), so that every
// snapshot and every change feed reads as before.
#pragma once

#include "hub/data_files.h"
#include "hub/inlined_rows.h"
#include "hub/lake_tables.h"
#include "table/parquet.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

// Value. What one new file is to hold.
struct MovedRows {
  Batch rows;  // all columns of the table
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;  // StoredRows::kAlive: none
  PartitionValue partition = {};
};

// Value. A durable file that no catalog row names yet; its id is given in the transaction.
struct MovedFile {
  DataFile file;
  std::string name;  // within the table's folder, its partition's folder first
  ParquetFileInfo info;
  bool names_row_ids = false;     // since they do not run on
  std::vector<std::string> keys;  // encoded, a row each
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> ends;
};

// Which rows go into one file together, as indexes: each row id at most once, since DuckDB's change
// feed tells two dead rows of one file apart by their row ids alone. The newest of each row id come
// first, then those before them, and so on.
std::vector<std::vector<std::int64_t>> generations(const std::vector<std::int64_t>& row_ids,
                                                   const std::vector<std::int64_t>& begins);

bool runs_on(const std::vector<std::int64_t>& row_ids);
// The rows with a column of numbers more, of which there are as many.
Result<Batch> with_numbers(const Batch& rows,
                           const char* name,
                           const std::vector<std::int64_t>& numbers);

MovedRows select_moved(const MovedRows& all, const std::vector<std::int64_t>& chosen);

// Writes and syncs. A failed file is removed again.
Result<MovedFile> write_moved(Io& io,
                              const std::string& data_path,
                              const LakeTable& table,
                              const MovedRows& moved);

// Inside the caller's transaction: the file's row and its statistics. Gives the file its id.
Result<void> insert_moved(Catalog& catalog,
                          const LakeTable& table,
                          MovedFile& moved,
                          std::int64_t file_id);

// Whether any retained snapshot has a row that began and ended so.
Result<bool> is_retained(Catalog& catalog, std::int64_t begin, std::int64_t end);

}  // namespace lockstep
