#include "hub/scan_filter.h"

#include "hub/table_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {

namespace {

// What is known of a column's values somewhere. A bound that is null is not known.
struct KnownBounds {
  Value min;
  Value max;
  bool may_have_nan = false;
};

// Whether a value between the bounds may satisfy the condition. NaN stands above the upper bound.
bool may_satisfy(const KnownBounds& known, Comparison comparison, const Value& value) {
  const auto below_max = [&](Comparison one) {
    return known.may_have_nan || is_null(known.max) || holds(known.max, one, value);
  };
  const auto above_min = [&](Comparison one) {
    return is_null(known.min) || holds(known.min, one, value);
  };
  switch (comparison) {
    case Comparison::kEqual:
      return below_max(Comparison::kAtLeast) && above_min(Comparison::kAtMost);
    case Comparison::kLess:
    case Comparison::kAtMost:
      // A column of NaN alone has no lower bound.
      return above_min(comparison);
    case Comparison::kGreater:
    case Comparison::kAtLeast:
      return below_max(comparison);
    case Comparison::kNotEqual:
      break;
  }
  const bool all_the_same = !is_null(known.min) && !is_null(known.max) && known.min == known.max;
  return known.may_have_nan || !all_the_same || !(known.min == value);
}

// A bound that another program wrote in a form of its own is not known.
Value bound_cell(const Statement& row, int column, Type type) {
  if (row.is_null(column)) return {};
  Result<Value> value = parse_value(row.text(column), type);
  return value.ok() ? std::move(value).value() : Value();
}

// Calls `keep` with a function that tells whether left stands to right as the comparison says.
template <typename T, typename Keep>
void with_comparison(Comparison comparison, Keep keep) {
  switch (comparison) {
    case Comparison::kEqual:
      return keep([](const T& a, const T& b) { return a == b; });
    case Comparison::kNotEqual:
      return keep([](const T& a, const T& b) { return a != b; });
    case Comparison::kLess:
      return keep([](const T& a, const T& b) { return a < b; });
    case Comparison::kAtMost:
      return keep([](const T& a, const T& b) { return a <= b; });
    case Comparison::kGreater:
      return keep([](const T& a, const T& b) { return a > b; });
    case Comparison::kAtLeast:
      return keep([](const T& a, const T& b) { return a >= b; });
  }
}

}  // namespace

Result<ScanFilter> ScanFilter::bind(const LakeTable& table, const std::vector<Predicate>& where) {
  ScanFilter filter;
  for (const Predicate& one : where) {
    const std::string name = table_text(table.definition.name);
    const int column = TRY_IN(table.definition.schema.require(one.column), name + ": ");
    const ParquetColumn& own = table.columns[static_cast<std::size_t>(column)];
    // Value holds its types in the order of Type, behind null.
    const bool fits = one.value.index() == 1 + static_cast<std::size_t>(own.field.type);
    if (!fits) {
      return invalid(fmt::format("{}: {} is compared with a value that is no {}",
                                 name,
                                 one.column,
                                 type_name(own.field.type)));
    }
    const auto known = std::ranges::find(filter.columns_, column);
    const auto place = static_cast<int>(known - filter.columns_.begin());
    if (known == filter.columns_.end()) filter.columns_.push_back(column);
    filter.conditions_.push_back({own, place, one.comparison, one.value});
  }
  return filter;
}

bool ScanFilter::partition_may_match(const LakeTable& table, const DataFile& file) const {
  const std::vector<PartitionField>& fields = table.partition.fields;
  if (file.partition_id != table.partition.id || file.partition.size() != fields.size())
    return true;
  for (const Condition& one : conditions_) {
    if (one.comparison != Comparison::kEqual) continue;
    for (std::size_t index = 0; index < fields.size(); ++index) {
      const PartitionField& field = fields[index];
      const bool tells =
          field.field_id == one.column.field_id && is_zone_free(field.key, one.column.field.type);
      if (tells && partition_value(field.key, one.value) != file.partition[index]) return false;
    }
  }
  return true;
}

Result<bool> ScanFilter::file_may_match(Catalog& catalog, const DataFile& file) const {
  for (const Condition& one : conditions_) {
    Statement* row = TRY(catalog.cached(
        "SELECT min_value, max_value, contains_nan, value_count FROM ducklake_file_column_stats "
        "WHERE data_file_id = ? AND column_id = ?"));
    row->bind_integer(0, file.id);
    row->bind_integer(1, one.column.field_id);
    const bool has_statistics = TRY(row->step());
    KnownBounds known;
    bool has_values = true;
    if (has_statistics) {
      known.min = bound_cell(*row, 0, one.column.field.type);
      known.max = bound_cell(*row, 1, one.column.field.type);
      known.may_have_nan =
          one.column.field.type == Type::kFloat && (row->is_null(2) || row->integer(2) != 0);
      has_values = row->is_null(3) || row->integer(3) > 0;
    }
    row->reset();
    if (!has_statistics) continue;
    if (!has_values || !may_satisfy(known, one.comparison, one.value)) return false;
  }
  return true;
}

Result<bool> ScanFilter::group_may_match(ParquetReader& reader, int group) const {
  for (const Condition& one : conditions_) {
    const ParquetBounds bounds = TRY(reader.row_group_bounds(group, one.column));
    if (bounds.all_null) return false;
    const KnownBounds known{bounds.min, bounds.max, one.column.field.type == Type::kFloat};
    if (!may_satisfy(known, one.comparison, one.value)) return false;
    const bool is_sought = one.comparison == Comparison::kEqual;
    if (is_sought && !TRY(reader.may_hold(group, one.column, one.value))) return false;
  }
  return true;
}

std::vector<std::int64_t> ScanFilter::matching(const Batch& batch,
                                               std::vector<std::int64_t> rows) const {
  for (const Condition& one : conditions_) {
    const int column = one.place;
    const auto keep = [&]<typename T>(const T& value, auto read) {
      with_comparison<T>(one.comparison, [&](auto compare) {
        std::erase_if(rows, [&](std::int64_t row) {
          return batch.is_null(column, row) || !compare(read(row), value);
        });
      });
    };
    if (const auto* whole = std::get_if<std::int64_t>(&one.value)) {
      keep(*whole, [&](std::int64_t row) { return batch.int_at(column, row); });
    } else if (const auto* number = std::get_if<double>(&one.value);
               number != nullptr && !is_nan(one.value) && one.comparison != Comparison::kGreater &&
               one.comparison != Comparison::kAtLeast) {
      keep(*number, [&](std::int64_t row) { return batch.float_at(column, row); });
    } else {
      std::erase_if(rows, [&](std::int64_t row) {
        const Value value = batch.value(column, row);
        return is_null(value) || !holds(value, one.comparison, one.value);
      });
    }
  }
  return rows;
}

}  // namespace lockstep
