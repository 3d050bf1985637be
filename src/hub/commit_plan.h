// What a commit will do, decided before anything is touched: which row gets which row id, where it
// goes, and where the rows lie that leave. Deciding is pure; commit_apply does.
#pragma once

#include "hub/data_files.h"
#include "hub/hub.h"
#include "hub/inlined_rows.h"
#include "hub/key_index.h"
#include "hub/lake_tables.h"
#include "hub/ordered_indexes.h"
#include "hub/table_statistics.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// What the writer knows of a table, as of the newest snapshot. The second part is there once the
// table is indexed.
struct TableState {
  LakeTable lake;

  bool indexed = false;
  bool has_inlined_deletes = false;
  std::set<std::string> folders;  // those of its files that are there durably
  TableStatistics statistics;
  // What the catalog has of them, while an open group has not told it of the newer ones.
  std::optional<TableStatistics> told;
  KeyIndex index;  // attached when the table is indexed
  OrderedIndexes ordered;
  std::int64_t row_count = 0;
  std::map<std::int64_t, DataFile> files;  // the valid ones
  InlinedWriter inlined;
};

using TableStates = std::map<TableName, std::unique_ptr<TableState>>;

// Value. A file to be: rows that enter one after another, all of one partition.
struct PlannedFile {
  std::size_t first = 0;  // of the plan's entering rows
  std::size_t count = 0;
  PartitionValue partition = {};
  bool explicit_row_ids = false;  // in the file, since they do not run on
  std::int64_t row_id_start = 0;
  std::int64_t id = 0;    // given by the commit
  std::string name = {};  // its own, within its partition's folder; given by the commit
};

// One table's part of a commit.
struct TablePlan {
  TableState* table = nullptr;
  const Batch* rows = nullptr;
  // Row of the batch, row id; those of one file stand together.
  std::vector<std::pair<std::int64_t, std::int64_t>> entering;
  std::vector<std::string> entering_keys;
  std::vector<std::string> leaving_keys;    // of rows that leave and do not come back
  std::vector<std::int64_t> ended_inlined;  // row ids
  std::vector<std::pair<std::int64_t, std::int64_t>> deleted;  // file, position
  std::vector<std::int64_t> ended_files;                       // all their rows leave at once
  std::vector<PlannedFile> files;  // the rows go to these new files; none: they are inlined
  std::int64_t first_row_id = 0;   // the next row id before this commit
  std::int64_t next_row_id = 0;    // and after
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t removed = 0;
};

// What is to be decided once for all tables.
struct PlanLimits {
  std::int64_t inline_rows_max = 500;
};

// kInvalid when a -1 meets no row, a +1 meets one, or a key comes twice with one sign (hub-3).
// `table` is indexed.
Result<TablePlan> plan_table(TableState& table, const Batch& rows, const PlanLimits& limits);

// Spreads the entering rows over files, by the table's partition, and in each by its sort order.
// kUnsupported: too many files. The files get ids and names from the commit.
Result<void> plan_files(TablePlan& plan);

// "inlined_insert:2,inlined_delete:2" of one table, appended.
void append_changes_made(const TablePlan& plan, std::string& changes_made);

// Moves what a commit did into the writer's memory. Only after the commit.
void publish(const TablePlan& plan, TableStatistics after, std::span<const DataFile> files);

}  // namespace lockstep
