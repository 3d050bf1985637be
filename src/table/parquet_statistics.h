// Exact bounds of a column, gathered while its file is written.
#pragma once

#include "table/batch.h"
#include "table/parquet.h"

namespace lockstep {

// Widens `statistics` by a batch's column. The bytes in the file are left to the writer.
void add_to_statistics(const Batch& batch, int column, ParquetColumnStatistics& statistics);

}  // namespace lockstep
