// What a writer remembers of a round of collection between two steps.
#pragma once

#include "hub/background.h"
#include "hub/garbage.h"
#include "hub/lease.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// Value. As it begins a round.
struct Collection {
  enum class Stage { kSnapshots, kRows, kFiles, kDeletions, kOrphans };
  Stage stage = Stage::kSnapshots;
  std::int64_t snapshot = 0;  // all before it are decided; in the end all from it on are kept
  std::set<std::int64_t> pinned;
  std::size_t folder = 0;            // the next to be searched for orphans
  std::vector<std::string> orphans;  // that were found, and are not deleted yet
};

// Resource. The look into a folder beside commits: it may hold very many files, those that wait for
// the end of their grace among them.
struct OrphanLook {
  explicit OrphanLook(const BackgroundPlace& place) : thread(place) {}

  std::optional<Result<std::vector<std::string>>> found;  // once it is done
  Background thread;
};

}  // namespace lockstep
