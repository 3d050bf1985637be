#include "table/arrow_files.h"
#include "table/arrow_status.h"
#include "table/parquet.h"
#include "table/parquet_encoding.h"
#include "table/parquet_open.h"
#include "table/parquet_statistics.h"

#include <arrow/api.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <bit>
#include <cstring>

namespace lockstep {

namespace {

using Columns = std::vector<ParquetColumn>;

Schema schema_of(const Columns& columns) {
  std::vector<Field> fields;
  for (const ParquetColumn& column : columns)
    fields.push_back(column.field);
  return Schema(std::move(fields));
}

// Arrow takes the field ids from the fields' metadata, and writes nullable fields as OPTIONAL.
std::shared_ptr<arrow::Schema> schema_with_ids(const Columns& columns) {
  arrow::FieldVector fields;
  for (const ParquetColumn& column : columns) {
    auto id = arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(column.field_id)});
    fields.push_back(
        arrow::field(column.field.name, arrow_type(column.field.type), true, std::move(id)));
  }
  return arrow::schema(std::move(fields));
}

class Writer final : public ParquetWriter {
 public:
  Writer(std::string path,
         Columns columns,
         const ParquetWriteOptions& options,
         std::unique_ptr<ArrowOutput> output)
      : path_(std::move(path)),
        columns_(std::move(columns)),
        options_(options),
        schema_(schema_of(columns_)),
        arrow_schema_(schema_with_ids(columns_)),
        output_(std::move(output)) {
    info_.columns.resize(columns_.size());
  }

  Result<void> write(const Batch& batch) override {
    LOCKSTEP_ASSERT(batch.schema() == schema_, "a batch of another schema than its file's");
    LOCKSTEP_ASSERT(!finished_, "a write after finish()");
    if (batch.row_count() == 0) return {};
    TRY(open(batch));
    arrow::ArrayVector arrays;
    for (int i = 0; i < schema_.size(); ++i) {
      arrays.push_back(batch.column(i));
      add_to_statistics(batch, i, info_.columns[static_cast<std::size_t>(i)]);
    }
    TRY(catching(what(), [&] { return of_arrow(write_rows(batch.row_count(), arrays), what()); }));
    info_.row_count += batch.row_count();
    return {};
  }

  Result<ParquetFileInfo> finish() override {
    LOCKSTEP_ASSERT(!finished_, "finish() twice");
    finished_ = true;
    TRY(open(Batch::empty(schema_)));
    TRY(catching(what(), [&] { return of_arrow(writer_->Close(), what()); }));
    TRY(output_->sync());
    info_.size_bytes = output_->size_bytes();
    info_.footer_bytes = footer_bytes();
    add_column_sizes();
    return info_;
  }

 private:
  std::string what() const { return "writing " + path_; }

  // Many rows are row groups of their own: column after column goes out, and none is kept for the
  // rows to come.
  arrow::Status write_rows(std::int64_t count, const arrow::ArrayVector& arrays) {
    if (2 * count < options_.row_group_rows)
      return writer_->WriteRecordBatch(*arrow::RecordBatch::Make(arrow_schema_, count, arrays));
    const auto table = arrow::Table::Make(arrow_schema_, arrays, count);
    return writer_->WriteTable(*table, options_.row_group_rows);
  }

  // Encodings are chosen from the first rows.
  Result<void> open(const Batch& first) {
    if (writer_) return {};
    return catching(what(), [&]() -> Result<void> {
      writer_ = TRY(
          of_arrow(parquet::arrow::FileWriter::Open(*arrow_schema_,
                                                    arrow::default_memory_pool(),
                                                    output_->stream(),
                                                    writer_properties(columns_, options_, first)),
                   what()));
      return {};
    });
  }

  // The file ends in the footer's length, four bytes little-endian, and PAR1.
  std::uint64_t footer_bytes() const {
    const std::array<std::byte, 8> tail = output_->tail();
    std::uint64_t length = 0;
    for (std::size_t i = 4; i-- > 0;)
      length = length << 8 | std::to_integer<std::uint64_t>(tail[i]);
    return length;
  }

  void add_column_sizes() {
    const std::shared_ptr<parquet::FileMetaData> metadata = writer_->metadata();
    for (int group = 0; group < metadata->num_row_groups(); ++group) {
      const auto row_group = metadata->RowGroup(group);
      for (int i = 0; i < schema_.size(); ++i) {
        info_.columns[static_cast<std::size_t>(i)].size_bytes +=
            row_group->ColumnChunk(i)->total_compressed_size();
      }
    }
  }

  const std::string path_;
  const Columns columns_;
  const ParquetWriteOptions options_;
  const Schema schema_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
  std::unique_ptr<ArrowOutput> output_;  // outlives the writer, whose destructor may write
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  ParquetFileInfo info_;
  bool finished_ = false;
};

}  // namespace

Result<std::unique_ptr<ParquetWriter>> open_parquet_writer(Io& io,
                                                           const std::string& path,
                                                           std::vector<ParquetColumn> columns,
                                                           const ParquetWriteOptions& options) {
  LOCKSTEP_ASSERT(!columns.empty(), "a Parquet file has columns");
  std::unique_ptr<ArrowOutput> output = TRY(create_arrow_output(io, path));
  return std::unique_ptr<ParquetWriter>(
      std::make_unique<Writer>(path, std::move(columns), options, std::move(output)));
}

}  // namespace lockstep
