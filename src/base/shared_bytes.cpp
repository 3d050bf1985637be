#include "base/shared_bytes.h"

#include "base/hash.h"

#include <algorithm>

namespace lockstep {

std::size_t SharedBytes::read(std::uint64_t offset, std::span<std::byte> buffer) const {
  if (offset >= size_) return 0;
  const std::size_t count = std::min<std::size_t>(buffer.size(), size_ - offset);
  for (std::size_t done = 0; done < count;) {
    const std::size_t start = (offset + done) % kChunkBytes;
    const std::size_t part = std::min(kChunkBytes - start, count - done);
    const std::shared_ptr<Chunk>& chunk = chunks_[(offset + done) / kChunkBytes];
    const auto target = buffer.subspan(done, part);
    if (chunk == nullptr) {
      std::ranges::fill(target, std::byte{0});
    } else {
      std::ranges::copy(std::span(*chunk).subspan(start, part), target.begin());
    }
    done += part;
  }
  return count;
}

SharedBytes::Chunk& SharedBytes::own_chunk(std::size_t index) {
  std::shared_ptr<Chunk>& chunk = chunks_[index];
  if (chunk == nullptr) {
    chunk = std::make_shared<Chunk>();
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  return *chunk;
}

void SharedBytes::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t start = (offset + done) % kChunkBytes;
    const std::size_t part = std::min(kChunkBytes - start, bytes.size() - done);
    Chunk& chunk = own_chunk((offset + done) / kChunkBytes);
    std::ranges::copy(bytes.subspan(done, part), std::span(chunk).subspan(start).begin());
    done += part;
  }
}

void SharedBytes::resize(std::uint64_t size) {
  const bool cuts_a_chunk = size < size_ && size % kChunkBytes != 0;
  chunks_.resize((size + kChunkBytes - 1) / kChunkBytes);
  size_ = size;
  if (!cuts_a_chunk || chunks_.back() == nullptr) return;
  Chunk& last = own_chunk(chunks_.size() - 1);
  std::ranges::fill(std::span(last).subspan(size % kChunkBytes), std::byte{0});
}

std::uint64_t SharedBytes::hash() const {
  static constexpr Chunk kZeros{};
  std::uint64_t hash = size_;
  for (const std::shared_ptr<Chunk>& chunk : chunks_) {
    const Chunk& bytes = chunk == nullptr ? kZeros : *chunk;
    hash = hash64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, hash);
  }
  return hash;
}

}  // namespace lockstep
