// Reads the binary log's bytes from the front, and never behind their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lockstep {

// Value. After a read behind the end it is not good, and gives zeroes.
class BinlogBytes final {
 public:
  explicit BinlogBytes(std::string_view bytes) : rest_(bytes) {}

  bool is_good() const { return is_good_; }

  std::string_view rest() const { return rest_; }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      is_good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return taken;
  }

  // Little-endian.
  std::uint64_t number(std::size_t size) {
    constexpr unsigned kByte = 8;
    const std::string_view bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t at = bytes.size(); at > 0; --at)
      value = value << kByte | static_cast<unsigned char>(bytes[at - 1]);
    return value;
  }

  // 1 to 9 bytes, as the client protocol counts.
  std::uint64_t count() {
    constexpr std::uint64_t kTwo = 0xFC;
    constexpr std::uint64_t kThree = 0xFD;
    constexpr std::uint64_t kEight = 0xFE;
    const std::uint64_t first = number(1);
    if (first < kTwo) return first;
    if (first == kTwo) return number(2);
    if (first == kThree) return number(3);
    if (first == kEight) return number(8);
    is_good_ = false;
    return 0;
  }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

}  // namespace lockstep
