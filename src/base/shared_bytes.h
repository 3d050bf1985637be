// Bytes of a file on the simulated disk. Only simulated_disk.h includes this.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lockstep {

// Value. Bytes in chunks that copies share until one of them writes: a copy of a disk costs a
// pointer a chunk.
class SharedBytes final {
 public:
  std::uint64_t size() const { return size_; }

  // How many bytes there were to read.
  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes);  // a gap is zeros
  void resize(std::uint64_t size);                                     // what is new is zeros
  std::uint64_t hash() const;

 private:
  static constexpr std::size_t kChunkBytes = 4096;
  using Chunk = std::array<std::byte, kChunkBytes>;

  Chunk& own_chunk(std::size_t index);

  std::vector<std::shared_ptr<Chunk>> chunks_;  // nullptr: zeros. Behind the end: zeros
  std::uint64_t size_ = 0;
};

}  // namespace lockstep
