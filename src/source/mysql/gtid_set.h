// MySQL's global transaction ids: a source's uuid, from 8.3 on maybe with a tag, and a number.
//
// A set as bytes, which the log has and a server is asked with; integers are little-endian:
//
//   u64 number of sources, {uuid, u64 number of ranges, {u64 first, u64 behind the last}...}...
//
// Where a source has a tag the first eight bytes are u8 1, u48 number of sources, u8 1, and behind
// each uuid is u8 twice the tag's length, tag.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value.
struct MysqlGtid {
  std::string source;  // "3e11fa47-71ca-11e1-9e33-c80aa9429562", with a tag "3e11...9562:nightly"
  std::uint64_t number = 0;

  std::string text() const;  // "3e11fa47-71ca-11e1-9e33-c80aa9429562:23"
  bool operator==(const MysqlGtid&) const = default;
};

// "3e11fa47-71ca-11e1-9e33-c80aa9429562", of 16 bytes.
std::string mysql_uuid_text(std::string_view bytes);

// Value. Which transactions happened: of each source ranges of numbers.
class GtidSet final {
 public:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool operator==(const Range&) const = default;
  };

  void add(const MysqlGtid& gtid) { add(gtid.source, {gtid.number, gtid.number}); }

  void add(const std::string& source, Range range);

  bool has(const MysqlGtid& gtid) const;

  bool has_all(const GtidSet& other) const { return other.without(*this).is_empty(); }

  GtidSet without(const GtidSet& other) const;

  bool is_empty() const { return ranges_.empty(); }

  // By source, in order; none touches the next.
  const std::map<std::string, std::vector<Range>>& ranges() const { return ranges_; }

  std::string text() const;                              // "3e11...:1-5:7,8a94...:1-77"
  std::string ranges_text(const std::string& of) const;  // of one source: "1-5:7"
  std::string bytes() const;
  bool operator==(const GtidSet&) const = default;

 private:
  std::map<std::string, std::vector<Range>> ranges_;
};

// As the server writes them, with blanks and line ends, in any case; nullopt: not a set.
std::optional<GtidSet> parse_gtid_set(std::string_view text);
std::optional<GtidSet> parse_gtid_set_bytes(std::string_view bytes);

}  // namespace lockstep
