// Groups of rows beside a plain model of them: sorted in memory by the values themselves.
#pragma once

#include "hub/hub_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// -1, 0 or 1: null before all values, -0.0 as 0.0, NaN behind all.
inline int compare_values(const Value& left, const Value& right) {
  if (is_null(left) || is_null(right))
    return static_cast<int>(is_null(right)) - static_cast<int>(is_null(left));
  const double* one = std::get_if<double>(&left);
  const double* other = std::get_if<double>(&right);
  if (one == nullptr || other == nullptr) return left < right ? -1 : static_cast<int>(right < left);
  if (std::isnan(*one) || std::isnan(*other))
    return static_cast<int>(std::isnan(*one)) - static_cast<int>(std::isnan(*other));
  return *one < *other ? -1 : static_cast<int>(*one > *other);
}

inline int compare_columns(const std::vector<Value>& left,
                           const std::vector<Value>& right,
                           const std::vector<int>& columns) {
  for (const int column : columns) {
    const auto at = static_cast<std::size_t>(column);
    const int order = compare_values(left[at], right[at]);
    if (order != 0) return order;
  }
  return 0;
}

// Rows of a table, and what a question about their groups is to have for an answer.
class GroupedModel {
 public:
  GroupedModel(const TableDefinition& table, const Batch& rows, const GroupOrder& order)
      : schema_(table.schema),
        group_(must(table.schema.require_all(order.group))),
        order_(must(table.schema.require_all(order.order))) {
    for (std::int64_t row = 0; row < rows.row_count(); ++row)
      rows_.push_back(rows.row(row));
    std::vector<int> all = group_;
    const std::vector<int> key = must(table.schema.require_all(table.key));
    all.insert(all.end(), order_.begin(), order_.end());
    all.insert(all.end(), key.begin(), key.end());
    std::ranges::sort(rows_, [&](const auto& left, const auto& right) {
      return compare_columns(left, right, all) < 0;
    });
  }

  // A row of each group, and the values of the group and order columns in it.
  std::vector<std::vector<Value>> groups() const {
    std::vector<std::vector<Value>> found;
    for (const auto& row : rows_) {
      if (found.empty() || compare_columns(found.back(), row, group_) != 0) found.push_back(row);
    }
    return found;
  }

  const std::vector<std::vector<Value>>& rows() const { return rows_; }

  Batch answer(const std::vector<Value>& asked, const std::optional<GroupReach>& reach) const {
    std::vector<std::vector<Value>> before;
    std::vector<std::vector<Value>> at;
    std::vector<std::vector<Value>> after;
    for (const auto& row : rows_) {
      if (compare_columns(row, asked, group_) != 0) continue;
      const int order = reach ? compare_columns(row, asked, order_) : 0;
      (order < 0 ? before : order > 0 ? after : at).push_back(row);
    }
    BatchBuilder out(schema_);
    const std::size_t skipped =
        reach ? before.size() - std::min(before.size(), static_cast<std::size_t>(reach->before))
              : 0;
    for (std::size_t row = skipped; row < before.size(); ++row)
      out.append_row(before[row]);
    for (const auto& row : at)
      out.append_row(row);
    for (std::size_t row = 0; row < after.size(); ++row) {
      if (reach && row < static_cast<std::size_t>(reach->after)) out.append_row(after[row]);
    }
    return must(out.finish());
  }

 private:
  Schema schema_;
  std::vector<int> group_;
  std::vector<int> order_;
  std::vector<std::vector<Value>> rows_;
};

// What is asked: some columns of whole rows.
inline Batch question_of(const Schema& schema,
                         const GroupOrder& order,
                         const std::vector<std::vector<Value>>& rows) {
  std::vector<std::string> names = order.group;
  for (const std::string& name : order.order) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return batch_of(schema, rows).select_columns(must(schema.require_all(names)));
}

// The answer to one question, of each group; "": as the model has it. Else it begins with "wrong:
// ", so that it is no error's message.
inline std::string difference_of_groups(const GroupedModel& model,
                                        const GroupedRows& found,
                                        const std::vector<std::vector<Value>>& asked,
                                        const std::optional<GroupReach>& reach) {
  if (found.first_row_of.size() != asked.size() + 1) return "wrong: not as many groups as asked";
  if (found.first_row_of.back() != found.rows.row_count()) return "wrong: rows of no group";
  for (std::size_t group = 0; group < asked.size(); ++group) {
    const Batch expected = model.answer(asked[group], reach);
    const std::int64_t first = found.first_row_of[group];
    const std::int64_t count = found.first_row_of[group + 1] - first;
    if (count != expected.row_count())
      return fmt::format(
          "wrong: group {}: {} rows, expected {}", group, count, expected.row_count());
    for (std::int64_t row = 0; row < count; ++row) {
      if (!rows_equal(found.rows, first + row, expected, row))
        return fmt::format("wrong: group {}: another row at {}", group, row);
    }
  }
  return "";
}

// Every group of the rows, whole and by the reach of some rows of it.
inline std::string difference_of_all_groups(Hub& hub,
                                            const TableDefinition& table,
                                            const Batch& rows,
                                            const GroupOrder& order) {
  const GroupedModel model(table, rows, order);
  std::vector<std::vector<Value>> asked = model.groups();
  GroupQuestion question{.groups = question_of(table.schema, order, asked), .rows_max = 1'000'000};
  const auto whole = hub.lookup_groups(table.name, order, question);
  if (!whole.ok()) return whole.error().message;
  const std::string wrong = difference_of_groups(model, whole.value(), asked, std::nullopt);
  if (!wrong.empty()) return wrong;
  asked.clear();
  for (std::size_t row = 0; row < model.rows().size(); row += 3)
    asked.push_back(model.rows()[row]);
  question.groups = question_of(table.schema, order, asked);
  for (const GroupReach reach : {GroupReach{1, 0}, GroupReach{0, 2}, GroupReach{3, 3}}) {
    question.reach = reach;
    const auto near = hub.lookup_groups(table.name, order, question);
    if (!near.ok()) return near.error().message;
    const std::string different = difference_of_groups(model, near.value(), asked, reach);
    if (!different.empty()) return different + ", with a reach";
  }
  return "";
}

// As the hub itself reads the table now.
inline std::string difference_of_groups_now(Hub& hub,
                                            const TableName& name,
                                            const GroupOrder& order) {
  const auto table = must(hub.table(name, hub.latest_snapshot()));
  return difference_of_all_groups(hub, *table, must(hub.read(name, hub.latest_snapshot())), order);
}

}  // namespace lockstep
