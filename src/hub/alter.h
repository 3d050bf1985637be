// Changing the columns of a table in place: what becomes of each column, and its rows in the
// catalog. In DuckLake's own form: a changed column ends and begins anew with its id, and the rows
// of the new schema version go to an inlined table of their own.
//
// A widened column's rows are written anew in the same commit, under their row ids. DuckDB 1.5.5
// would read integers as float, but rounds what it compares them with: `x = 15.5` finds 16.
#pragma once

#include "hub/commit_plan.h"
#include "hub/record_store.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep {

// Value. A table on its way from one schema to the next.
struct Alteration {
  LakeTable before;
  LakeTable after;
  std::vector<int>
      source;              // of each column of `after`: its index in `before`, or -1 when it is new
  std::vector<int> ended;  // column ids whose rows end: changed or dropped
  bool widens = false;     // some column becomes float
  bool renames_key = false;
  bool lays_out = false;  // another partition or sort order

  bool changes_table() const {
    return !ended.empty() || after.columns.size() != before.columns.size() || lays_out;
  }
};

// Pure. kUnsupported: what a table cannot take in place, with the way out.
// `free_id`: above every column id that the table ever had. next.next_catalog_id is moved behind
// what a new layout takes.
Result<Alteration> plan_alteration(const LakeTable& before,
                                   const TableAlteration& wanted,
                                   LakeSnapshot& next,
                                   int free_id);

// The id for the next new column of a table: ids of dropped ones are not used again.
Result<int> free_column_id(Catalog& catalog, std::int64_t table_id);

// The statistics under the new columns: a new one is null in every row.
TableStatistics altered_statistics(const Alteration& alteration, const TableStatistics& before);

// Within the caller's transaction, before any row of the commit. `statistics`: the altered ones.
Result<void> apply_alteration(Catalog& catalog,
                              const Alteration& alteration,
                              const TableStatistics& statistics,
                              const LakeSnapshot& next);

// Resource. Tables that stand altered in the writer's memory while a commit is under way; they go
// back to what they were unless it succeeds.
class AlteredTables final {
 public:
  AlteredTables() = default;
  AlteredTables(const AlteredTables&) = delete;
  AlteredTables& operator=(const AlteredTables&) = delete;
  ~AlteredTables();

  void add(TableState& table, Alteration alteration);

  void keep() { kept_ = true; }

  struct Entry {
    TableState* table = nullptr;
    Alteration alteration;
    TableStatistics before;
    std::int64_t rewritten = 0;  // rows that are written anew without having changed
  };

  // Rows of this table that are written anew without having changed.
  std::int64_t rewritten(const TableState* table) const;

  std::vector<Entry>& entries() { return entries_; }

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  bool kept_ = false;
};

}  // namespace lockstep
