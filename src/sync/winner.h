// Who is right: from a source's rows to raw's, and from raw's rows to the one that counts for each
// key.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/dataset_flow.h"
#include "sync/rejected_rows.h"
#include "table/batch.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct RawResolution {
  Batch delta;  // signed raw rows, at most one -1 and one +1 a key
  std::vector<RejectedRow> refused;
  std::vector<OverrideRecord> remove_overrides;
  std::int64_t skipped = 0;
};

// A change of raw, by signed rows.
struct RawDelta {
  Batch rows;
  Batch rest;           // the part of it that raw does not hold yet: what is to be committed
  bool stored = false;  // raw holds the other part already
};

std::vector<int> all_columns(const Schema& schema);

// The keys of all rows that came, in order, as raw has them: (_source, the dataset's key).
Result<Batch> keys_of(const DatasetFlow& flow, const IncomingRows& incoming);

// Rows of a source that an origin would take away.
struct OriginDeletes {
  std::string origin;
  std::int64_t gone = 0;
  std::int64_t of_source = 0;
};

// kRefused: they are more than that share.
Result<void> check_max_delete(const OriginDeletes& deletes, double max_delete);

// Finds the old rows and decides what each operation does. kRefused: a mirror would delete too
// much.
Result<RawResolution> resolve_raw(Hub& hub, const DatasetFlow& flow, const IncomingRows& incoming);

// The change of the winning rows (raw's columns) that a change of raw brings.
Result<Batch> winner_delta(Hub& hub, const DatasetFlow& flow, const RawDelta& raw);
// The winning row of each key, from all of raw.
Result<Batch> winner_rows(const DatasetFlow& flow, const Batch& raw);

// The hash under which a reverted row is remembered: of the dataset's own columns.
std::string row_hash(const Batch& raw, std::int64_t row);

}  // namespace lockstep
