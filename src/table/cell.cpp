#include "table/cell.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

// Puts what was parsed in its place; nothing parsed makes the cell bad.
template <typename Parsed, typename Member>
void keep(Cell& cell, const Parsed& parsed, Member& member) {
  cell.is_good = parsed.has_value();
  if (parsed) member = *parsed;
}

}  // namespace

Result<Spelling> spelling_of(const ParseOptions& options) {
  Spelling spelling{options.decimal_comma, DateOrder::kIso, options.utc_offset_minutes};
  if (options.date_format == "dmy") {
    spelling.date_order = DateOrder::kDayFirst;
  } else if (options.date_format == "mdy") {
    spelling.date_order = DateOrder::kMonthFirst;
  } else if (options.date_format != "iso") {
    return invalid(fmt::format("there is no date format '{}'", options.date_format),
                   "the date formats are iso, dmy, mdy");
  }
  return spelling;
}

void read_cell(std::string_view text, Type type, const Spelling& spelling, Cell& cell) {
  cell.is_null = false;
  cell.is_good = true;
  switch (type) {
    case Type::kBool:
      return keep(cell, bool_of_text(text), cell.boolean);
    case Type::kInt:
      return keep(cell, int_of_text(text), cell.whole);
    case Type::kFloat:
      return keep(cell, float_of_text(text, spelling.decimal_comma), cell.number);
    case Type::kText:
      cell.text = text;
      return;
    case Type::kDate: {
      const std::optional<Date> date = date_of_text(text, spelling.date_order);
      cell.is_good = date.has_value();
      if (date) cell.whole = date->days;
      return;
    }
    case Type::kTimestamp: {
      const std::optional<Timestamp> timestamp = timestamp_of_text(text, spelling);
      cell.is_good = timestamp.has_value();
      if (timestamp) cell.whole = timestamp->us;
      return;
    }
  }
}

Value value_of_cell(const Cell& cell, Type type) {
  LOCKSTEP_ASSERT(cell.is_good, "a bad cell has no value");
  if (cell.is_null) return {};
  switch (type) {
    case Type::kBool:
      return cell.boolean;
    case Type::kInt:
      return cell.whole;
    case Type::kFloat:
      return cell.number;
    case Type::kText:
      return std::string(cell.text);
    case Type::kDate:
      return Date{static_cast<std::int32_t>(cell.whole)};
    case Type::kTimestamp:
      return Timestamp{cell.whole};
  }
  LOCKSTEP_ASSERT(false, "a cell without a type");
}

void append_cell(BatchBuilder& builder, int column, const Cell& cell) {
  if (cell.is_null) return builder.append_null(column);
  switch (builder.schema().field(column).type) {
    case Type::kInt:
      return builder.append_int(column, cell.whole);
    case Type::kFloat:
      return builder.append_float(column, cell.number);
    case Type::kText:
      return builder.append_text(column, cell.text);
    default:
      return builder.append(column, value_of_cell(cell, builder.schema().field(column).type));
  }
}

}  // namespace lockstep
