#include "hub/catalog_files.h"

#include "hub/record_store_query.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

// A data file or delete file: path, whether relative to the table's folder, that folder, size,
// rows.
Result<std::vector<CatalogFile>> lake_files(Catalog& catalog, FileKind kind, std::string_view sql) {
  const auto read = [kind](const Statement& row) -> Result<CatalogFile> {
    CatalogFile file;
    file.kind = kind;
    file.is_relative = row.is_null(1) || row.integer(1) != 0;
    file.path =
        (file.is_relative ? std::string(row.text(2)) : std::string()) + std::string(row.text(0));
    file.size_bytes = static_cast<std::uint64_t>(row.integer(3));
    file.row_count = row.integer(4);
    return file;
  };
  return read_rows(catalog, sql, {}, read);
}

}  // namespace

Result<std::vector<CatalogFile>> catalog_files(Catalog& catalog) {
  std::vector<CatalogFile> files = TRY(lake_files(
      catalog,
      FileKind::kRows,
      "SELECT f.path, f.path_is_relative, s.path || t.path, f.file_size_bytes, "
      "f.record_count FROM ducklake_data_file f LEFT JOIN ducklake_table t ON t.table_id "
      "= f.table_id LEFT JOIN ducklake_schema s ON s.schema_id = t.schema_id "
      "GROUP BY f.data_file_id"));
  for (CatalogFile& file : TRY(lake_files(
           catalog,
           FileKind::kDeletes,
           "SELECT f.path, f.path_is_relative, s.path || t.path, f.file_size_bytes, f.delete_count "
           "FROM ducklake_delete_file f LEFT JOIN ducklake_table t ON t.table_id = f.table_id LEFT "
           "JOIN ducklake_schema s ON s.schema_id = t.schema_id GROUP BY f.delete_file_id"))) {
    files.push_back(std::move(file));
  }
  const auto read_state = [](const Statement& row) -> Result<CatalogFile> {
    CatalogFile file;
    file.kind = FileKind::kState;
    file.path = row.text(0);
    file.size_bytes = static_cast<std::uint64_t>(row.integer(1));
    file.sha256 = row.text(2);
    return file;
  };
  for (CatalogFile& file :
       TRY(read_rows(catalog,
                     "SELECT path, size_bytes, sha256 FROM lockstep_checkpoint GROUP BY path",
                     {},
                     read_state))) {
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const CatalogFile& left, const CatalogFile& right) {
    return std::tie(left.kind, left.path) < std::tie(right.kind, right.path);
  });
  return files;
}

Result<std::vector<CatalogFile>> scheduled_files(Catalog& catalog) {
  // DuckLake writes these paths relative to the data path, or absolute.
  return lake_files(catalog,
                    FileKind::kRows,
                    "SELECT path, path_is_relative, '', 0, 0 FROM "
                    "ducklake_files_scheduled_for_deletion");
}

}  // namespace lockstep
