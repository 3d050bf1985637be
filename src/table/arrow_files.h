// Files of an Io as Arrow's streams.
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <arrow/io/type_fwd.h>
#include <arrow/type_fwd.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

namespace lockstep {

// The bytes of one new file, written in order through a buffer. Arrow's destructors may write to
// the stream: it must outlive the writer that uses it.
class ArrowOutput {
 public:
  virtual ~ArrowOutput() = default;
  virtual std::shared_ptr<arrow::io::OutputStream> stream() = 0;
  virtual std::uint64_t size_bytes() const = 0;
  // The last eight bytes: a Parquet file's length of the footer, and its magic.
  virtual std::array<std::byte, 8> tail() const = 0;
  // Flushes, and makes the file and its name durable.
  virtual Result<void> sync() = 0;
};

Result<std::unique_ptr<ArrowOutput>> create_arrow_output(Io& io, const std::string& path);

Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_arrow_input(Io& io,
                                                                      const std::string& path);

}  // namespace lockstep
