// Parquet files of the hub: written with field ids as DuckLake wants them, read by column and row.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/batch.h"
#include "table/types.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

struct ParquetColumn {
  Field field;
  int field_id = 0;
  Value missing{};  // what the rows of a file have that lacks the column
};

struct ParquetColumnStatistics {
  std::int64_t null_count = 0;
  bool has_nan = false;
  Value min;  // null: no value (all null or NaN)
  Value max;
  std::int64_t size_bytes = 0;  // compressed, in the file
};

struct ParquetBounds {
  Value min;
  Value max;
  bool all_null = false;
};

struct ParquetFileInfo {
  std::int64_t row_count = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t footer_bytes = 0;
  std::vector<ParquetColumnStatistics> columns;  // one a column, exact
};

struct ParquetWriteOptions {
  std::int64_t row_group_rows = 122'880;
  int zstd_level = 1;
  std::int64_t page_rows = 1024;  // what is read to get at one row
  // Columns, by index, in which single values are sought: they get a Bloom filter where bounds do
  // not help.
  std::span<const int> sought = {};
};

// Resource. Writes one file, new, and syncs it in finish().
class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  virtual Result<void> write(
      const Batch& batch) = 0;  // schema = the columns' fields; signs are ignored
  virtual Result<ParquetFileInfo> finish() = 0;
};

Result<std::unique_ptr<ParquetWriter>> open_parquet_writer(Io& io,
                                                           const std::string& path,
                                                           std::vector<ParquetColumn> columns,
                                                           const ParquetWriteOptions& options = {});

// Value. Rows of a file, counted from its first.
struct RowRange {
  std::int64_t start = 0;
  std::int64_t count = 0;

  bool holds(std::int64_t row) const { return row >= start && row < start + count; }
};

// Resource. Reads one file; columns are found by field id, so that renamed columns are found. Safe
// from one thread.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual std::int64_t row_count() const = 0;
  virtual int row_group_count() const = 0;
  virtual std::int64_t row_group_start(int group) const = 0;
  // The rows of one row group, in order. A column that the file lacks has its `missing` value in
  // every row; one of integers is read as float where that is asked for.
  virtual Result<Batch> read_row_group(int group, std::span<const ParquetColumn> columns) = 0;

  // The fewest rows around one that can be read without others: those of a page, or of the row
  // group where the file has no page index.
  virtual RowRange piece_at(std::int64_t row) const = 0;
  // The rows of a piece; or fewer of them, where the file has pages.
  virtual Result<Batch> read_piece(const RowRange& piece,
                                   std::span<const ParquetColumn> columns) = 0;
  virtual bool has_pages() const = 0;
  // Bounds of a column in a row group, as far as the file tells: null where it does not. NaN has no
  // place among them, and whether there is one is not known.
  virtual Result<ParquetBounds> row_group_bounds(int group, const ParquetColumn& column) = 0;
  // false: the column's Bloom filter knows that no row of the group has this value.
  virtual Result<bool> may_hold(int group, const ParquetColumn& column, const Value& value) = 0;
};

Result<std::unique_ptr<ParquetReader>> open_parquet_reader(Io& io, const std::string& path);

}  // namespace lockstep
