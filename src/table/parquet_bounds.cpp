#include "table/parquet_bounds.h"

#include <parquet/bloom_filter.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include <string>

namespace lockstep {

namespace {

Value value_of_bytes(const parquet::ByteArray& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.ptr), bytes.len);
}

template <typename PhysicalType>
using Typed = parquet::TypedStatistics<PhysicalType>;

}  // namespace

ParquetBounds bounds_of_chunk(const parquet::ColumnChunkMetaData& chunk, Type type) {
  ParquetBounds bounds;
  const auto statistics = chunk.is_stats_set() ? chunk.statistics() : nullptr;
  if (!statistics) return bounds;
  bounds.all_null = statistics->HasNullCount() && statistics->null_count() == chunk.num_values();
  if (!statistics->HasMinMax()) return bounds;
  const parquet::Type::type physical = statistics->physical_type();
  const auto read = [&]<typename PhysicalType>(PhysicalType, auto convert) {
    // Another program may have stored the column in another physical type: nothing is known then.
    if (physical != PhysicalType::type_num) return;
    const auto& typed = static_cast<const Typed<PhysicalType>&>(*statistics);
    bounds.min = convert(typed.min());
    bounds.max = convert(typed.max());
  };
  switch (type) {
    case Type::kBool:
      read(parquet::BooleanType(), [](bool value) { return Value(value); });
      break;
    case Type::kInt:
      read(parquet::Int64Type(), [](std::int64_t value) { return Value(value); });
      break;
    case Type::kFloat:
      read(parquet::DoubleType(), [](double value) { return Value(value); });
      break;
    case Type::kText:
      read(parquet::ByteArrayType(), value_of_bytes);
      break;
    case Type::kDate:
      read(parquet::Int32Type(), [](std::int32_t value) { return Value(Date{value}); });
      break;
    case Type::kTimestamp:
      read(parquet::Int64Type(), [](std::int64_t value) { return Value(Timestamp{value}); });
      break;
  }
  return bounds;
}

bool may_be_in(const parquet::BloomFilter& filter, const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return filter.FindHash(filter.Hash(*whole));
  if (const auto* date = std::get_if<Date>(&value)) return filter.FindHash(filter.Hash(date->days));
  if (const auto* time = std::get_if<Timestamp>(&value))
    return filter.FindHash(filter.Hash(time->us));
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return true;
  const parquet::ByteArray bytes(*text);
  return filter.FindHash(filter.Hash(&bytes));
}

}  // namespace lockstep
