#include "learn/column_reader.h"

#include "table/few_rows.h"

#include <arrow/api.h>

#include <cstddef>

namespace lockstep {
namespace {

template <typename Array, typename Convert>
void read_values(const arrow::Array& array,
                 std::int64_t offset,
                 NumberColumn& out,
                 Convert convert) {
  const auto& typed = static_cast<const Array&>(array);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    out.values[i] = convert(typed.Value(offset + static_cast<std::int64_t>(i)));
  }
}

}  // namespace

void read_numbers(
    const Batch& batch, int column, std::int64_t offset, std::int64_t count, NumberColumn& out) {
  out.values.assign(static_cast<std::size_t>(count), 0.0);
  out.missing.assign(static_cast<std::size_t>(count), 0);
  if (batch.row_count() <= kFewRows) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto place = static_cast<std::size_t>(i);
      out.missing[place] = batch.is_null(column, offset + i) ? 1 : 0;
      if (out.missing[place] == 0) out.values[place] = batch.number_at(column, offset + i);
    }
    return;
  }
  const arrow::Array& array = *batch.column(column);
  if (array.null_count() > 0) {
    for (std::int64_t i = 0; i < count; ++i) {
      out.missing[static_cast<std::size_t>(i)] = array.IsNull(offset + i) ? 1 : 0;
    }
  }
  switch (batch.schema().field(column).type) {
    case Type::kBool:
      return read_values<arrow::BooleanArray>(
          array, offset, out, [](bool v) { return v ? 1.0 : 0.0; });
    case Type::kInt:
      return read_values<arrow::Int64Array>(
          array, offset, out, [](std::int64_t v) { return static_cast<double>(v); });
    case Type::kFloat:
      return read_values<arrow::DoubleArray>(array, offset, out, [](double v) { return v; });
    case Type::kDate:
      return read_values<arrow::Date32Array>(
          array, offset, out, [](std::int32_t v) { return static_cast<double>(v); });
    case Type::kTimestamp:
      return read_values<arrow::TimestampArray>(
          array, offset, out, [](std::int64_t v) { return static_cast<double>(v) / 1e6; });
    case Type::kText:
      LOCKSTEP_ASSERT(false, "text read as a number");
  }
}

}  // namespace lockstep
