#include "base/result.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace lockstep {
namespace {

constexpr std::array kCodes = {
    CodeInfo{Code::kInvalid, "invalid", "the input or the configuration is wrong", 1, 400},
    CodeInfo{Code::kUsage, "usage", "the command line is wrong", 2, 400},
    CodeInfo{Code::kNotFound, "not_found", "what was named does not exist", 1, 404},
    CodeInfo{Code::kNoHub, "no_hub", "there is no hub yet", 10, 404},
    CodeInfo{Code::kLocked, "locked", "another writer holds the hub", 11, 409},
    CodeInfo{Code::kRefused, "refused", "needs the user's word first", 1, 409},
    CodeInfo{Code::kDifference, "difference", "a check or comparison found something", 4, 409},
    CodeInfo{Code::kUnsupported, "unsupported", "valid, but not done by this version", 1, 501},
    CodeInfo{Code::kTooNew, "too_new", "written by a newer Lockstep", 13, 500},
    CodeInfo{Code::kDenied, "denied", "rights are missing", 12, 403},
    CodeInfo{Code::kIo, "io", "the operating system refused or failed", 1, 503},
    CodeInfo{Code::kCorrupt, "corrupt", "stored bytes are not what was written", 1, 500},
    CodeInfo{Code::kInterrupted, "interrupted", "ended by a signal", 130, 503},
};

}  // namespace

const CodeInfo& code_info(Code code) {
  for (const CodeInfo& info : kCodes) {
    if (info.code == code) return info;
  }
  assertion_failed("code in kCodes", "an error code has no row", __FILE__, __LINE__);
}

Error Error::with_context(std::string_view context) && {
  message = std::string(context) + ": " + message;
  return std::move(*this);
}

Error invalid(std::string message, std::string hint) {
  return {Code::kInvalid, std::move(message), std::move(hint)};
}

Error make_error(Code code, std::string message, std::string hint) {
  return {code, std::move(message), std::move(hint)};
}

void assertion_failed(const char* condition, const char* message, const char* file, int line) {
  std::fprintf(
      stderr, "lockstep: internal error: %s (%s) at %s:%d\n", message, condition, file, line);
  std::abort();
}

}  // namespace lockstep
