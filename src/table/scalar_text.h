// How one value is spelled: the parsers and printers behind types.h and the text codecs. Nothing
// allocates on success.
#pragma once

#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

enum class DateOrder { kIso, kDayFirst, kMonthFirst };

// What a text's spelling depends on besides its type.
struct Spelling {
  bool decimal_comma = false;
  DateOrder date_order =
      DateOrder::kIso;         // ISO 8601 is taken under every order: its year comes first
  int utc_offset_minutes = 0;  // of timestamps without a zone
};

// Each gives nothing where `text` is not wholly a value of the type, or is out of its range.
std::optional<bool> bool_of_text(std::string_view text);
std::optional<std::int64_t> int_of_text(std::string_view text);
std::optional<double> float_of_text(std::string_view text, bool decimal_comma);
std::optional<Date> date_of_text(std::string_view text, DateOrder order);
std::optional<Timestamp> timestamp_of_text(std::string_view text, const Spelling& spelling);

// Nothing: `text` does not spell a value of the type. Any text is a text.
std::optional<Value> value_of_text(std::string_view text, Type type, const Spelling& spelling);

std::string text_of_float(double value);  // shortest that reads back to the same bits
void append_float_text(double value, std::string& out);
std::string text_of_date(Date date);
std::string text_of_timestamp(Timestamp timestamp);

// "'7x' is not an int"; a long text is cut.
std::string not_a(std::string_view text, Type type);

// UTF-8 as Unicode 15 table 3-7 has it. The index of the first byte that is not part of a
// character, or nothing.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace lockstep
