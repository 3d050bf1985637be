#include "sync/table_difference.h"

#include "sync/report_values.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

bool same_cell(const Batch& rows, int column, std::int64_t before, std::int64_t after) {
  const bool null = rows.is_null(column, before);
  if (null || rows.is_null(column, after)) return null && rows.is_null(column, after);
  if (rows.schema().field(column).type != Type::kFloat)
    return rows.value(column, before) == rows.value(column, after);
  const double left = rows.float_at(column, before);
  const double right = rows.float_at(column, after);
  if (std::isnan(left) || std::isnan(right)) return std::isnan(left) && std::isnan(right);
  return left == right && std::signbit(left) == std::signbit(right);
}

}  // namespace

TableDifference::TableDifference(const TableDefinition& table)
    : table_(table), columns_(static_cast<std::size_t>(table.schema.size())) {
}

Result<void> TableDifference::read(const Batch& changes, const TakeRow& take) {
  LOCKSTEP_ASSERT(changes.schema() == table_.schema, "changes of another table");
  key_ = TRY(table_.schema.require_all(table_.key));
  std::int64_t row = 0;
  while (row < changes.row_count()) {
    const bool leaves = changes.sign(row) < 0;
    const bool pair = leaves && row + 1 < changes.row_count() && changes.sign(row + 1) > 0 &&
                      encode_key(changes, key_, row) == encode_key(changes, key_, row + 1);
    const std::int64_t before = leaves ? row : -1;
    const std::int64_t after = pair ? row + 1 : leaves ? -1 : row;
    count(changes, before, after);
    if (take) TRY(take(row_json(changes, before, after)));
    row += pair ? 2 : 1;
  }
  return {};
}

void TableDifference::count(const Batch& rows, std::int64_t before, std::int64_t after) {
  if (before < 0) {
    ++added_;
  } else if (after < 0) {
    ++removed_;
  } else {
    ++changed_;
    for (int column = 0; column < rows.schema().size(); ++column)
      count_cell(rows, column, before, after);
  }
}

void TableDifference::count_cell(const Batch& rows,
                                 int column,
                                 std::int64_t before,
                                 std::int64_t after) {
  if (same_cell(rows, column, before, after)) return;
  Column& one = columns_[static_cast<std::size_t>(column)];
  ++one.changed;
  const Type type = rows.schema().field(column).type;
  if (type != Type::kFloat && type != Type::kInt) return;
  const double left = rows.number_at(column, before);
  const double right = rows.number_at(column, after);
  if (!std::isfinite(left) || !std::isfinite(right)) return;
  ++one.numbers;
  one.sum_before += left;
  one.sum_after += right;
  one.largest = std::max(one.largest, std::abs(right - left));
}

Json TableDifference::row_json(const Batch& rows, std::int64_t before, std::int64_t after) const {
  Json line;
  line["table"] = table_text(table_.name);
  line["key"] = key_text(rows, key_, after >= 0 ? after : before);
  line["change"] = before < 0 ? "added" : after < 0 ? "removed" : "changed";
  line["before"] = before < 0 ? Json(nullptr) : json_of_row(rows, before);
  line["after"] = after < 0 ? Json(nullptr) : json_of_row(rows, after);
  return line;
}

Json TableDifference::summary() const {
  Json out;
  out["table"] = table_text(table_.name);
  out["added"] = added_;
  out["removed"] = removed_;
  out["changed"] = changed_;
  out["columns"] = Json::object();
  out["numbers"] = Json::object();
  for (int index = 0; index < table_.schema.size(); ++index) {
    const Column& column = columns_[static_cast<std::size_t>(index)];
    const std::string& name = table_.schema.field(index).name;
    if (column.changed > 0) out["columns"][name] = column.changed;
    if (column.numbers == 0) continue;
    const auto count = static_cast<double>(column.numbers);
    out["numbers"][name] = {{"rows", column.numbers},
                            {"mean_before", column.sum_before / count},
                            {"mean_after", column.sum_after / count},
                            {"largest", column.largest}};
  }
  return out;
}

}  // namespace lockstep
