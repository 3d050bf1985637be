// MariaDB's global transaction ids: domain, server, and a number that grows within the domain.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// Value.
struct Gtid {
  std::uint32_t domain = 0;
  std::uint32_t server = 0;
  std::uint64_t number = 0;

  std::string text() const;  // "0-1-4711"
  bool operator==(const Gtid&) const = default;
};

std::optional<Gtid> parse_gtid(std::string_view text);  // nullopt: not one

// Value. The last transaction of each domain.
class GtidState final {
 public:
  void move_to(const Gtid& gtid) { last_[gtid.domain] = gtid; }

  // Whether it, and all before it in its domain, have happened.
  bool has(const Gtid& gtid) const;
  bool has_all(const GtidState& other) const;

  const std::map<std::uint32_t, Gtid>& last() const { return last_; }

  std::string text() const;  // "0-1-4711,1-7-2"; empty: none
  bool operator==(const GtidState&) const = default;

 private:
  std::map<std::uint32_t, Gtid> last_;
};

std::optional<GtidState> parse_gtid_state(std::string_view text);

}  // namespace lockstep
