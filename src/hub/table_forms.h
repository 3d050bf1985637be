// A table as it stood before each of its alterations. Rows from then lie in files and in inlined
// tables with the columns of then, and so they move.
#pragma once

#include "catalog/catalog.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <vector>

namespace lockstep {

// Value. `table.inlined` is the inlined table of that form; empty: it has none.
struct TableForm {
  LakeTable table;
  std::int64_t before = 0;  // the snapshot of the next alteration
};

// The oldest first, without the newest. Left out is what this program does not read.
Result<std::vector<TableForm>> older_forms(Catalog& catalog,
                                           const std::vector<TableRecord>& records,
                                           const LakeTable& newest);

}  // namespace lockstep
