// The inverse of a snapshot, as signed raw rows.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/dataset_flow.h"

#include <string>
#include <vector>

namespace lockstep {

enum class RevertConflicts { kRefuse, kKeepLater, kOverwrite };

struct RevertDelta {
  Batch raw;                              // what undoes it
  std::vector<OverrideRecord> overrides;  // what the sources must not bring back
  std::vector<std::string> conflicts;     // keys that changed again since, as text
};

// What would undo `snapshot` in one dataset. Where a row changed again later, `conflicts` says what
// is done: nothing at all (kRefuse: only listed), the later row stays, or the row before the
// snapshot comes back.
Result<RevertDelta> revert_delta(Hub& hub,
                                 const DatasetFlow& flow,
                                 SnapshotId snapshot,
                                 RevertConflicts conflicts);

}  // namespace lockstep
