// One cell of a database's row, read and not stored yet: what the sources of tables share.
#pragma once

#include "table/batch.h"
#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep {

// `text` points into what was read.
struct ReadCell {
  bool is_null = true;
  bool is_unchanged = false;
  Value value;  // of every type but text
  std::string_view text;
};

// `type`: the column's.
void append_cell(BatchBuilder& builder, int column, Type type, const ReadCell& cell);
Value value_of(const ReadCell& cell, Type type);
bool same_value(const ReadCell& left, const ReadCell& right, Type type);

// 5 and 5.00, but not 5.5: a decimal with a scale may hold whole numbers.
std::optional<std::int64_t> whole_number_of_text(std::string_view text);

}  // namespace lockstep
