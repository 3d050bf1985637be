// Reading reports: the fields of a Json that may be absent, as text.
#pragma once

#include "cli/text.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

using Json = nlohmann::ordered_json;

// The field, or null when `object` has none of that name.
const Json& field(const Json& object, std::string_view name);

std::string text_of(const Json& object, std::string_view name);      // "" when absent
std::int64_t integer_of(const Json& object, std::string_view name);  // 0 when absent
bool flag_of(const Json& object, std::string_view name);             // false when absent
std::optional<double> number_of(const Json& object, std::string_view name);

// Any value in a cell: null is empty; whole numbers with separators, others rounded, on a terminal.
std::string cell_text(const View& view, const Json& value);
// A number that names something (a snapshot, a version): never with separators.
std::string id_text(const Json& object, std::string_view name);
// A time, as RFC 3339 text or in microseconds since 1970.
std::string time_of(const View& view, const Json& object, std::string_view name);
std::string duration_of(const View& view, const Json& object, std::string_view name, double unit_s);

// "rmse sbp 10.21, dbp 6.43": the root mean square errors of a version's metrics on its test rows;
// where there are none, those on its training rows, marked so; else "".
std::string error_text(const View& view, const Json& metrics);

// Objects as a table: a column for each name, in order of first use.
std::string objects_text(const View& view, const Json& objects);

// As stored, with two spaces of indentation and a newline. Bytes that are no UTF-8 become U+FFFD.
std::string json_text(const Json& value);
std::string json_line(const Json& value);

}  // namespace lockstep
