// One operation of an Io that fails, for tests that try each in turn.
#pragma once

#include "base/io.h"

#include <fmt/format.h>

#include <string_view>

namespace lockstep {

// The n-th operation from now on fails.
class OneFailure final {
 public:
  OneFailure(Io& io, int n) : io_(io) {
    io.observe([this, n](IoOperation operation, std::string_view path) -> Result<void> {
      if (count_++ != n) return {};
      happened_ = true;
      return make_error(Code::kIo,
                        fmt::format("{} of {} fails", io_operation_name(operation), path));
    });
  }

  ~OneFailure() { io_.observe({}); }

  bool happened() const { return happened_; }

 private:
  Io& io_;
  int count_ = 0;
  bool happened_ = false;
};

}  // namespace lockstep
