// The files that a catalog names: what a back-up takes along, and what is no orphan.
#pragma once

#include "catalog/catalog.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

enum class FileKind { kRows, kDeletes, kState };

// Value.
struct CatalogFile {
  FileKind kind = FileKind::kRows;
  std::string path;         // below the data path; else absolute
  bool is_relative = true;  // false: somewhere else, written by a foreign client
  std::uint64_t size_bytes = 0;
  std::int64_t row_count = 0;  // of kRows and kDeletes
  std::string sha256;          // of kState
};

// All of them, by kind and path, also those that only older snapshots need.
Result<std::vector<CatalogFile>> catalog_files(Catalog& catalog);
// Files that are about to be removed: named by no snapshot any more.
Result<std::vector<CatalogFile>> scheduled_files(Catalog& catalog);

}  // namespace lockstep
