#include "table/parquet_statistics.h"

#include <arrow/api.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

namespace {

// The lowest and highest value of an array that is not null and not NaN.
template <typename T>
class Bounds {
 public:
  void add(const T& value) {
    if (!any_ || value < min_) min_ = value;
    if (!any_ || max_ < value) max_ = value;
    any_ = true;
  }

  template <typename Stored>
  void widen(ParquetColumnStatistics& statistics) const {
    if (!any_) return;
    const Stored low(min_);
    const Stored high(max_);
    const bool first = is_null(statistics.min);
    if (first || low < std::get<Stored>(statistics.min)) statistics.min = low;
    if (first || std::get<Stored>(statistics.max) < high) statistics.max = high;
  }

 private:
  bool any_ = false;
  T min_{};
  T max_{};
};

template <typename ArrayType, typename T, typename Stored>
void add_values(const arrow::Array& array, ParquetColumnStatistics& statistics) {
  const auto& values = static_cast<const ArrayType&>(array);
  Bounds<T> bounds;
  const bool has_nulls = array.null_count() > 0;
  for (std::int64_t row = 0; row < values.length(); ++row) {
    if (!has_nulls || values.IsValid(row)) bounds.add(T(values.GetView(row)));
  }
  bounds.template widen<Stored>(statistics);
}

// Of values among which no null is. Lanes side by side, as each comparison waits for the one before
// it; one with NaN is false.
void add_plain_floats(std::span<const double> values, ParquetColumnStatistics& statistics) {
  constexpr std::size_t kLanes = 8;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::array<double, kLanes> low;
  std::array<double, kLanes> high;
  std::array<std::uint64_t, kLanes> nan{};  // as wide as the values
  low.fill(kInfinity);
  high.fill(-kInfinity);
  const auto add = [&](std::size_t lane, double value) {
    low[lane] = value < low[lane] ? value : low[lane];
    high[lane] = high[lane] < value ? value : high[lane];
    nan[lane] |= value != value ? 1U : 0U;
  };
  std::size_t row = 0;
  for (; row + kLanes <= values.size(); row += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      add(lane, values[row + lane]);
  }
  for (; row < values.size(); ++row)
    add(0, values[row]);
  Bounds<double> bounds;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    statistics.has_nan = statistics.has_nan || nan[lane] != 0;
    if (low[lane] > high[lane]) continue;  // it saw no number
    bounds.add(low[lane]);
    bounds.add(high[lane]);
  }
  bounds.widen<double>(statistics);
}

void add_floats(const arrow::Array& array, ParquetColumnStatistics& statistics) {
  const auto& values = static_cast<const arrow::DoubleArray&>(array);
  const auto count = static_cast<std::size_t>(values.length());
  if (array.null_count() == 0) return add_plain_floats({values.raw_values(), count}, statistics);
  Bounds<double> bounds;
  for (std::int64_t row = 0; row < values.length(); ++row) {
    if (values.IsNull(row)) continue;
    const double value = values.Value(row);
    if (std::isnan(value)) {
      statistics.has_nan = true;
    } else {
      bounds.add(value);
    }
  }
  bounds.widen<double>(statistics);
}

}  // namespace

void add_to_statistics(const Batch& batch, int column, ParquetColumnStatistics& statistics) {
  const arrow::Array& array = *batch.column(column);
  statistics.null_count += array.null_count();
  switch (batch.schema().field(column).type) {
    case Type::kBool:
      return add_values<arrow::BooleanArray, bool, bool>(array, statistics);
    case Type::kInt:
      return add_values<arrow::Int64Array, std::int64_t, std::int64_t>(array, statistics);
    case Type::kFloat:
      return add_floats(array, statistics);
    case Type::kText:
      return add_values<arrow::StringArray, std::string_view, std::string>(array, statistics);
    case Type::kDate:
      return add_values<arrow::Date32Array, Date, Date>(array, statistics);
    case Type::kTimestamp:
      return add_values<arrow::TimestampArray, Timestamp, Timestamp>(array, statistics);
  }
}

}  // namespace lockstep
