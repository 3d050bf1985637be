// Reading a table at a snapshot.
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

}  // namespace lockstep
