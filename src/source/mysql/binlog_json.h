// MySQL's JSON as it is stored and logged, to the text that a SELECT of it gives. Pure.
//
// Integers are little-endian; `offset` is 2 bytes in a small container and 4 in a large one, and
// counts from the container's start:
//
//   document       u8 type, value
//   object, array  offset count of elements, offset size, {offset key, u16 its length}... of an
//                  object, {u8 type, offset value}..., keys, values
//   types          0 1 object, small and large; 2 3 array; 4 literal: u8 0 null, 1 true, 2 false;
//                  5 6 i16, u16; 7 8 i32, u32; 9 10 i64, u64; 11 double; 12 string: length,
//                  bytes; 15 another type's: u8 type, length, bytes
//
// A literal and a number of 16 bits stand in place of their offset, in a large container one of 32
// bits, too. A length is 1 to 5 bytes of 7 bits, the lowest first, the highest bit of each but the
// last set.
#pragma once

#include "source/mysql/mysql_types.h"
#include "source/tables/read_cell.h"

#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// nullopt: the bytes are no such document. No bytes are null, as the server has it.
std::optional<std::string> mysql_json_text(std::string_view bytes);

// Its text into `out`, which points to `scratch`; else why it cannot be stored.
std::optional<std::string> read_mysql_json(std::string_view bytes,
                                           const MysqlReading& how,
                                           ReadCell& out,
                                           std::string& scratch);

// As MySQL writes a JSON number with a fraction: "1.0", "0.1", "1e16".
void append_mysql_double(double number, std::string& out);

}  // namespace lockstep
