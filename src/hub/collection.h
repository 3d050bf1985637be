// What a writer remembers of a round of collection between two steps.
#pragma once

#include "hub/garbage.h"
#include "hub/lease.h"
#include "hub/orphans.h"

#include <cstdint>
#include <memory>
#include <set>

namespace lockstep {

// Resource. As it begins a round.
struct Collection {
  enum class Stage { kSnapshots, kRows, kFiles, kDeletions, kOrphans };
  Stage stage = Stage::kSnapshots;
  std::int64_t snapshot = 0;  // all before it are decided; in the end all from it on are kept
  std::set<std::int64_t> pinned;
  std::unique_ptr<OrphanRound> orphans;  // from its last stage on
};

}  // namespace lockstep
