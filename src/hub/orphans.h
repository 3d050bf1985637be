// Files of the data path that no row of the catalog names: left by a process that died between
// writing and committing.
#pragma once

#include "base/io.h"
#include "catalog/catalog.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct OrphanSearch {
  std::string data_path;
  std::string folder;  // below it, with a slash at the end
  std::int64_t grace_us = 0;
};

// Below the data path: one a table, and that of the learners' states.
Result<std::vector<std::string>> data_folders(Catalog& catalog);

// Files of this program's making, older than the grace time and at least an hour: what is being
// written now has no row yet.
Result<std::vector<std::string>> find_orphans(Catalog& catalog, Io& io, const OrphanSearch& search);

// Files that leave the catalog with these snapshots, and those that wait for their deletion.
Result<std::vector<std::string>> files_of_snapshots_only(
    Catalog& catalog, const std::vector<std::int64_t>& snapshots);

}  // namespace lockstep
