#include "source/tables/read_cell.h"

#include "table/scalar_text.h"

#include <string>

namespace lockstep {

void append_cell(BatchBuilder& builder, int column, Type type, const ReadCell& cell) {
  if (cell.is_null) return builder.append_null(column);
  switch (type) {
    case Type::kText:
      return builder.append_text(column, cell.text);
    case Type::kInt:
      return builder.append_int(column, std::get<std::int64_t>(cell.value));
    case Type::kFloat:
      return builder.append_float(column, std::get<double>(cell.value));
    default:
      return builder.append(column, cell.value);
  }
}

Value value_of(const ReadCell& cell, Type type) {
  if (cell.is_null) return {};
  return type == Type::kText ? Value(std::string(cell.text)) : cell.value;
}

bool same_value(const ReadCell& left, const ReadCell& right, Type type) {
  if (left.is_null || right.is_null) return left.is_null == right.is_null;
  return type == Type::kText ? left.text == right.text : left.value == right.value;
}

std::optional<std::int64_t> whole_number_of_text(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos &&
      text.find_first_not_of('0', point + 1) == std::string_view::npos)
    text = text.substr(0, point);
  return int_of_text(text);
}

}  // namespace lockstep
