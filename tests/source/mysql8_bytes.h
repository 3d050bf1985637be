// Events that only MySQL writes, made by hand from their documented layout, without checksums.
#pragma once

#include "source/mysql/gtid_set.h"
#include "source/mysql_bytes.h"

#include <zstd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::test {

inline const std::string kSource = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
inline const std::string kOtherSource = "8a94f357-aab4-11df-86ab-c80aa9429562";

inline GtidSet gtid_set(const std::string& text) {
  return parse_gtid_set(text).value();
}

inline std::string uuid_of(const std::string& source) {
  return gtid_set(source + ":1").bytes().substr(8, 16);
}

inline std::string mysql_gtid_event(std::uint64_t number, const std::string& source = kSource) {
  return log_event(33, little(0, 1) + uuid_of(source) + little(number, 8) + little(2, 1));
}

inline std::string anonymous_event() {
  return log_event(34, std::string(25, '\0'), 600);
}

inline std::string previous_gtids_event(const std::string& set) {
  return log_event(35, gtid_set(set).bytes());
}

// 1 or 2 bytes, as MySQL's serialization library packs small numbers.
inline std::string packed(std::uint64_t value) {
  return value < 128 ? little(value << 1, 1) : little(value << 2 | 1, 2);
}

inline std::string tagged_gtid_event(std::uint64_t number, const std::string& tag) {
  std::string uuid;
  for (const char byte : uuid_of(kSource))
    uuid += packed(static_cast<unsigned char>(byte));
  const std::string fields = packed(0) + packed(0) + packed(1) + uuid + packed(2) +
                             packed(number << 1) + packed(3) + packed(tag.size()) + tag +
                             packed(4) + packed(0);
  return log_event(42, packed(1) + packed(fields.size() + 3) + packed(0) + fields);
}

inline std::string joined(const std::vector<std::string>& events) {
  std::string out;
  for (const std::string& event : events)
    out += event;
  return out;
}

inline std::string zstd_of(const std::string& plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

// Like a length in the client protocol, of three bytes.
inline std::string counted(std::uint64_t value) {
  return "\xFD" + little(value, 3);
}

struct PayloadBytes {
  std::uint64_t algorithm = 0;  // zstd; 255: none
  std::uint64_t told = 0;       // how many bytes are in it
  std::string payload = {};
};

inline std::string payload_of(const PayloadBytes& of, std::uint32_t end = 0) {
  return log_event(
      40,
      little(2, 1) + little(of.algorithm > 250 ? 3 : 1, 1) +
          (of.algorithm > 250 ? "\xFC" + little(of.algorithm, 2) : little(of.algorithm, 1)) +
          little(1, 1) + little(4, 1) + counted(of.payload.size()) + little(3, 1) + little(4, 1) +
          counted(of.told) + little(0, 1) + of.payload,
      end);
}

inline std::string payload_event(const std::vector<std::string>& events, std::uint32_t end = 0) {
  const std::string plain = joined(events);
  return payload_of({.told = plain.size(), .payload = zstd_of(plain)}, end);
}

}  // namespace lockstep::test
