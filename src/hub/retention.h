// Which snapshots a hub keeps. Pure but for reading the catalog; hub_gc.cpp removes what is not
// kept.
//
// All snapshots are kept that are younger than `for` and among the newest `snapshots`; of those
// before them the last of each period with rows of its own; and whatever is pinned: the newest
// snapshot, a tag's, the one of a version under an alias, of each model's newest version, and of
// each learner state.
#pragma once

#include "catalog/catalog.h"
#include "hub/hub.h"

#include <cstdint>
#include <set>
#include <vector>

namespace lockstep {

Result<std::set<std::int64_t>> pinned_snapshots(Catalog& catalog);

// Value. What a look at the snapshots from one on found.
struct ExpiredSnapshots {
  std::vector<std::int64_t> ids;
  std::int64_t next = 0;      // where the next look begins: all before are decided
  bool reached_kept = false;  // from `next` on every snapshot is kept
};

struct ExpiryScan {
  std::int64_t from = 0;
  std::int64_t snapshots_max = 1'000;  // looked at
  Timestamp now;
};

Result<ExpiredSnapshots> find_expired(Catalog& catalog,
                                      const RetentionPolicy& policy,
                                      const std::set<std::int64_t>& pinned,
                                      const ExpiryScan& scan);

}  // namespace lockstep
