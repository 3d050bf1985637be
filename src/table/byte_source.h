// The bytes of a text file, piece by piece: opened through an Io, decompressed as they are read.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/codec.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace lockstep {

// Resource. Holds a bounded piece of its file, however large the file is when decompressed.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the front of the buffer; 0: the end, and everything before it was whole.
  virtual Result<std::size_t> read(std::span<char> buffer) = 0;
};

// The file as it is, or decompressed. Members one behind the other are read as one. Truncated or
// corrupt: an error that names the file. Behind the last member only zeros may follow (tape
// padding, as gzip takes it).
Result<std::unique_ptr<ByteSource>> open_bytes(Io& io,
                                               const std::string& path,
                                               Compression compression);

}  // namespace lockstep
