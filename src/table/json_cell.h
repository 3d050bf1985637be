// JSON's values as cells. JSON's own types are kept to: a number in quotes is not a number.
#pragma once

#include "table/cell.h"
#include "table/json_document.h"

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

// Of a time that is a number: how many there are since 1970.
enum class TimeUnit : std::uint8_t { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };

// "s" | "ms" | "us" | "ns"
std::optional<TimeUnit> time_unit_of_name(std::string_view name);

// Nothing: it is out of a timestamp's range.
std::optional<std::int64_t> us_since_1970(std::int64_t count, TimeUnit unit);

// Reads `value` as `type` into `cell`; is_good says whether it could. Without a unit a number is no
// timestamp. The cell's text is the document's.
void read_json_cell(const JsonValue& value,
                    Type type,
                    const Spelling& spelling,
                    std::optional<TimeUnit> unit,
                    Cell& cell);

// Why it could not: "the text 'x' is not an int".
std::string json_cell_refusal(const JsonValue& value, Type type);

}  // namespace lockstep
