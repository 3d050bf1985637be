// Reading a table: scans at a snapshot, and the difference between two snapshots.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"
#include "hub/hub.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <functional>
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

// Value. Where a scan that asks for places found each row.
struct PlacedRows {
  Batch rows;                // the key columns
  std::int64_t file_id = 0;  // RowPlace::kInlined: inlined
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> positions;  // in the file; empty for inlined rows
};

// Every row of the table at a snapshot with its place, for the key index.
Result<void> for_each_place(Catalog& catalog,
                            DataFiles& files,
                            const LakeTable& table,
                            std::int64_t at,
                            const std::function<Result<void>(const PlacedRows&)>& take);

// Signed difference of one table (the same at both snapshots), netted, in key order.
Result<Batch> table_changes(
    Catalog& catalog, DataFiles& files, const LakeTable& table, std::int64_t from, std::int64_t to);

// In the order of the keys, -1 before +1.
Result<Batch> in_key_order(const Batch& rows, const std::vector<int>& key);

}  // namespace lockstep
