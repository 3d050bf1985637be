// A decimal of MariaDB's and MySQL's, as the binary log has it. Pure.
//
// Groups of nine digits in four bytes, big-endian, from the point outwards; what is left over in
// front and behind has fewer bytes. The highest bit is set, and of a negative one all bits are
// turned.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// Value.
class LogDecimal final {
 public:
  LogDecimal(std::string_view bytes, unsigned precision, unsigned scale);

  std::string text() const;  // "-1234.50"
  // The double nearest to it, where one division gives that.
  std::optional<double> exact_double() const;

 private:
  struct Group {
    std::uint32_t value = 0;
    unsigned digits = 0;
  };

  void take(std::string_view& bytes, unsigned digits);

  static constexpr std::size_t kGroupsMax = 16;  // 65 digits, in front and behind
  std::array<Group, kGroupsMax> groups_ = {};
  std::size_t count_ = 0;
  std::size_t whole_count_ = 0;  // in front of the point
  unsigned precision_;
  unsigned scale_;
  bool is_negative_;
};

}  // namespace lockstep
