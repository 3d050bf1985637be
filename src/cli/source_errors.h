// What a sync tells of sources that failed.
#pragma once

#include "cli/command.h"

namespace lockstep {

// Writes each of a report's `errors`. One source that fails stops no other; the first of them gives
// the exit code.
int report_source_errors(Session& session, const Json& errors);

}  // namespace lockstep
