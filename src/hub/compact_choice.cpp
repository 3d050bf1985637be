// Which files are worth a merge.
#include "hub/compact_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

namespace {

// Of tables that have a sort order: a merge holds all their rows.
constexpr std::int64_t kSortedCellsMax = 2'000'000;

}  // namespace

bool is_laid_out(const DataFile& file, const LakeTable& table) {
  if (table.partition.empty()) return !file.partition_id;
  return file.partition_id == table.partition.id &&
         file.partition.size() == table.partition.fields.size();
}

std::vector<DataFile> files_to_merge(const std::map<std::int64_t, DataFile>& files,
                                     const LakeTable& table,
                                     const std::set<std::int64_t>& passed_over,
                                     std::int64_t count) {
  const auto columns = static_cast<std::int64_t>(table.columns.size());
  std::map<std::pair<int, PartitionValue>, std::vector<DataFile>> classes;
  for (const auto& [id, file] : files) {
    // A file from before the table was altered has other columns.
    if (file.begin < table.begin || passed_over.contains(id)) continue;
    if (!is_laid_out(file, table)) continue;
    const std::int64_t cells = table.sort.empty() ? kMergedCellsMax : kSortedCellsMax;
    if (file.row_count >= std::min(kMergedRowsMax, cells / columns)) continue;
    int digits = 0;
    for (std::int64_t rows = file.row_count; rows > 0; rows /= 10)
      ++digits;
    classes[{digits, file.partition}].push_back(file);
  }
  for (auto& [class_of, of_class] : classes) {
    if (static_cast<std::int64_t>(of_class.size()) < count) continue;
    of_class.resize(static_cast<std::size_t>(count));
    return of_class;
  }
  return {};
}

Result<std::vector<std::int64_t>> files_of_dead_rows(Catalog& catalog,
                                                     const LakeTable& table,
                                                     std::int64_t kept_from) {
  std::vector<std::int64_t> ids;
  const std::string inlined = inlined_deletes_name(table.id);
  if (!catalog.table_exists(inlined)) return ids;
  Statement* rows = TRY(catalog.cached(fmt::format(
      "SELECT f.data_file_id FROM ducklake_data_file f WHERE f.table_id = ?1 AND f.end_snapshot IS "
      "NULL AND 2 * ((SELECT count(*) FROM {} i WHERE i.file_id = f.data_file_id AND "
      "i.begin_snapshot <= ?2) + (SELECT coalesce(sum(d.delete_count), 0) FROM "
      "ducklake_delete_file d WHERE d.data_file_id = f.data_file_id AND d.end_snapshot IS NULL AND "
      "coalesce(d.partial_max, d.begin_snapshot) <= ?2)) >= f.record_count",
      inlined)));
  rows->bind_integer(0, table.id);
  rows->bind_integer(1, kept_from);
  while (TRY(rows->step()))
    ids.push_back(rows->integer(0));
  rows->reset();
  return ids;
}

}  // namespace lockstep
