// New files written in order, compressed on the way.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/codec.h"

#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

// Resource. A file without finish() is not whole.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
  virtual Result<void> finish() = 0;  // durable after it
};

// Fails where the file is there already.
Result<std::unique_ptr<ByteSink>> create_bytes(Io& io,
                                               const std::string& path,
                                               Compression compression);

}  // namespace lockstep
