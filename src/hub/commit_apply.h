// Doing what a commit plan says: Parquet files first, then every row of the catalog within the
// caller's transaction.
#pragma once

#include "hub/alter.h"
#include "hub/commit_plan.h"
#include "hub/late_records.h"
#include "hub/record_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. A durable file that no catalog row names yet.
struct WrittenFile {
  DataFile file;
  std::string name;  // within the table's folder, its partition's folder first
  ParquetFileInfo info;
};

// The whole of a commit. Tables that it creates are states of their own until it is published.
struct CommitPlan {
  bool makes_snapshot = false;
  LakeSnapshot next;
  SnapshotNote note;
  CommitRecord record;
  std::vector<LakeTable> drops;
  std::vector<std::unique_ptr<TableState>> created;
  std::unique_ptr<AlteredTables> altered = std::make_unique<AlteredTables>();
  std::vector<TableChange> changes;  // the request's, and the rows that widened tables write anew
  std::vector<TablePlan> tables;     // refer to `changes`
};

using WrittenFiles = std::vector<WrittenFile>;

// Writes the table's new files and syncs them. When one fails all are removed again.
Result<WrittenFiles> write_data_files(Io& io,
                                      const std::string& data_path,
                                      const TablePlan& plan,
                                      std::int64_t snapshot);
std::vector<DataFile> data_files_of(const WrittenFiles& written);

// Its row of the catalog, with the file's statistics.
Result<void> insert_data_file(Catalog& catalog, const LakeTable& table, const WrittenFile& written);

// The table's statistics after the commit.
TableStatistics statistics_after(const TablePlan& plan, const WrittenFiles& files);

// The rows of one table: deletes, then what enters.
Result<void> apply_table(Catalog& catalog,
                         const TablePlan& plan,
                         const WrittenFiles& files,
                         std::int64_t snapshot);

// Everything of a request that is no row of data: versions, aliases, definitions and the commit
// itself; and into `late` positions and what models remember.
Result<void> apply_records(RecordStore& records,
                           LateRecords& late,
                           const CommitRequest& request,
                           const CommitRecord& commit);

// The part of it that models made, of a commit of that time.
Result<void> apply_models(RecordStore& records,
                          LateRecords& late,
                          const CommitRequest& request,
                          Timestamp time);

// {"models":[{"model":"bp","version":7}]}, or empty.
std::string models_json(const std::vector<ModelVersionRecord>& versions);

}  // namespace lockstep
