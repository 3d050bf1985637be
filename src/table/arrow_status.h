// Arrow's statuses as our errors: the only place that knows Arrow's codes.
#pragma once

#include "base/result.h"

#include <arrow/result.h>
#include <arrow/status.h>

#include <string_view>

namespace lockstep {

// An arrow::Status that is not ok. `what` names the object, and stands in front.
// An error that passed through Arrow from our own files keeps its code.
Error error_of_status(const arrow::Status& status, std::string_view what);

// The other way, for the files that Arrow reads and writes through us.
arrow::Status status_of_error(const Error& error);

inline Result<void> of_arrow(const arrow::Status& status, std::string_view what) {
  if (status.ok()) return {};
  return error_of_status(status, what);
}

template <typename T>
Result<T> of_arrow(arrow::Result<T> result, std::string_view what) {
  if (result.ok()) return std::move(result).ValueUnsafe();
  return error_of_status(result.status(), what);
}

}  // namespace lockstep
