// The catalog's rows about how a table's files are laid out: its partition and its sort order, and
// the partition's value of each file. Partitions stand in DuckLake's own form. Functions that write
// run inside the caller's transaction.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <span>

namespace lockstep {

// Fills in partition and sort order as they stand at the snapshot. kUnsupported: another program
// made a partition that the hub does not know.
Result<void> load_layout(Catalog& catalog, std::int64_t at, LakeTable& table);

// Pure. Those of the definition; ids from `next` on, which is moved behind them.
Result<void> plan_layout(LakeTable& table, std::int64_t& next_id);
// From the snapshot on; what was there before ends.
Result<void> insert_layout(Catalog& catalog, const LakeTable& table, std::int64_t snapshot);
Result<void> end_layout(Catalog& catalog, std::int64_t table_id, std::int64_t snapshot);

// The file's value, if it has one.
Result<void> insert_partition_value(Catalog& catalog, std::int64_t table_id, const DataFile& file);
// Fills in the values of the files that have a partition.
Result<void> read_partition_values(Catalog& catalog,
                                   std::int64_t table_id,
                                   std::span<DataFile> files);

}  // namespace lockstep
