// Which files are worth a merge.
#include "hub/compact_merge.h"

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

}  // namespace lockstep
