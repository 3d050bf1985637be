#include "base/assert.h"
#include "prepare/row_step.h"
#include "prepare/step_makers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

namespace lockstep {

namespace {

constexpr std::array kRangeSettings = {
    Setting{.name = "columns",
            .type = Setting::Type::kTexts,
            .fallback = {},
            .text = "The columns that are checked; int or float.",
            .required = true},
    Setting{.name = "min",
            .type = Setting::Type::kNumber,
            .fallback = {},
            .text = "The least value that is inside."},
    Setting{.name = "max",
            .type = Setting::Type::kNumber,
            .fallback = {},
            .text = "The greatest value that is inside."},
    Setting{.name = "otherwise",
            .type = Setting::Type::kChoice,
            .fallback = "reject",
            .text = "What happens to a value outside.",
            .choices = "reject | null | clip"},
};

enum class OutOfRange { kReject, kNull, kClip };

enum class Side { kInside, kBelow, kAbove, kNan };

struct Range {
  std::vector<int> columns;
  std::optional<double> min;
  std::optional<double> max;
  OutOfRange otherwise = OutOfRange::kReject;
};

// Exact for integers beyond 2^53 too: bounds are rounded to integers, not values to floats.
Side side_of(std::int64_t value, const Range& range) {
  if (range.min) {
    const double least = std::ceil(*range.min);
    if (least >= kIntEnd) return Side::kBelow;
    if (least >= -kIntEnd && value < static_cast<std::int64_t>(least)) return Side::kBelow;
  }
  if (range.max) {
    const double greatest = std::floor(*range.max);
    if (greatest < -kIntEnd) return Side::kAbove;
    if (greatest < kIntEnd && value > static_cast<std::int64_t>(greatest)) return Side::kAbove;
  }
  return Side::kInside;
}

Side side_of(double value, const Range& range) {
  if (std::isnan(value)) return Side::kNan;
  if (range.min && value < *range.min) return Side::kBelow;
  if (range.max && value > *range.max) return Side::kAbove;
  return Side::kInside;
}

Side side_of(const Batch& batch, int column, std::int64_t row, const Range& range) {
  if (batch.is_null(column, row)) return Side::kInside;
  if (batch.schema().field(column).type == Type::kInt) {
    return side_of(batch.int_at(column, row), range);
  }
  return side_of(batch.float_at(column, row), range);
}

Value clipped(Side side, Type type, const Range& range) {
  if (side == Side::kNan) return {};
  const double bound = side == Side::kBelow ? *range.min : *range.max;
  if (type == Type::kFloat) return bound;
  const double whole = side == Side::kBelow ? std::ceil(bound) : std::floor(bound);
  return static_cast<std::int64_t>(whole);
}

std::string reason(
    const Batch& batch, int column, std::int64_t row, Side side, const Range& range) {
  const std::string& name = batch.schema().field(column).name;
  const std::string value = shown(batch.value(column, row));
  if (side == Side::kNan) return fmt::format("{} is {}", name, value);
  if (side == Side::kBelow) return fmt::format("{} is {}, below {}", name, value, *range.min);
  return fmt::format("{} is {}, above {}", name, value, *range.max);
}

Result<Batch> replace_outside(const Batch& batch, int column, const Range& range) {
  const Field& field = batch.schema().field(column);
  ColumnWriter writer(field);
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    const Side side = side_of(batch, column, row, range);
    if (side == Side::kInside) {
      writer.append(batch.value(column, row));
    } else if (range.otherwise == OutOfRange::kNull) {
      writer.append_null();
    } else {
      writer.append(clipped(side, field.type, range));
    }
  }
  return std::move(writer).put_into(batch);
}

Result<StepOutput> apply_range(const Batch& batch, const Range& range) {
  Sieve sieve(batch.row_count());
  Batch out = batch;
  for (const int column : range.columns) {
    if (range.otherwise != OutOfRange::kReject) {
      out = TRY(replace_outside(out, column, range));
      continue;
    }
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      const Side side = side_of(batch, column, row, range);
      if (side != Side::kInside) sieve.reject(row, reason(batch, column, row, side, range));
    }
  }
  return std::move(sieve).finish(out);
}

OutOfRange out_of_range_of(const std::string& word) {
  if (word == "null") return OutOfRange::kNull;
  if (word == "clip") return OutOfRange::kClip;
  LOCKSTEP_ASSERT(word == "reject", "the settings allow no other word");
  return OutOfRange::kReject;
}

// An int column has no integer to clip to between 0.2 and 0.8.
Result<void> check_bounds(const Range& range, const Schema& input, const Mark& mark) {
  if (!range.min && !range.max) {
    return invalid_at(mark, "step 'range' has neither min nor max", "give one of them");
  }
  if (range.min && range.max && *range.min > *range.max) {
    return invalid_at(mark,
                      fmt::format("step 'range': min {} is above max {}", *range.min, *range.max),
                      fmt::format("write min: {}, max: {}", *range.max, *range.min));
  }
  for (const int column : range.columns) {
    const Field& field = input.field(column);
    if (field.type != Type::kInt && field.type != Type::kFloat) {
      return invalid_at(mark,
                        fmt::format("step 'range': column '{}' is {}, not int or float",
                                    field.name,
                                    type_name(field.type)),
                        "cast it before, or use a filter");
    }
    if (field.type != Type::kInt || range.otherwise != OutOfRange::kClip) continue;
    const double least = range.min ? std::ceil(*range.min) : -kIntEnd;
    const double greatest = range.max ? std::floor(*range.max) : 0;
    if (least < -kIntEnd || least >= kIntEnd || greatest < -kIntEnd || greatest >= kIntEnd ||
        (range.max && least > greatest)) {
      return invalid_at(
          mark,
          fmt::format("step 'range': int column '{}' cannot be clipped to these bounds",
                      field.name),
          "give bounds that are integers");
    }
  }
  return {};
}

Node full_arguments(const Settings& settings, const Range& range) {
  std::vector<std::pair<std::string, Node>> fields;
  fields.emplace_back("columns", node_of_texts(settings.texts("columns")));
  if (range.min) fields.emplace_back("min", node_of(value_text(*range.min)));
  if (range.max) fields.emplace_back("max", node_of(value_text(*range.max)));
  fields.emplace_back("otherwise", node_of(settings.text("otherwise")));
  return node_of(std::move(fields));
}

}  // namespace

MadeStep make_range(const Node& arguments, const Schema& input) {
  const Settings settings = TRY(
      Settings::parse(with_null_as_word(arguments, "otherwise"), kRangeSettings, "step 'range'"));
  Range range;
  const std::vector<std::string> names = settings.texts("columns");
  range.columns = TRY(columns_at(*settings.given("columns"), names, input));
  if (settings.has("min")) range.min = settings.number("min");
  if (settings.has("max")) range.max = settings.number("max");
  range.otherwise = out_of_range_of(settings.text("otherwise"));
  TRY(check_bounds(range, input, arguments.mark));
  RowStepInfo info{"range", input, input, full_arguments(settings, range), {}};
  if (range.otherwise != OutOfRange::kReject) {
    for (const std::string& name : names)
      info.moved[name] = std::nullopt;
  }
  return make_row_step(std::move(info), [range](const Batch& batch) -> Result<StepOutput> {
    return apply_range(batch, range);
  });
}

}  // namespace lockstep
