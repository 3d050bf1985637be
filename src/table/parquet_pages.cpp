#include "table/parquet_pages.h"

#include "base/assert.h"
#include "table/arrow_status.h"
#include "table/batch.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/page_index.h>

#include <algorithm>

namespace lockstep {

namespace {

// Of row groups whose page indexes are kept: 60 pages of 40 columns are some 60 kB.
constexpr std::size_t kGroupsKept = 64;

// Reads values of one column, in order, into an Arrow array.
template <typename PhysicalType, typename Builder, typename Append>
Result<std::shared_ptr<arrow::Array>> read_values(parquet::ColumnReader& column,
                                                  const PageRows& rows,
                                                  Builder builder,
                                                  Append append) {
  using Value = typename PhysicalType::c_type;
  constexpr std::string_view kWhat = "reading pages";
  auto& reader = static_cast<parquet::TypedColumnReader<PhysicalType>&>(column);
  const std::int16_t there = column.descr()->max_definition_level();
  if (reader.Skip(rows.start) != rows.start)
    return invalid("a column with less rows than its index");
  const auto size = static_cast<std::size_t>(rows.count);
  std::vector<std::int16_t> levels(size, there);
  // Not a vector: of bool it would be bits.
  const auto values = std::make_unique<Value[]>(size);
  TRY(of_arrow(builder.Reserve(rows.count), kWhat));
  std::int64_t left = rows.count;
  while (left > 0) {
    std::int64_t value_count = 0;
    const std::int64_t count =
        reader.ReadBatch(left, levels.data(), nullptr, values.get(), &value_count);
    if (count == 0) return invalid("a column with less rows than its index");
    std::int64_t value = 0;
    for (std::int64_t row = 0; row < count; ++row) {
      if (levels[static_cast<std::size_t>(row)] == there) {
        TRY(of_arrow(append(builder, values[static_cast<std::size_t>(value++)]), kWhat));
      } else {
        TRY(of_arrow(builder.AppendNull(), kWhat));
      }
    }
    if (value != value_count) return invalid("a column with other values than its levels say");
    left -= count;
  }
  return of_arrow(builder.Finish(), kWhat);
}

constexpr auto kAppend = [](auto& builder, const auto& value) { return builder.Append(value); };
constexpr auto kAppendText = [](arrow::StringBuilder& builder, const parquet::ByteArray& value) {
  return builder.Append(value.ptr, static_cast<std::int32_t>(value.len));
};

Result<std::shared_ptr<arrow::Array>> read_typed(parquet::ColumnReader& column,
                                                 Type type,
                                                 const PageRows& rows) {
  arrow::MemoryPool* pool = arrow::default_memory_pool();
  switch (type) {
    case Type::kBool:
      return read_values<parquet::BooleanType>(column, rows, arrow::BooleanBuilder(pool), kAppend);
    case Type::kInt:
      return read_values<parquet::Int64Type>(column, rows, arrow::Int64Builder(pool), kAppend);
    case Type::kFloat:
      return read_values<parquet::DoubleType>(column, rows, arrow::DoubleBuilder(pool), kAppend);
    case Type::kText:
      return read_values<parquet::ByteArrayType>(
          column, rows, arrow::StringBuilder(pool), kAppendText);
    case Type::kDate:
      return read_values<parquet::Int32Type>(column, rows, arrow::Date32Builder(pool), kAppend);
    case Type::kTimestamp:
      return read_values<parquet::Int64Type>(
          column, rows, arrow::TimestampBuilder(arrow_type(type), pool), kAppend);
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

parquet::Type::type physical_type(Type type) {
  switch (type) {
    case Type::kBool:
      return parquet::Type::BOOLEAN;
    case Type::kInt:
    case Type::kTimestamp:
      return parquet::Type::INT64;
    case Type::kFloat:
      return parquet::Type::DOUBLE;
    case Type::kText:
      return parquet::Type::BYTE_ARRAY;
    case Type::kDate:
      return parquet::Type::INT32;
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

// The pages of a column without a dictionary, which `pages` gives compressed. The library makes a
// decompressor for each page, which costs as much as a small page itself, and in a virtual machine
// several times that (it asks the processor what it can).
class InflatedPages final : public parquet::PageReader {
 public:
  InflatedPages(std::unique_ptr<parquet::PageReader> pages,
                std::shared_ptr<arrow::util::Decompressor> zstd)
      : pages_(std::move(pages)), zstd_(std::move(zstd)) {}

  std::shared_ptr<parquet::Page> NextPage() override {
    std::shared_ptr<parquet::Page> page = pages_->NextPage();
    if (page == nullptr) return page;
    if (page->type() != parquet::PageType::DATA_PAGE)
      throw parquet::ParquetException("a page of a kind that Lockstep does not write");
    const auto& data = static_cast<const parquet::DataPageV1&>(*page);
    return std::make_shared<parquet::DataPageV1>(inflate(*data.buffer(), data.uncompressed_size()),
                                                 data.num_values(),
                                                 data.encoding(),
                                                 data.definition_level_encoding(),
                                                 data.repetition_level_encoding(),
                                                 data.uncompressed_size());
  }

  void set_max_page_header_size(std::uint32_t size) override {
    pages_->set_max_page_header_size(size);
  }

 private:
  std::shared_ptr<arrow::Buffer> inflate(const arrow::Buffer& from, std::int64_t size) {
    PARQUET_ASSIGN_OR_THROW(std::shared_ptr<arrow::Buffer> out, arrow::AllocateBuffer(size));
    PARQUET_THROW_NOT_OK(zstd_->Reset());
    std::int64_t read = 0;
    std::int64_t written = 0;
    while (written < size) {
      PARQUET_ASSIGN_OR_THROW(const auto done,
                              zstd_->Decompress(from.size() - read,
                                                from.data() + read,
                                                size - written,
                                                out->mutable_data() + written));
      if (done.bytes_read == 0 && done.bytes_written == 0)
        throw parquet::ParquetException("a page is shorter than it says");
      read += done.bytes_read;
      written += done.bytes_written;
    }
    return out;
  }

  const std::unique_ptr<parquet::PageReader> pages_;
  const std::shared_ptr<arrow::util::Decompressor> zstd_;
};

}  // namespace

bool has_page_index(const parquet::FileMetaData& metadata) {
  if (metadata.created_by() != "lockstep") return false;
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    const auto row_group = metadata.RowGroup(group);
    for (int leaf = 0; leaf < metadata.num_columns(); ++leaf) {
      if (!row_group->ColumnChunk(leaf)->GetOffsetIndexLocation()) return false;
    }
  }
  return metadata.num_row_groups() > 0;
}

ParquetPages::ParquetPages(parquet::ParquetFileReader& file,
                           std::shared_ptr<arrow::io::RandomAccessFile> input)
    : file_(file), input_(std::move(input)) {
}

ParquetPages::~ParquetPages() = default;

const ParquetPages::Offsets& ParquetPages::offsets(int group) {
  const auto known = offsets_.find(group);
  if (known != offsets_.end()) return known->second;
  if (offsets_.size() >= kGroupsKept) offsets_.clear();
  const auto index = file_.GetPageIndexReader();
  // Without this every column would be a read of its own.
  index->WillNeed({group}, {}, {.column_index = false, .offset_index = true});
  const auto row_group = index->RowGroup(group);
  Offsets offsets;
  for (int leaf = 0; leaf < file_.metadata()->num_columns(); ++leaf)
    offsets.push_back(row_group->GetOffsetIndex(leaf));
  index->WillNotNeed({group});
  return offsets_.emplace(group, std::move(offsets)).first->second;
}

Result<std::shared_ptr<arrow::Buffer>> ParquetPages::bytes(std::int64_t offset, std::int64_t size) {
  if (offset < 0 || size < 0) return invalid("a page index with places outside of the file");
  auto buffer = TRY(of_arrow(input_->ReadAt(offset, size), "reading pages"));
  if (buffer->size() == size) return buffer;
  return invalid("a page index with places outside of the file");
}

std::unique_ptr<parquet::PageReader> ParquetPages::pages_of(const parquet::ColumnDescriptor& column,
                                                            std::shared_ptr<arrow::Buffer> content,
                                                            std::int64_t value_count,
                                                            bool has_dictionary) {
  const auto open = [&](parquet::Compression::type codec) {
    return parquet::PageReader::Open(std::make_shared<arrow::io::BufferReader>(content),
                                     value_count,
                                     codec,
                                     parquet::default_reader_properties(),
                                     column);
  };
  if (has_dictionary) return open(parquet::Compression::ZSTD);
  if (zstd_ == nullptr) {
    PARQUET_ASSIGN_OR_THROW(const auto codec, arrow::util::Codec::Create(arrow::Compression::ZSTD));
    PARQUET_ASSIGN_OR_THROW(zstd_, codec->MakeDecompressor());
  }
  return std::make_unique<InflatedPages>(open(parquet::Compression::UNCOMPRESSED), zstd_);
}

Result<std::shared_ptr<arrow::Array>> ParquetPages::read(int leaf,
                                                         Type type,
                                                         const PageRows& rows) {
  LOCKSTEP_ASSERT(rows.count > 0, "no rows are read");
  const parquet::ColumnDescriptor* column = file_.metadata()->schema()->Column(leaf);
  if (column->physical_type() != physical_type(type)) return invalid("a column of another type");
  const auto& index = offsets(rows.group)[static_cast<std::size_t>(leaf)];
  if (index == nullptr || index->page_locations().empty()) return invalid("no page index");
  const auto& pages = index->page_locations();
  const auto row_group = file_.metadata()->RowGroup(rows.group);
  const auto chunk = row_group->ColumnChunk(leaf);
  const auto behind = [&](std::int64_t row) {
    return std::ranges::upper_bound(pages, row, {}, &parquet::PageLocation::first_row_index);
  };
  if (behind(rows.start) == pages.begin()) return invalid("a page index that begins late");
  const auto first = behind(rows.start) - 1;
  const auto end = behind(rows.start + rows.count - 1);
  const std::int64_t end_row = end == pages.end() ? row_group->num_rows() : end->first_row_index;
  const auto last = end - 1;
  auto content =
      TRY(bytes(first->offset, last->offset + last->compressed_page_size - first->offset));
  if (chunk->has_dictionary_page()) {
    const std::int64_t from = chunk->dictionary_page_offset();
    const auto dictionary = TRY(bytes(from, pages.front().offset - from));
    content = TRY(of_arrow(arrow::ConcatenateBuffers({dictionary, content}), "reading pages"));
  }
  if (chunk->compression() != parquet::Compression::ZSTD) return invalid("another compression");
  auto pager = pages_of(
      *column, std::move(content), end_row - first->first_row_index, chunk->has_dictionary_page());
  const auto reader = parquet::ColumnReader::Make(column, std::move(pager));
  return read_typed(
      *reader,
      type,
      {.group = rows.group, .start = rows.start - first->first_row_index, .count = rows.count});
}

}  // namespace lockstep
