// Cells that a source did not send because they did not change.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "source/source.h"
#include "sync/dataset_flow.h"

#include <vector>

namespace lockstep {

// The batches with every unchanged cell filled in: from an earlier row of theirs, else from the
// source's row in the hub. Where neither has the key's row becomes a refusal.
Result<std::vector<SourceBatch>> fill_unchanged(Hub& hub,
                                                const DatasetFlow& flow,
                                                const IncomingRows& incoming);

}  // namespace lockstep
