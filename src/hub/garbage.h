// What no retained snapshot has: found and taken out of the catalog, a bounded number at a time.
// Each function runs inside the caller's transaction; files go later (hub_gc.cpp).
#pragma once

#include "catalog/catalog.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

// `kept_from` below: every snapshot from there on is kept, so that what ended behind it is in one.

Result<void> remove_snapshots(Catalog& catalog, const std::vector<std::int64_t>& ids);

// Inlined rows that began and ended between two retained snapshots; how many went.
Result<std::int64_t> remove_dead_inlined(Catalog& catalog,
                                         const std::string& inlined,
                                         std::int64_t kept_from,
                                         std::int64_t row_count_max);

// Data files and delete files that no snapshot has: their rows go, and the files are scheduled for
// deletion. How many rows and files went; 0: there are none.
Result<std::int64_t> retire_files(Catalog& catalog,
                                  std::int64_t kept_from,
                                  Timestamp now,
                                  std::int64_t file_count_max);

// A data file leaves the catalog for good, with its delete files and all that is said of it; they
// are scheduled for deletion. Deletes of its rows that stand in the catalog itself stay, and mean
// nothing any more: remove_deletes() is for them.
struct LeavingFile {
  std::int64_t id = 0;
  std::int64_t table_id = 0;
};

Result<void> retire_file(Catalog& catalog, const LeavingFile& file, Timestamp now);
// Only its delete files.
Result<void> retire_delete_files(Catalog& catalog, std::int64_t data_file_id, Timestamp now);
// Those whose deletes stayed, of files that still wait for their deletion.
Result<std::vector<LeavingFile>> files_with_left_deletes(Catalog& catalog, std::int64_t table_id);
// How many went.
Result<std::int64_t> remove_deletes(Catalog& catalog,
                                    const LeavingFile& file,
                                    std::int64_t row_count_max);

// A bit of a dropped table that no snapshot has; how many rows and tables went.
Result<std::int64_t> retire_dropped_table(Catalog& catalog, std::int64_t row_count_max);

// Value. A file that waits for its deletion.
struct ScheduledFile {
  std::int64_t place = 0;  // SQLite's rowid
  std::string path;
  bool is_relative = true;  // to the data path
  Timestamp since;
};

Result<std::vector<ScheduledFile>> scheduled_files(Catalog& catalog, std::int64_t count_max);
Result<void> schedule_file(Catalog& catalog,
                           std::int64_t file_id,
                           const std::string& path,
                           bool is_relative,
                           Timestamp now);
Result<void> forget_scheduled(Catalog& catalog, const std::vector<ScheduledFile>& files);

}  // namespace lockstep
