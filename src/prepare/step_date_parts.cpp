#include "prepare/row_step.h"
#include "prepare/step_makers.h"
#include "table/calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

constexpr std::array kDatePartsSettings = {
    Setting{.name = "column",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "A date or a timestamp; timestamps count in UTC.",
            .required = true},
    Setting{.name = "parts",
            .type = Setting::Type::kTexts,
            .fallback = {},
            .text = "year, month, day, weekday (1 is Monday), hour, day_of_year.",
            .required = true},
    Setting{.name = "prefix",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "In front of the new columns' names; the column's name and _ by default."},
};

constexpr std::int64_t kUsPerHour = 3'600'000'000;
constexpr std::int64_t kHoursPerDay = 24;

std::int64_t day_of_year(std::int64_t days) {
  constexpr std::array<std::int64_t, 12> kBefore = {
      0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const Civil date = civil_of_days(days);
  const bool is_leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;
  const std::int64_t leap_day = is_leap && date.month > 2 ? 1 : 0;
  return kBefore[static_cast<std::size_t>(date.month - 1)] + date.day + leap_day;
}

std::int64_t weekday(std::int64_t days) {
  const std::int64_t since_monday = days + 3;  // 1970-01-01 was a Thursday
  return since_monday - floor_divide(since_monday, 7) * 7 + 1;
}

struct Part {
  std::string_view name;
  std::int64_t (*of)(std::int64_t hours);  // since 1970
};

std::int64_t days_of(std::int64_t hours) {
  return floor_divide(hours, kHoursPerDay);
}

constexpr std::array kParts = {
    Part{"year", [](std::int64_t hours) { return civil_of_days(days_of(hours)).year; }},
    Part{"month",
         [](std::int64_t hours) { return std::int64_t{civil_of_days(days_of(hours)).month}; }},
    Part{"day", [](std::int64_t hours) { return std::int64_t{civil_of_days(days_of(hours)).day}; }},
    Part{"weekday", [](std::int64_t hours) { return weekday(days_of(hours)); }},
    Part{"hour", [](std::int64_t hours) { return hours - days_of(hours) * kHoursPerDay; }},
    Part{"day_of_year", [](std::int64_t hours) { return day_of_year(days_of(hours)); }},
};

Result<Part> find_part(const std::string& name, Type type, const Mark& mark) {
  std::vector<std::string> names;
  for (const Part& part : kParts)
    names.emplace_back(part.name);
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    const auto near = nearest(name, names);
    return invalid_at(mark,
                      fmt::format("step 'date_parts': no part '{}'", name),
                      near ? fmt::format("did you mean '{}'?", *near)
                           : fmt::format("parts are {}", fmt::join(names, ", ")));
  }
  if (name == "hour" && type == Type::kDate) {
    return invalid_at(mark, "step 'date_parts': a date has no hour");
  }
  return kParts[static_cast<std::size_t>(found - names.begin())];
}

std::int64_t hours_of(const Value& value) {
  if (const auto* date = std::get_if<Date>(&value)) return date->days * kHoursPerDay;
  return floor_divide(std::get<Timestamp>(value).us, kUsPerHour);
}

struct NewColumn {
  Field field;
  Part part;
};

Result<StepOutput> add_parts(const Batch& batch, int column, const std::vector<NewColumn>& added) {
  Batch out = batch;
  for (const NewColumn& one : added) {
    ColumnWriter writer(one.field);
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      const Value value = batch.value(column, row);
      writer.append(is_null(value) ? value : Value(one.part.of(hours_of(value))));
    }
    out = TRY(std::move(writer).put_into(out));
  }
  return Sieve(batch.row_count()).finish(out);
}

}  // namespace

MadeStep make_date_parts(const Node& arguments, const Schema& input) {
  const Settings settings =
      TRY(Settings::parse(arguments, kDatePartsSettings, "step 'date_parts'"));
  const std::string name = settings.text("column");
  const int column = TRY(at_mark(input.require(name), settings.given("column")->mark));
  const Type type = input.field(column).type;
  if (type != Type::kDate && type != Type::kTimestamp) {
    return invalid_at(
        settings.given("column")->mark,
        fmt::format(
            "step 'date_parts': column '{}' is {}, not date or timestamp", name, type_name(type)),
        "cast it before");
  }
  const std::string prefix = settings.has("prefix") ? settings.text("prefix") : name + "_";
  const std::vector<std::string> parts = settings.texts("parts");
  RowStepInfo info{"date_parts", input, input, {}, {}};
  std::vector<NewColumn> added;
  for (const std::string& part : parts) {
    const Field field{prefix + part, Type::kInt};
    added.push_back({field, TRY(find_part(part, type, settings.given("parts")->mark))});
    if (info.output.index_of(field.name)) {
      return invalid_at(
          settings.given("parts")->mark,
          fmt::format("step 'date_parts': there is a column '{}' already", field.name),
          "give another prefix");
    }
    info.output = with_field(info.output, field);
  }
  info.arguments = node_of(
      {{"column", node_of(name)}, {"parts", node_of_texts(parts)}, {"prefix", node_of(prefix)}});
  return make_row_step(std::move(info), [column, added](const Batch& batch) -> Result<StepOutput> {
    return add_parts(batch, column, added);
  });
}

}  // namespace lockstep
