// Looking for damage in a hub, and mending what is a cache.
//
// Inspecting only tells: it opens the catalog as a reader and changes nothing. Mending touches
// states, key indexes, and files that no snapshot names; the rows of snapshots, and what was made
// from them, are never touched.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "hub/hub.h"

#include <string>
#include <vector>

namespace lockstep {

enum class FindingLevel { kOk, kWarn, kFail };

// Value. One line of a report. `message` of a warning names what is a cache, or does no harm.
struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string what;  // "files"
  std::string message;
  std::string hint;
};

// At least one line for each thing that was looked at. An error only where there is no hub to look
// at (kNoHub), or one of a newer program (kTooNew).
Result<std::vector<Finding>> inspect_hub(Io& io, const HubPlace& place);

struct RepairOptions {
  bool dry_run = false;
};

// What was mended, or would be: nothing when there is nothing to mend. kLocked while somebody
// writes; kRefused when the catalog itself is damaged.
Result<std::vector<Finding>> repair_hub(Io& io,
                                        const HubPlace& place,
                                        const RepairOptions& options);

}  // namespace lockstep
