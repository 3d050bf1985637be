#include "prepare/prepare.h"
#include "prepare/step_makers.h"

#include <array>

namespace lockstep {

std::span<const StepInfo> steps() {
  static constexpr std::array kSteps = {
      StepInfo{"filter",
               "Keeps the rows for which an expression is true. Where it is false, null or NaN the "
               "row is left out, "
               "not rejected: it is none of this dataset's business.",
               "filter: \"age >= 18\"",
               make_filter},
      StepInfo{"required",
               "Rejects rows that have null in one of these columns.",
               "required: [patient, hour]",
               make_required},
      StepInfo{"range",
               "What lies outside of min and max, or is NaN, is rejected, becomes null, or is "
               "clipped (NaN to null). "
               "Null passes.",
               "range: {columns: [sbp], min: 40, max: 300, otherwise: reject}",
               make_range},
      StepInfo{"select",
               "Keeps these columns, in this order.",
               "select: [patient, hour, sbp]",
               make_select},
      StepInfo{"drop", "Leaves these columns out.", "drop: [comment]", make_drop},
      StepInfo{"rename", "Gives columns other names.", "rename: {seqn: patient}", make_rename},
      StepInfo{"cast",
               "Changes the type of columns. Rows with a value that is not exactly one of the new "
               "type are rejected.",
               "cast: {age: int, visit: date}",
               make_cast},
      StepInfo{"map",
               "Puts other values in place of a column's, in place or as a new column. Values that "
               "are not listed are "
               "rejected, become null, or are kept. Null stays.",
               "map: {column: sex, values: {1: male, 2: female}, otherwise: \"null\"}",
               make_map},
      StepInfo{"expression",
               "Computes columns from columns of the same row. Several of one step see the columns "
               "before it. Numbers "
               "are 64-bit floats: integers are exact up to 2^53.",
               "expression: {bmi: \"weight / (height / 100) ^ 2\"}",
               make_expression},
      StepInfo{
          "date_parts",
          "Numbers from a date or a timestamp (UTC). Weekdays count from Monday, 1, to Sunday, 7.",
          "date_parts: {column: ts, parts: [hour, weekday]}",
          make_date_parts},
      StepInfo{"split",
               "Adds a text column that says train or test: by a hash of columns, so that equal "
               "values stay together "
               "and nothing leaks, or by an expression that is true for test rows.",
               "split: {by: patient, test: 0.2}",
               make_split},
  };
  return kSteps;
}

}  // namespace lockstep
