// One cell on its way from a text to a column, without the allocations of a Value.
#pragma once

#include "table/batch.h"
#include "table/codec.h"
#include "table/scalar_text.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

// Value. Which member holds depends on the column's type; a text is owned by whoever parsed it.
struct Cell {
  bool is_null = true;
  bool is_good = true;  // false: it could not be read
  bool boolean = false;
  std::int64_t whole = 0;  // int, days, microseconds
  double number = 0;
  std::string_view text;
};

Result<Spelling> spelling_of(const ParseOptions& options);

// Reads `text` as `type` into `cell`; is_good says whether it could.
void read_cell(std::string_view text, Type type, const Spelling& spelling, Cell& cell);

Value value_of_cell(const Cell& cell, Type type);
void append_cell(BatchBuilder& builder, int column, const Cell& cell);

}  // namespace lockstep
