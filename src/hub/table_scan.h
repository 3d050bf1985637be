// Reading a table: scans at a snapshot, and the difference between two snapshots.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"
#include "hub/hub.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

// The table's rows at a snapshot. Borrows the catalog and the files; the table is copied.
Result<std::unique_ptr<Scan>> open_scan(Catalog& catalog,
                                        DataFiles& files,
                                        LakeTable table,
                                        std::int64_t at,
                                        const ScanOptions& options);

// Signed difference of one table (the same at both snapshots, in the columns of `table`), netted,
// in key order.
Result<Batch> table_changes(
    Catalog& catalog, DataFiles& files, const LakeTable& table, std::int64_t from, std::int64_t to);

// In the order of the keys, -1 before +1.
Result<Batch> in_key_order(const Batch& rows, const std::vector<int>& key);

}  // namespace lockstep
