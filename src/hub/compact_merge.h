// Compaction's second half: several data files of a table become one, in DuckLake's own form of a
// merged file, whose rows name their snapshots. Rows that no snapshot has any more are left out;
// ends of rows go into a delete file. Reading and writing is slow and needs no transaction; what is
// left for the transaction is small (see hub_merge.cpp): of the deletes that came meanwhile only
// the last.
#pragma once

#include "catalog/catalog.h"
#include "hub/delete_file.h"
#include "hub/key_index.h"
#include "hub/moved_rows.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// Files of so many rows are left alone, and so are those of so many cells, some 20 MB: a batch of a
// load has them at once, and would else be written twice.
inline constexpr std::int64_t kMergedRowsMax = 1'000'000;
inline constexpr std::int64_t kMergedCellsMax = 3'000'000;

// Whether the file has the rows of one value of the table's partition, or the table has none.
bool is_laid_out(const DataFile& file, const LakeTable& table);

// Pure. Which files to merge: the oldest `count` of the lowest size class that has as many, where a
// class is a number of digits of the number of rows, in one value of the table's partition. So what
// a merge makes is of the next class, and a row is written as often as its file's size has digits.
// `passed_over` take no part. Empty: nothing is worth a merge.
std::vector<DataFile> files_to_merge(const std::map<std::int64_t, DataFile>& files,
                                     const LakeTable& table,
                                     const std::set<std::int64_t>& passed_over,
                                     std::int64_t count);

// Value. What is to be merged, and where to.
struct MergeWork {
  Io& io;
  std::string data_path;
  LakeTable table;                 // as it stood when the sources came
  std::int64_t altered_at = 0;     // since then it has been as it is now
  std::vector<DataFile> sources;   // by id
  std::int64_t first_file_id = 0;  // nobody else takes ids from here to first_file_id + ids()
  KeyIndexFolder& index;

  std::int64_t ids() const { return 2 * static_cast<std::int64_t>(sources.size()); }
};

// Value. What a merge has made durable. Without files it was not worth it.
struct MergedFiles {
  struct File {
    MovedFile moved;
    std::optional<WrittenDeletes> deletes;
  };

  LakeTable table;
  std::vector<DataFile> sources;
  std::int64_t read_at = 0;  // the newest snapshot when the sources were read
  bool is_worth = false;
  std::vector<File> files;  // the first has every current row
  // Of each source's rows the position in the first file, or kElsewhere.
  static constexpr std::int64_t kElsewhere = -1;
  std::vector<std::vector<std::int64_t>> moved_to;
  std::optional<MovedPlaces> places;  // none: there are no current rows
  std::int64_t grown_bytes = 0;       // of the table's data files, once it is applied
};

// Changes nothing in the catalog; on an error no file is left.
Result<MergedFiles> write_merge(Catalog& catalog, const MergeWork& work);

// Inside the caller's transaction. Rows that ended since they were read get their ends. false: the
// sources are not what they were, and nothing was done.
Result<bool> apply_merge(Catalog& catalog, MergedFiles& merged, Timestamp now);

void remove_merged(const MergeWork& work, const MergedFiles& merged);

}  // namespace lockstep
