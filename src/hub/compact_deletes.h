// Deletes of a data file's rows go from the catalog into the file's delete file, so that those of a
// file that no merge takes do not gather in the catalog. And the look over all files that finds
// where compaction is worth it.
#pragma once

#include "catalog/catalog.h"
#include "hub/delete_file.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. Whose deletes are to be moved.
struct DeletesWork {
  Io& io;
  std::string data_path;
  LakeTable table;
  DataFile file;
  std::int64_t delete_file_id = 0;  // which nobody else takes
  std::int64_t count_max = 0;       // of deletes that one transaction moves
};

// Value. What has been made durable: a delete file in place of the one before.
struct MovedDeletes {
  std::optional<WrittenDeletes> written;  // none: the file is not one of ours, or has none to move
  std::int64_t replaced = 0;              // the newest delete file when it was read; 0: none
  std::vector<std::int64_t> places;       // of the deletes in the catalog that it has
};

// Changes nothing in the catalog; on an error no file is left.
Result<MovedDeletes> write_moved_deletes(Catalog& catalog, const DeletesWork& work);

// Inside the caller's transaction. false: the file is not what it was, and nothing was done.
Result<bool> apply_moved_deletes(Catalog& catalog,
                                 const DeletesWork& work,
                                 const MovedDeletes& moved,
                                 Timestamp now);

// Value. Files by table.
struct FileSurvey {
  // At least half of their rows are for snapshots alone of which few are kept: worth to be written
  // anew.
  std::map<std::int64_t, std::vector<std::int64_t>> of_dead_rows;
  std::map<std::int64_t, std::vector<std::int64_t>> of_many_deletes;  // in the catalog
};

struct SurveyLimits {
  std::map<std::int64_t, std::int64_t> kept_from;  // by table: from there on snapshots are kept
  std::vector<std::int64_t> tables;
  std::int64_t deletes_min = 0;
};

// Reads all deletes in the catalog, which takes too long for a moment between commits.
Result<FileSurvey> survey_files(Catalog& catalog, const SurveyLimits& limits);

}  // namespace lockstep
