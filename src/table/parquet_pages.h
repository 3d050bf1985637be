// A few rows of a row group, without the rest of it: the pages that hold them are found by the
// file's page index.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <arrow/io/type_fwd.h>
#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace arrow::util {
class Decompressor;
}

namespace parquet {
class ColumnDescriptor;
class FileMetaData;
class OffsetIndex;
class PageReader;
class ParquetFileReader;
}  // namespace parquet

namespace lockstep {

// Value. Rows of one row group, counted from its first.
struct PageRows {
  int group = 0;
  std::int64_t start = 0;
  std::int64_t count = 0;
};

// Whether all columns of all row groups can be read so: Lockstep's own files with a page index.
bool has_page_index(const parquet::FileMetaData& metadata);

// Resource. Of one such file, which it borrows. The Parquet library throws through it.
class ParquetPages final {
 public:
  ParquetPages(parquet::ParquetFileReader& file,
               std::shared_ptr<arrow::io::RandomAccessFile> input);
  ~ParquetPages();
  ParquetPages(const ParquetPages&) = delete;
  ParquetPages& operator=(const ParquetPages&) = delete;

  // `leaf` has the physical type that Lockstep writes for `type`.
  Result<std::shared_ptr<arrow::Array>> read(int leaf, Type type, const PageRows& rows);

 private:
  using Offsets = std::vector<std::shared_ptr<parquet::OffsetIndex>>;  // by leaf

  const Offsets& offsets(int group);
  std::unique_ptr<parquet::PageReader> pages_of(const parquet::ColumnDescriptor& column,
                                                std::shared_ptr<arrow::Buffer> content,
                                                std::int64_t value_count,
                                                bool has_dictionary);
  Result<std::shared_ptr<arrow::Buffer>> bytes(std::int64_t offset, std::int64_t size);

  parquet::ParquetFileReader& file_;
  const std::shared_ptr<arrow::io::RandomAccessFile> input_;
  std::map<int, Offsets> offsets_;
  std::shared_ptr<arrow::util::Decompressor> zstd_;
};

}  // namespace lockstep
