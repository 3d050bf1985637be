// Errors are values. A Result<T> is a T or an Error; TRY hands an error on.
#pragma once

#include "base/assert.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace lockstep {

// What kind of failure it is. Each has one line of prose, an exit code and an HTTP status in
// result.cpp.
enum class Code {
  kInvalid,      // the input or the configuration is wrong; the same call fails again
  kUsage,        // the command line is wrong
  kNotFound,     // a file, dataset, model, version or snapshot does not exist
  kNoHub,        // there is no hub at the place that the configuration names
  kLocked,       // another writer holds the hub
  kRefused,      // Lockstep could do it, but asks first (a plan that loses data, a mass delete)
  kDifference,   // a check or a comparison found something
  kUnsupported,  // valid, but this version of Lockstep does not do it
  kTooNew,       // the catalog was written by a newer program
  kDenied,       // rights are missing
  kIo,           // the operating system refused or failed
  kCorrupt,      // stored bytes are not what was written
  kInterrupted,  // a signal or a shutdown ended the work
};

// How a failure shows outside. One row per Code.
struct CodeInfo {
  Code code;
  const char* name;   // as in --json: "no_hub"
  const char* prose;  // one line
  int exit_code;
  int http_status;
};

const CodeInfo& code_info(Code code);

// Value. `message` says what happened, with the object's name; `hint` the user's next step, or is
// empty.
struct Error {
  Code code = Code::kInvalid;
  std::string message;
  std::string hint;

  // "reading clinic.csv: " in front of the message, going up.
  Error with_context(std::string_view context) &&;

  bool operator==(const Error&) const = default;
};

Error invalid(std::string message, std::string hint = {});
Error make_error(Code code, std::string message, std::string hint = {});

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // NOLINTNEXTLINE(google-explicit-constructor): so that `return value;` works
  Result(T value) : state_(std::move(value)) {}

  // NOLINTNEXTLINE(google-explicit-constructor): so that `return error;` works
  Result(Error error) : state_(std::move(error)) {}

  bool ok() const { return state_.index() == 0; }

  explicit operator bool() const { return ok(); }

  const T& value() const& {
    LOCKSTEP_ASSERT(ok(), "value() of an error");
    return std::get<0>(state_);
  }

  T& value() & {
    LOCKSTEP_ASSERT(ok(), "value() of an error");
    return std::get<0>(state_);
  }

  // By value, so that `for (auto& x : f().value())` does not outlive its Result.
  T value() && {
    LOCKSTEP_ASSERT(ok(), "value() of an error");
    return std::get<0>(std::move(state_));
  }

  const Error& error() const& {
    LOCKSTEP_ASSERT(!ok(), "error() of a value");
    return std::get<1>(state_);
  }

  Error error() && {
    LOCKSTEP_ASSERT(!ok(), "error() of a value");
    return std::get<1>(std::move(state_));
  }

  // The same result, an error with `context` in front.
  Result with_context(std::string_view context) && {
    if (ok()) return std::move(*this);
    return Result(std::move(*this).error().with_context(context));
  }

 private:
  std::variant<T, Error> state_;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};

template <>
class [[nodiscard]] Result<void> : public Result<Nothing> {
 public:
  Result() : Result<Nothing>(Nothing{}) {}

  // NOLINTNEXTLINE(google-explicit-constructor): so that `return error;` works
  Result(Error error) : Result<Nothing>(std::move(error)) {}

  Result with_context(std::string_view context) && {
    if (ok()) return {};
    return {std::move(*this).error().with_context(context)};
  }
};

}  // namespace lockstep

// `auto x = TRY(f());` gives the value, or returns the error from the enclosing function.
// `TRY(g());` does so for a Result<void>. One may stand inside another.
#define TRY(expression) LOCKSTEP_TRY_AS(LOCKSTEP_JOIN(try_result_, __COUNTER__), expression)

// The same, with context in front of the error: TRY_IN(parse(text), "reading " + path).
#define TRY_IN(expression, context) \
  LOCKSTEP_TRY_IN_AS(LOCKSTEP_JOIN(try_result_, __COUNTER__), expression, context)

// A name for each use, so that a nested TRY shadows nothing.
#define LOCKSTEP_JOIN(a, b) LOCKSTEP_JOIN_EXPANDED(a, b)
#define LOCKSTEP_JOIN_EXPANDED(a, b) a##b
#define LOCKSTEP_TRY_AS(name, expression)           \
  __extension__({                                   \
    auto name = (expression);                       \
    if (!name.ok()) return std::move(name).error(); \
    std::move(name).value();                        \
  })
#define LOCKSTEP_TRY_IN_AS(name, expression, context)                       \
  __extension__({                                                           \
    auto name = (expression);                                               \
    if (!name.ok()) return std::move(name).error().with_context((context)); \
    std::move(name).value();                                                \
  })
