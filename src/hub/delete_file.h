// A delete file: which rows of a data file went, and when, in the form in which DuckDB writes it. A
// data file has at most one; a later one has all that the earlier had.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Value. A durable delete file that no catalog row names yet.
struct WrittenDeletes {
  std::string name;  // within the table's folder
  std::string path;
  ParquetFileInfo info;
  std::int64_t first = 0;  // snapshots at which rows ended
  std::int64_t last = 0;
};

// In the table's folder. `ends` has the snapshot at which each row of the data file went
// (StoredRows::kAlive: it is there). Durable. None: all rows are there. Of a failed file nothing
// stays.
Result<std::optional<WrittenDeletes>> write_deletes(Io& io,
                                                    const std::string& folder,
                                                    const std::string& data_file,
                                                    std::span<const std::int64_t> ends);

struct DeleteFileIds {
  std::int64_t data_file = 0;
  std::int64_t delete_file = 0;
};

// Inside the caller's transaction.
Result<void> insert_delete_file(Catalog& catalog,
                                std::int64_t table_id,
                                const DeleteFileIds& ids,
                                const WrittenDeletes& deletes);

}  // namespace lockstep
