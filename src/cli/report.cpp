#include "cli/report.h"

#include "table/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

// The targets of one part of a version's metrics: {sbp: {rmse, r2}, ...}.
const Json& targets_of(const Json& metrics, const char* part) {
  return field(field(metrics, part), "targets");
}

}  // namespace

const Json& field(const Json& object, std::string_view name) {
  static const Json kAbsent;
  if (!object.is_object()) return kAbsent;
  const auto found = object.find(std::string(name));
  return found == object.end() ? kAbsent : *found;
}

std::string text_of(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : json_line(value);
}

std::int64_t integer_of(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}

bool flag_of(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  return value.is_boolean() && value.get<bool>();
}

std::optional<double> number_of(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::string cell_text(const View& view, const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return count_text(view, value.get<std::int64_t>());
  if (value.is_number()) return number_text(view, value.get<double>());
  return json_line(value);
}

std::string id_text(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  if (value.is_number_integer()) return fmt::format("{}", value.get<std::int64_t>());
  return value.is_string() ? value.get<std::string>() : "";
}

std::string time_of(const View& view, const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  if (value.is_number_integer()) return time_text(view, value.get<std::int64_t>());
  if (!value.is_string()) return "";
  const std::string text = value.get<std::string>();
  const Result<Value> time = parse_value(text, Type::kTimestamp);
  if (!time.ok() || !std::holds_alternative<Timestamp>(time.value())) return text;
  return time_text(view, std::get<Timestamp>(time.value()).us);
}

std::string duration_of(const View& view,
                        const Json& object,
                        std::string_view name,
                        double unit_s) {
  const std::optional<double> number = number_of(object, name);
  if (!number) return "";
  return view.terminal ? duration_text(*number * unit_s) : fmt::format("{}", *number * unit_s);
}

std::string error_text(const View& view, const Json& metrics) {
  const Json& tested = targets_of(metrics, "test");
  const Json& targets = tested.empty() ? targets_of(metrics, "train") : tested;
  std::string text;
  for (const auto& [target, values] : targets.items()) {
    const std::optional<double> rmse = number_of(values, "rmse");
    if (!rmse) continue;
    text += fmt::format("{} {} {}", text.empty() ? "rmse" : ",", target, number_text(view, *rmse));
  }
  return text.empty() || !tested.empty() ? text : text + " (train)";
}

namespace {

// A cell of somebody's row: as it is, but for a float whose digits would fill the screen.
std::string data_text(const View& view, const Json& value) {
  constexpr std::size_t kDigitsMax = 8;
  if (value.is_number_integer()) return fmt::format("{}", value.get<std::int64_t>());
  if (!value.is_number()) return cell_text(view, value);
  const std::string whole = fmt::format("{}", value.get<double>());
  return whole.size() <= kDigitsMax ? whole : cell_text(view, value);
}

}  // namespace

std::string objects_text(const View& view, const Json& objects) {
  std::vector<TableColumn> columns;
  for (const Json& object : objects) {
    for (const auto& [name, value] : object.items()) {
      const auto known = [&name = name](const TableColumn& column) { return column.name == name; };
      if (std::none_of(columns.begin(), columns.end(), known))
        columns.push_back({name, value.is_number()});
    }
  }
  if (columns.empty()) return "";
  TextTable table(columns);
  for (const Json& object : objects) {
    std::vector<TableCell> cells;
    for (const TableColumn& column : columns) {
      cells.push_back({data_text(view, field(object, column.name))});
    }
    table.add(std::move(cells));
  }
  return table.text(view);
}

std::string json_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lockstep
