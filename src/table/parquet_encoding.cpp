#include "table/parquet_encoding.h"

#include "base/hash.h"
#include "table/columns.h"

#include <arrow/api.h>
#include <parquet/properties.h>

#include <algorithm>
#include <string>
#include <unordered_set>

namespace lockstep {

namespace {

// Fewer rows than this say nothing of a column.
constexpr std::int64_t kSampleRowsMin = 64;
constexpr std::int64_t kSampleRows = 2048;

struct ColumnLook {
  bool mostly_distinct = false;
  bool in_order = false;  // rising or falling: bounds of row groups say where a value is
};

ColumnLook look_at(const Batch& rows, int column) {
  ColumnLook look;
  if (rows.row_count() < kSampleRowsMin) return look;
  const std::int64_t step = std::max<std::int64_t>(1, rows.row_count() / kSampleRows);
  std::unordered_set<std::uint64_t> seen;
  std::int64_t count = 0;
  bool rising = true;
  bool falling = true;
  std::string last;
  std::string key;
  for (std::int64_t row = 0; row < rows.row_count(); row += step) {
    if (rows.is_null(column, row)) continue;
    key.clear();
    append_key(rows, std::span(&column, 1), row, key);
    seen.insert(hash64(key));
    if (count > 0) {
      rising = rising && last <= key;
      falling = falling && key <= last;
    }
    std::swap(last, key);
    ++count;
  }
  look.mostly_distinct = 2 * static_cast<std::int64_t>(seen.size()) > count && count > 0;
  look.in_order = rising || falling;
  return look;
}

void encode_distinct(Type type,
                     const std::string& name,
                     parquet::WriterProperties::Builder& builder) {
  builder.disable_dictionary(name);
  switch (type) {
    case Type::kFloat:
      builder.encoding(name, parquet::Encoding::BYTE_STREAM_SPLIT);
      return;
    case Type::kInt:
    case Type::kDate:
    case Type::kTimestamp:
      builder.encoding(name, parquet::Encoding::DELTA_BINARY_PACKED);
      return;
    case Type::kText:
    case Type::kBool:
      return;
  }
}

}  // namespace

std::shared_ptr<parquet::WriterProperties> writer_properties(std::span<const ParquetColumn> columns,
                                                             const ParquetWriteOptions& options,
                                                             const Batch& first) {
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD);
  builder.compression_level(options.zstd_level);
  builder.max_row_group_length(options.row_group_rows);
  builder.max_rows_per_page(options.page_rows);
  builder.enable_write_page_index();
  builder.enable_dictionary();
  builder.created_by("lockstep");
  for (std::size_t index = 0; index < columns.size(); ++index) {
    const Field& field = columns[index].field;
    const auto path = parquet::schema::ColumnPath(std::vector<std::string>{field.name});
    // Bounds within the file leave NaN out, and DuckDB, which orders it above all numbers, then
    // passes over row groups that hold one. The catalog's bounds tell of NaN.
    if (field.type == Type::kFloat) builder.disable_statistics(path.ToDotString());
    const ColumnLook look = look_at(first, static_cast<int>(index));
    if (look.mostly_distinct) encode_distinct(field.type, path.ToDotString(), builder);
    const bool is_sought = std::ranges::count(options.sought, static_cast<int>(index)) > 0;
    // Bounds find a value of a column in order, and a dictionary of few values is read at once.
    const bool wants_filter = is_sought && look.mostly_distinct && !look.in_order;
    const bool can_filter = field.type != Type::kBool && field.type != Type::kFloat;
    if (wants_filter && can_filter) {
      parquet::BloomFilterOptions filter;
      filter.fpp = 0.01;
      filter.ndv = std::min(options.row_group_rows, std::max(first.row_count(), std::int64_t{1}));
      builder.enable_bloom_filter(path.ToDotString(), filter);
    }
  }
  return builder.build();
}

}  // namespace lockstep
