// What DuckLake knows of a table's rows, by which DuckDB prunes (hub-4): gross counts, and bounds
// that only widen.
#pragma once

#include "catalog/catalog.h"
#include "hub/lake_tables.h"
#include "table/batch.h"
#include "table/parquet.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

bool is_nan(const Value& value);

// Value. Bounds of one column. NaN has no place among them, so that a column with NaN has no
// maximum.
struct ColumnBounds {
  bool known = true;  // false: DuckDB keeps none for a column that it added; nor does the hub then
  bool has_null = false;
  bool has_nan = false;
  Value min;
  Value max;
  // Stored as NULL: no value yet, or one that another program did not know. Either way unknown, and
  // never written again.
  bool min_unknown = false;
  bool max_unknown = false;

  void widen(const Value& value);
  void widen(const ColumnBounds& other);
  bool operator==(const ColumnBounds&) const = default;
};

// Value. One table's statistics; `stored` says whether its rows are in the catalog yet.
struct TableStatistics {
  bool stored = false;
  std::int64_t record_count = 0;  // gross: updates add, deletes do not subtract
  std::int64_t next_row_id = 0;
  std::int64_t file_bytes = 0;
  std::vector<ColumnBounds> columns;
};

// Bounds that hold whatever the column holds.
ColumnBounds widest_bounds(Type type);
ColumnBounds bounds_of(const ParquetColumnStatistics& statistics);
// Takes one cell into the bounds. Most widen nothing, and cost nothing but two comparisons.
void widen(ColumnBounds& bounds, const Batch& rows, int column, std::int64_t row);

Result<TableStatistics> load_statistics(Catalog& catalog, const LakeTable& table);
// Writes what differs. Inside the caller's transaction.
Result<void> store_statistics(Catalog& catalog,
                              const LakeTable& table,
                              const TableStatistics& before,
                              const TableStatistics& after);
// For a table that was altered: rows of new columns (source -1), and of those whose type changed.
// Nothing for a table without stored statistics. Inside the caller's transaction.
Result<void> store_altered_statistics(Catalog& catalog,
                                      const LakeTable& table,
                                      const std::vector<int>& source,
                                      const TableStatistics& after);
Result<void> insert_file_statistics(Catalog& catalog,
                                    const LakeTable& table,
                                    std::int64_t file_id,
                                    const ParquetFileInfo& info);

}  // namespace lockstep
