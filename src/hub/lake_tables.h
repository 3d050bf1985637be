// The DuckLake catalog's rows about snapshots, schemas and tables: how a lake is born, and how
// tables come and go.
//
// Rows have the form that DuckDB's extension writes (specification 1.0). Every function that writes
// must run inside the caller's transaction. Which columns are a table's key is no part of DuckLake:
// it stands in a TableRecord.
#pragma once

#include "catalog/catalog.h"
#include "hub/hub.h"
#include "hub/partition.h"
#include "hub/record_store.h"
#include "table/parquet.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// Row ids in a Parquet file stand under this field id, snapshot ids of its rows under the other
// (DuckLake 1.0).
inline constexpr int kRowIdField = 2'147'483'540;
inline constexpr int kSnapshotIdField = 2'147'483'539;
// In a delete file: the data file's path, and the position of a row of it.
inline constexpr int kDeletedPathField = 2'147'483'646;
inline constexpr int kDeletePositionField = 2'147'483'645;
inline constexpr const char* kRowIdColumn = "_ducklake_internal_row_id";
inline constexpr const char* kSnapshotIdColumn = "_ducklake_internal_snapshot_id";

// Value. One row of ducklake_snapshot.
struct LakeSnapshot {
  std::int64_t id = 0;
  Timestamp time;
  std::int64_t schema_version = 0;
  std::int64_t next_catalog_id = 0;
  std::int64_t next_file_id = 0;
};

// Value. A table as it stands from `begin` on, to be read without asking the catalog again. One
// that is altered begins anew, with the same id.
struct LakeTable {
  std::int64_t id = 0;
  std::int64_t begin = 0;
  TableDefinition definition;
  std::vector<ParquetColumn> columns;  // with the column ids, in order
  std::vector<int> key;                // indexes into columns
  std::string folder;                  // "raw/vitals/", below the data path
  std::string inlined;                 // the table that takes inlined rows
  Partitioning partition = {};
  std::vector<int> sort = {};  // indexes into columns
};

// Value. The inlined rows of one schema version, with its columns: id, and name there.
struct InlinedTable {
  std::string name;
  std::vector<std::pair<int, std::string>> columns;
};

// Value. What a commit says about itself to DuckLake.
struct SnapshotNote {
  std::string changes_made;
  std::string message;
  std::string extra_info;
};

// The 28 tables, snapshot 0 with the schema `main`, and snapshot 1 with one schema a layer.
Result<LakeSnapshot> create_lake(Catalog& catalog,
                                 Io& io,
                                 const std::string& data_path,
                                 Timestamp now);

// Those of the layers' schemas that are not there, from `snapshot` on, which counts their ids.
// Returns what the snapshot says of it: empty when all are there.
Result<std::string> insert_layer_schemas(Catalog& catalog, Io& io, LakeSnapshot& snapshot);
// The indexes that DuckLake's own tables lack.
Result<void> add_lake_indexes(Catalog& catalog);

Result<LakeSnapshot> newest_snapshot(Catalog& catalog);
Result<void> insert_snapshot(Catalog& catalog,
                             const LakeSnapshot& snapshot,
                             const SnapshotNote& note);
// Once its snapshot is inserted.
Result<void> add_extra_info(Catalog& catalog, std::int64_t snapshot, const std::string& text);
// kTooNew when the catalog is of another form than 1.0.
Result<void> check_lake_version(Catalog& catalog);

// The datasets' tables at a snapshot, by name. Tables without a record are somebody else's: left
// out.
Result<std::vector<LakeTable>> load_tables(Catalog& catalog,
                                           const std::vector<TableRecord>& records,
                                           std::int64_t at);

// Pure. The table as it will stand: its id is next.next_catalog_id, its inlined table bears
// next.schema_version. next.next_catalog_id is moved behind what the table takes.
Result<LakeTable> plan_lake_table(const TableDefinition& definition, LakeSnapshot& next);
Result<void> insert_lake_table(Catalog& catalog,
                               Io& io,
                               const LakeTable& table,
                               const LakeSnapshot& next);
Result<void> drop_lake_table(Catalog& catalog, const LakeTable& table, std::int64_t snapshot);

// Every inlined table of a table, the oldest first: one a schema version.
Result<std::vector<InlinedTable>> inlined_tables(Catalog& catalog, std::int64_t table_id);
// Makes table.inlined and registers it, and with it the schema version.
Result<void> create_inlined_table(Catalog& catalog,
                                  const LakeTable& table,
                                  const LakeSnapshot& next);
std::string inlined_deletes_name(std::int64_t table_id);
Result<void> create_inlined_deletes(Catalog& catalog, std::int64_t table_id);

const char* lake_type(Type type);  // "int64"
// "raw"."vitals", for changes_made.
std::string quoted_table(const TableName& name);
std::string lake_time_text(Timestamp time);

}  // namespace lockstep
