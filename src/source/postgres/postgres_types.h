// PostgreSQL's types and their texts, as cells of a table.
#pragma once

#include "base/result.h"
#include "source/tables/read_cell.h"
#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// Value. A column's type, as the server's catalog has it; of a domain what it is made of.
struct PostgresType {
  std::uint32_t oid = 0;
  std::int32_t modifier = -1;
  std::string name;     // "numeric(10,2)"
  char kind = 'b';      // pg_type.typtype: 'b' base, 'c' composite, 'e' enum, 'r' and 'm' ranges
  char category = 'U';  // pg_type.typcategory: 'A' is an array
};

// The type of a dataset's column that holds all its values; nullopt: there is none (arrays,
// composites, ranges, bytes).
std::optional<Type> table_type_of(const PostgresType& type);

// Whether a dataset's column of `type` can be fed from it. What does not fit by its value is
// refused row by row: 0.5 of a numeric in an int.
bool fits(const PostgresType& from, Type type);

// The same where only the number is known, as in the stream. true: it fits, or is of a type that is
// not built in.
bool may_fit(std::uint32_t oid, Type type);

std::string postgres_type_name(std::uint32_t oid);  // "int4"; "type 16395" where it is not built in

// What `text` spells, as PostgreSQL writes it (times in UTC, dates as ISO). Nothing: it is in
// `out`; else why it cannot be stored.
std::optional<std::string> read_cell(std::string_view text, Type type, ReadCell& out);

}  // namespace lockstep
