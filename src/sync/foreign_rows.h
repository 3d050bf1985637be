// Rows that another program wrote into raw: what they lack of a source's is filled in.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/dataset_flow.h"
#include "sync/winner.h"

namespace lockstep {

// A row without _source is its dataset's only source's, one without _sequence that of the commit to
// come, and one without _origin the snapshot's. kRefused: a key with nothing in it, one that is
// there already, or a _source that the dataset does not have.
Result<RawDelta> complete_rows(Hub& hub, const DatasetFlow& flow, const ForeignRows& foreign);

}  // namespace lockstep
