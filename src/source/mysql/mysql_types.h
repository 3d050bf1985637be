// MariaDB's and MySQL's types and their texts, as cells of a table. Pure.
#pragma once

#include "source/tables/read_cell.h"
#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// What a column's values are.
enum class MysqlKind : std::uint8_t {
  kInt,
  kYear,
  kBit,
  kFloat,  // of 32 bits: shown by the fewest digits that are it, as the server does
  kDouble,
  kDecimal,
  kDate,
  kDatetime,
  kTimestamp,
  kTime,
  kText,
  kUuid,
  kInet4,
  kInet6,
  kJson,  // MySQL's own; MariaDB's is a text
  kNone,  // bytes, shapes: no column of a dataset holds them
};

// How a text lies in the log, which gives bytes as they are stored.
enum class MysqlCharset : std::uint8_t { kUtf8, kLatin1, kUtf16, kUtf16Little, kUtf32, kOther };

// Value. A column's type, as the server's catalog has it.
struct MysqlType {
  MysqlKind kind = MysqlKind::kNone;
  MysqlCharset charset = MysqlCharset::kUtf8;
  bool is_whole = false;  // a decimal without a fraction, of at most 18 digits
  std::string name;       // "decimal(10,2)"
  std::string charset_name;
};

struct MysqlColumnInfo {
  std::string data_type;    // "decimal"
  std::string column_type;  // "decimal(10,2)"
  std::string charset;      // "utf8mb4"
  std::int64_t precision = 0;
  std::int64_t scale = 0;
};

MysqlType mysql_type_of(const MysqlColumnInfo& info);

// The type of a dataset's column that holds its values; nullopt: there is none.
std::optional<Type> table_type_of(const MysqlType& type);

// Whether a dataset's column of `type` can be fed from it. What does not fit by its value is
// refused row by row.
bool fits(const MysqlType& from, Type type);

// Value. How cells of a column are read.
struct MysqlReading {
  MysqlKind kind = MysqlKind::kNone;
  MysqlCharset charset = MysqlCharset::kUtf8;
  Type type = Type::kText;    // of the dataset's column
  bool zero_is_null = false;  // 0000-00-00
};

// Each puts a value into `out`, and says why where it cannot be stored. A text that it makes is in
// `scratch`.
std::optional<std::string> read_mysql_text(std::string_view text,
                                           const MysqlReading& how,
                                           ReadCell& out,
                                           std::string& scratch);
std::optional<std::string> read_mysql_int(std::int64_t number,
                                          const MysqlReading& how,
                                          ReadCell& out,
                                          std::string& scratch);
std::optional<std::string> read_mysql_double(double number,
                                             const MysqlReading& how,
                                             ReadCell& out,
                                             std::string& scratch);

// What a SELECT must ask for so that read_mysql_text() takes the answer. `name` is quoted.
std::string mysql_selection(MysqlKind kind, const std::string& name);

}  // namespace lockstep
