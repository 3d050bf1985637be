// Other writers' Arrow arrays as ours, where that loses nothing.
#pragma once

#include "base/result.h"
#include "table/batch.h"

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// The type of ours that holds every value of an Arrow type, or nearly so: timestamps finer than a
// microsecond and integers above 2^63 are found value by value. Nothing: none does.
std::optional<Type> type_of_arrow(const arrow::DataType& type);

struct CastColumn {
  std::shared_ptr<arrow::Array> values;
  std::vector<std::pair<std::int64_t, std::string>> bad;  // row, reason; null in `values`
};

// kUnsupported, with the column's name: no value of this Arrow type has the field's type.
// Timestamps without a zone are taken as of `utc_offset_minutes`.
Result<CastColumn> cast_exactly(const std::shared_ptr<arrow::Array>& array,
                                const Field& field,
                                int utc_offset_minutes);

}  // namespace lockstep
