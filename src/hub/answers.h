// What a hub answers, beside rows and records.
#pragma once

#include "hub/grouped_rows.h"
#include "hub/scan.h"
#include "table/batch.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct Lookup {
  Batch rows;                            // those found
  std::vector<std::int64_t> row_of_key;  // index into rows, or -1, for each key asked
};

struct StagedLoad {
  std::int64_t stage_count = 0;
  std::string note;  // of the last stage
};

struct DiskUse {
  std::uint64_t catalog_bytes = 0;  // with its write-ahead log
  std::uint64_t log_bytes = 0;   // of the log alone; a long read of another program makes it grow
  std::uint64_t data_bytes = 0;  // files that the catalog knows
  std::int64_t data_files = 0;
  std::int64_t inlined_rows = 0;
};

}  // namespace lockstep
