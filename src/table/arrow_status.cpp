#include "table/arrow_status.h"

#include <fmt/format.h>

#include <string>

namespace lockstep {

namespace {

// Carries an Error through Arrow, so that a denied or interrupted read does not come out as a
// corrupt file.
class ErrorDetail final : public arrow::StatusDetail {
 public:
  explicit ErrorDetail(Error error) : error_(std::move(error)) {}

  const char* type_id() const override { return kTypeId; }

  std::string ToString() const override { return error_.message; }

  const Error& error() const { return error_; }

  static constexpr const char* kTypeId = "lockstep::Error";

 private:
  Error error_;
};

// Parquet calls a malformed file an IOError: true ones come from our own files, and carry an Error.
Code code_of_status(const arrow::Status& status) {
  switch (status.code()) {
    case arrow::StatusCode::NotImplemented:
      return Code::kUnsupported;
    case arrow::StatusCode::OutOfMemory:
      return Code::kIo;
    default:
      return Code::kInvalid;
  }
}

}  // namespace

Error error_of_status(const arrow::Status& status, std::string_view what) {
  const auto& detail = status.detail();
  if (detail && std::string_view(detail->type_id()) == ErrorDetail::kTypeId) {
    Error inner = static_cast<const ErrorDetail&>(*detail).error();
    return std::move(inner).with_context(what);
  }
  return make_error(code_of_status(status), fmt::format("{}: {}", what, status.message()));
}

arrow::Status status_of_error(const Error& error) {
  return {arrow::StatusCode::IOError, error.message, std::make_shared<ErrorDetail>(error)};
}

}  // namespace lockstep
