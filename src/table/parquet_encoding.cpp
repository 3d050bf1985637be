#include "table/parquet_encoding.h"

#include "base/hash.h"

#include <arrow/api.h>
#include <parquet/properties.h>

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

namespace {

// Fewer rows than this say nothing of a column.
constexpr std::int64_t kSampleRowsMin = 64;
constexpr std::int64_t kSampleRows = 2048;

struct ColumnLook {
  bool mostly_distinct = false;
  bool in_order = false;  // rising or falling: bounds of row groups say where a value is
};

// Counts distinct values by their hashes, in a table that has room for twice as many.
class Distinct final {
 public:
  explicit Distinct(std::int64_t value_count)
      : slots_(std::bit_ceil(2 * static_cast<std::size_t>(value_count) + 1)) {}

  void add(std::uint64_t hash) {
    constexpr std::uint64_t kTaken = 1;  // 0 is a free slot
    hash |= kTaken;
    std::size_t slot = (hash >> 1) & (slots_.size() - 1);
    while (slots_[slot] != 0 && slots_[slot] != hash)
      slot = (slot + 1) & (slots_.size() - 1);
    count_ += slots_[slot] == 0 ? 1 : 0;
    slots_[slot] = hash;
  }

  std::int64_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> slots_;
  std::int64_t count_ = 0;
};

std::uint64_t mixed(std::uint64_t bits) {  // the finalizer of MurmurHash3, Appleby 2011
  bits = (bits ^ (bits >> 33)) * 0xff51afd7ed558ccdU;
  bits = (bits ^ (bits >> 33)) * 0xc4ceb9fe1a85ec53U;
  return bits ^ (bits >> 33);
}

std::uint64_t hash_of(std::string_view text) {
  return hash64(text);
}

std::uint64_t hash_of(std::int64_t value) {
  return mixed(static_cast<std::uint64_t>(value));
}

std::uint64_t hash_of(double value) {
  return mixed(std::bit_cast<std::uint64_t>(value));
}

// `get` gives the value of a row that has one.
template <typename Get>
ColumnLook look_through(const Batch& rows, int column, Get get) {
  const std::int64_t step = std::max<std::int64_t>(1, rows.row_count() / kSampleRows);
  Distinct seen(rows.row_count() / step + 1);
  std::int64_t count = 0;
  bool rising = true;
  bool falling = true;
  decltype(get(0)) last{};
  for (std::int64_t row = 0; row < rows.row_count(); row += step) {
    if (rows.is_null(column, row)) continue;
    const auto value = get(row);
    seen.add(hash_of(value));
    if (count > 0) {
      rising = rising && last <= value;
      falling = falling && value <= last;
    }
    last = value;
    ++count;
  }
  return {.mostly_distinct = 2 * seen.count() > count && count > 0, .in_order = rising || falling};
}

ColumnLook look_at(const Batch& rows, int column) {
  if (rows.row_count() < kSampleRowsMin) return {};
  switch (rows.schema().field(column).type) {
    case Type::kText:
      return look_through(
          rows, column, [&](std::int64_t row) { return rows.text_at(column, row); });
    case Type::kInt:
      return look_through(rows, column, [&](std::int64_t row) { return rows.int_at(column, row); });
    default:
      return look_through(
          rows, column, [&](std::int64_t row) { return rows.number_at(column, row); });
  }
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
