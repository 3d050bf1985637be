// Changes of a table in the order of its keys, in bounded memory.
//
// There is no sorting on disk: each pass over the changed rows keeps those with the smallest keys
// that fit and were not given yet. A change that fits into memory is read once.
#pragma once

#include "hub/changed_rows.h"
#include "hub/hub.h"

#include <cstddef>
#include <functional>
#include <memory>

namespace lockstep {

// One pass over the changed rows, as ChangedRows::for_each makes it.
using ChangePass = std::function<Result<void>(const WantedRows& wanted, const TakeRows& take)>;

struct ChangeScanOptions {
  std::size_t window_bytes = 0;  // of rows kept by a pass, roughly; at least one key's
  std::int64_t batch_rows_max = 65'536;
};

// `key`: columns of `schema`, which the passes' rows have. Netted, -1 before +1 of one key, both in
// one batch.
std::unique_ptr<BatchStream> open_change_scan(Schema schema,
                                              std::vector<int> key,
                                              ChangePass pass,
                                              const ChangeScanOptions& options);

// In the order of the keys, -1 before +1.
Result<Batch> in_key_order(const Batch& rows, const std::vector<int>& key);

}  // namespace lockstep
