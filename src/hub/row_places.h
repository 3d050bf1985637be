// Where the rows of a table lie, for the key index: all of them, or those whose place is another
// one than at an earlier snapshot.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"
#include "hub/lake_tables.h"
#include "hub/row_place.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lockstep {

// Value. Rows of one file, or inlined ones.
struct PlacedRows {
  Batch rows;                // the key columns
  std::int64_t file_id = 0;  // RowPlace::kInlined: inlined
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> positions;  // in the file; empty for inlined rows

  Result<void> each(const TakePlace& take) const;
};

using TakePlaced = std::function<Result<void>(const PlacedRows& placed)>;

// Every row of the table at a snapshot.
Result<void> for_each_place(Catalog& catalog,
                            DataFiles& files,
                            const LakeTable& table,
                            std::int64_t at,
                            const TakePlaced& take);

// Value. What an index knows, and what it is to know. Both snapshots are there.
struct PlaceRange {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t new_file_id = 0;  // files from here on are newer than `from`, whatever they hold
};

// Value. First every row that went, then every row that came, or that lies elsewhere now.
struct TakeMoved {
  TakePlaced went;
  TakePlaced came;
};

// Returns by how many rows the table grew.
Result<std::int64_t> for_each_moved_place(Catalog& catalog,
                                          DataFiles& files,
                                          const LakeTable& table,
                                          const PlaceRange& range,
                                          const TakeMoved& take);

}  // namespace lockstep
