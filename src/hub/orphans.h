// Files of the data path that no row of the catalog names: left by a process that died between
// writing and committing.
#pragma once

#include "base/io.h"
#include "catalog/catalog.h"
#include "hub/background.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct OrphanSearch {
  std::string data_path;
  std::string folder;  // below it, with a slash at the end
  std::int64_t grace_us = 0;
};

// Below the data path: one a table, and that of the learners' states.
Result<std::vector<std::string>> data_folders(Catalog& catalog);

// Files of this program's making, older than the grace time and at least an hour: what is being
// written now has no row yet.
Result<std::vector<std::string>> find_orphans(Catalog& catalog, Io& io, const OrphanSearch& search);

struct OrphanLimits {
  std::int64_t grace_us = 0;
  bool background = false;  // look in a thread
};

// Resource. One folder after the other is looked into, which may hold very many files, those that
// wait for the end of their grace among them; of what was found each step deletes a few.
class OrphanRound final {
 public:
  OrphanRound(const BackgroundPlace& place, std::string data_path)
      : io_(place.io), data_path_(std::move(data_path)), thread_(place) {}

  // The number of files that it deleted; nullopt: all folders are done.
  Result<std::optional<std::int64_t>> step(Catalog& catalog, const OrphanLimits& limits);

 private:
  Result<std::int64_t> delete_some();
  Result<void> begin_look(Catalog& catalog, const std::string& folder, const OrphanLimits& limits);

  Io& io_;
  const std::string data_path_;
  std::size_t folder_ = 0;                                  // the next
  std::vector<std::string> found_;                          // and not deleted yet
  std::optional<Result<std::vector<std::string>>> looked_;  // once the thread is done
  Background thread_;
};

// Files that leave the catalog with these snapshots, and those that wait for their deletion.
Result<std::vector<std::string>> files_of_snapshots_only(
    Catalog& catalog, const std::vector<std::int64_t>& snapshots);

}  // namespace lockstep
