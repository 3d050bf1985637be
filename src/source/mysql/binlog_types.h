// The numbers of MariaDB's and MySQL's types in the binary log.
#pragma once

#include <cstdint>

namespace lockstep {

enum class LogType : std::uint8_t {
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kOldTimestamp = 7,  // the old ones: of tables from before 10.1 (MySQL 5.6)
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kOldTime = 11,
  kOldDatetime = 12,
  kYear = 13,
  kNewDate = 14,
  kVarchar = 15,
  kBit = 16,
  kTimestamp = 17,
  kDatetime = 18,
  kTime = 19,
  kBlobCompressed = 140,
  kVarcharCompressed = 141,
  kVector = 242,  // of MySQL 9
  kJson = 245,    // of MySQL; MariaDB's is a text
  kDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kBlob = 252,
  kVarString = 253,
  kString = 254,  // char(n), binary(n), uuid, inet6
  kGeometry = 255,
};

// A decimal is stored in groups.
inline constexpr unsigned kDigitsOfGroup = 9;
inline constexpr unsigned kBytesOfGroup = 4;

}  // namespace lockstep
