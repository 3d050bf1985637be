// The values of the binary log's cells. Pure.
#pragma once

#include "source/mysql/binlog.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/mysql_types.h"
#include "source/tables/read_cell.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lockstep {

// Value. A column of the log, and what is to be made of its cells.
struct LogReading {
  // Cells that are taken as they lie there, by far the most of a table of measurements.
  enum class Plain : std::uint8_t { kNone, kInt32, kInt64, kDouble };

  MysqlReading how;
  LogColumn column;
  std::vector<std::string> labels;  // in UTF-8
  Plain plain = Plain::kNone;
};

LogReading make_log_reading(const MysqlReading& how, const LogColumn& column);

// Whether a column of this form can have values of that kind: else the catalog and the log speak of
// different tables.
bool can_be(const LogColumn& column, MysqlKind kind);

// A cell that is there. Nothing: its value is in `out`; else why it cannot be stored. A text that
// had to be made is in `scratch`.
std::optional<std::string> read_log_cell(std::string_view bytes,
                                         const LogReading& reading,
                                         ReadCell& out,
                                         std::string& scratch);

// false: it is not of a plain column. Else its value is in `out`.
inline bool read_plain_cell(std::string_view bytes, const LogReading& reading, ReadCell& out) {
  const auto take = [&]<typename T>(T number) {
    if (bytes.size() != sizeof(number)) return false;
    std::memcpy(&number, bytes.data(), bytes.size());
    out.is_null = false;
    if constexpr (std::is_integral_v<T>) out.value = static_cast<std::int64_t>(number);
    if constexpr (!std::is_integral_v<T>) out.value = number;
    return true;
  };
  switch (reading.plain) {
    case LogReading::Plain::kDouble:
      return take(double{});
    case LogReading::Plain::kInt64:
      return take(std::int64_t{});
    case LogReading::Plain::kInt32:
      return take(std::int32_t{});
    case LogReading::Plain::kNone:
      break;
  }
  return false;
}

// In UTF-8; nullopt: the bytes are no text of it. A text of kUtf8 is as it is.
std::optional<std::string> utf8_of(std::string_view bytes, MysqlCharset charset);

}  // namespace lockstep
