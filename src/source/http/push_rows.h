// A push's body as rows, operations and refusals: pure.
#pragma once

#include "base/result.h"
#include "source/files/file_rows.h"
#include "source/http/push_desk.h"
#include "source/source.h"

#include <string>

namespace lockstep {

// Value. How the bodies of a source become rows.
struct PushPlan {
  SourceTarget target;
  std::string operation;  // the column that holds I, U or D; empty: none
};

// "push 5f3a...": the origin of its rows.
std::string origin_of(const Push& push);

// kInvalid: the body as a whole cannot be read, or lacks columns.
Result<SourceBatch> rows_of_push(const PushPlan& plan, const Push& push);

}  // namespace lockstep
