// Rows out of Arrow's record batches, as other writers make them.
#pragma once

#include "base/result.h"
#include "table/codec.h"

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

// The wanted columns of a batch, null where it lacks one. A cell that the wanted type does not hold
// makes its row a bad one. `rows_before`: of the same input; lines are row numbers.
Result<Decoded> decode_arrow(const arrow::RecordBatch& piece,
                             const DecodeRequest& request,
                             const std::string& what,
                             std::int64_t rows_before);

// A stream of Arrow's IPC format in memory; `bytes` outlive the decoder. Nothing in it is trusted.
Result<std::unique_ptr<Decoder>> open_arrow_stream(std::string_view bytes,
                                                   const std::string& name,
                                                   const DecodeRequest& request);

}  // namespace lockstep
