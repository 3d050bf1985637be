#include "table/arrow_files.h"
#include "table/arrow_status.h"
#include "table/parquet.h"
#include "table/parquet_bounds.h"
#include "table/parquet_open.h"
#include "table/parquet_pages.h"

#include <arrow/api.h>
#include <arrow/array/concatenate.h>
#include <fmt/format.h>
#include <parquet/bloom_filter.h>
#include <parquet/bloom_filter_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <map>

namespace lockstep {

namespace {

// What cannot be read in the hub's own files was not what the hub wrote.
template <typename R>
R own_file(R result) {
  if (result.ok() || result.error().code != Code::kInvalid) return result;
  Error error = std::move(result).error();
  error.code = Code::kCorrupt;
  return error;
}

// Field id to leaf column, of the columns at the top. Another writer's nested columns are passed
// over.
std::map<int, int> columns_by_id(const parquet::FileMetaData& metadata) {
  std::map<int, int> out;
  const parquet::SchemaDescriptor& schema = *metadata.schema();
  for (int leaf = 0; leaf < schema.num_columns(); ++leaf) {
    const parquet::schema::Node& node = *schema.Column(leaf)->schema_node();
    const bool top = schema.GetColumnRoot(leaf) == &node;
    if (top && node.field_id() >= 0) out.emplace(node.field_id(), leaf);
  }
  return out;
}

// A column that the file lacks.
Result<std::shared_ptr<arrow::Array>> missing_values(const ParquetColumn& column,
                                                     std::int64_t row_count) {
  if (is_null(column.missing)) {
    return of_arrow(arrow::MakeArrayOfNull(arrow_type(column.field.type), row_count),
                    "a column that a file lacks");
  }
  BatchBuilder values(Schema({column.field}));
  for (std::int64_t row = 0; row < row_count; ++row)
    values.append(0, column.missing);
  const Batch made = TRY(values.finish());
  return made.column(0);
}

// The file is from before the column became float: the nearest double of each.
Result<std::shared_ptr<arrow::Array>> as_floats(const arrow::Array& array) {
  const auto& integers = static_cast<const arrow::Int64Array&>(array);
  arrow::DoubleBuilder floats;
  TRY(of_arrow(floats.Reserve(integers.length()), "widening a column"));
  for (std::int64_t row = 0; row < integers.length(); ++row) {
    if (integers.IsNull(row)) {
      floats.UnsafeAppendNull();
    } else {
      floats.UnsafeAppend(static_cast<double>(integers.Value(row)));
    }
  }
  return of_arrow(floats.Finish(), "widening a column");
}

class Reader final : public ParquetReader {
 public:
  Reader(Io& io, std::string path, std::unique_ptr<parquet::arrow::FileReader> file)
      : io_(io), path_(std::move(path)), file_(std::move(file)) {}

  Result<void> index() {
    return catching(what(), [this]() -> Result<void> {
      const auto metadata = file_->parquet_reader()->metadata();
      columns_ = columns_by_id(*metadata);
      has_page_index_ = has_page_index(*metadata);
      std::int64_t rows = 0;
      for (int group = 0; group < metadata->num_row_groups(); ++group) {
        starts_.push_back(rows);
        const std::int64_t count = metadata->RowGroup(group)->num_rows();
        if (count < 0) return invalid(what() + ": a row group with less than no rows");
        rows += count;
      }
      starts_.push_back(rows);
      if (rows != metadata->num_rows()) return invalid(what() + ": the row groups miss rows");
      return {};
    });
  }

  std::int64_t row_count() const override { return starts_.back(); }

  int row_group_count() const override { return static_cast<int>(starts_.size()) - 1; }

  std::int64_t row_group_start(int group) const override {
    LOCKSTEP_ASSERT(group >= 0, "a row group below zero");
    LOCKSTEP_ASSERT(group < row_group_count(), "no such row group");
    return starts_[static_cast<std::size_t>(group)];
  }

  Result<Batch> read_row_group(int group, std::span<const ParquetColumn> columns) override {
    const std::int64_t start = row_group_start(group);
    const std::int64_t rows = starts_[static_cast<std::size_t>(group) + 1] - start;
    return own_file(
        catching(what(), [&]() -> Result<Batch> { return read(group, rows, columns); }));
  }

  RowRange piece_at(std::int64_t row) const override {
    const int group = group_of(row);
    const std::int64_t start = row_group_start(group);
    const std::int64_t end = starts_[static_cast<std::size_t>(group) + 1];
    if (!has_page_index_) return {.start = start, .count = end - start};
    const std::int64_t from = row - (row - start) % kPieceRows;
    return {.start = from, .count = std::min(kPieceRows, end - from)};
  }

  Result<Batch> read_piece(const RowRange& piece, std::span<const ParquetColumn> columns) override {
    const int group = group_of(piece.start);
    if (!has_page_index_) return read_row_group(group, columns);
    return own_file(
        catching(what(), [&]() -> Result<Batch> { return read_pages(group, piece, columns); }));
  }

  bool has_pages() const override { return has_page_index_; }

  Result<ParquetBounds> row_group_bounds(int group, const ParquetColumn& column) override {
    const auto found = columns_.find(column.field_id);
    if (found == columns_.end()) {
      return ParquetBounds{
          .min = column.missing, .max = column.missing, .all_null = is_null(column.missing)};
    }
    return own_file(catching(what(), [&]() -> Result<ParquetBounds> {
      const auto metadata = file_->parquet_reader()->metadata()->RowGroup(group);
      return bounds_of_chunk(*metadata->ColumnChunk(found->second), column.field.type);
    }));
  }

  Result<bool> may_hold(int group, const ParquetColumn& column, const Value& value) override {
    const auto found = columns_.find(column.field_id);
    if (found == columns_.end()) return column.missing == value;
    return own_file(catching(what(), [&]() -> Result<bool> {
      const auto row_group = file_->parquet_reader()->GetBloomFilterReader().RowGroup(group);
      const auto filter = row_group ? row_group->GetColumnBloomFilter(found->second) : nullptr;
      return !filter || may_be_in(*filter, value);
    }));
  }

 private:
  // As many as a page of the hub's own files has.
  static constexpr std::int64_t kPieceRows = ParquetWriteOptions{}.page_rows;

  int group_of(std::int64_t row) const {
    LOCKSTEP_ASSERT(row >= 0, "a row below zero");
    LOCKSTEP_ASSERT(row < row_count(), "no such row");
    return static_cast<int>(std::ranges::upper_bound(starts_, row) - starts_.begin()) - 1;
  }

  Result<Batch> read_pages(int group,
                           const RowRange& piece,
                           std::span<const ParquetColumn> columns) {
    if (!pages_) {
      pages_ = std::make_unique<ParquetPages>(*file_->parquet_reader(),
                                              TRY(open_arrow_input(io_, path_)));
    }
    const PageRows rows{
        .group = group, .start = piece.start - row_group_start(group), .count = piece.count};
    std::vector<Field> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (const ParquetColumn& column : columns) {
      fields.push_back(column.field);
      const auto found = columns_.find(column.field_id);
      arrays.push_back(found == columns_.end()
                           ? TRY(missing_values(column, piece.count))
                           : TRY_IN(column_of_pages(column, found->second, rows), what() + ": "));
    }
    return Batch::make(Schema(std::move(fields)), std::move(arrays)).with_context(what());
  }

  Result<std::shared_ptr<arrow::Array>> column_of_pages(const ParquetColumn& column,
                                                        int leaf,
                                                        const PageRows& rows) {
    const auto stored =
        file_->parquet_reader()->metadata()->schema()->Column(leaf)->physical_type();
    if (column.field.type != Type::kFloat || stored != parquet::Type::INT64)
      return pages_->read(leaf, column.field.type, rows);
    return as_floats(*TRY(pages_->read(leaf, Type::kInt, rows)));
  }

  std::string what() const { return "reading " + path_; }

  // The leaves that are wanted, once each, ascending: the order in which Arrow gives them.
  std::vector<int> leaves_of(std::span<const ParquetColumn> columns) const {
    std::vector<int> leaves;
    for (const ParquetColumn& column : columns) {
      const auto found = columns_.find(column.field_id);
      if (found != columns_.end()) leaves.push_back(found->second);
    }
    std::ranges::sort(leaves);
    leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
    return leaves;
  }

  Result<Batch> read(int group, std::int64_t rows, std::span<const ParquetColumn> columns) {
    const std::vector<int> leaves = leaves_of(columns);
    std::shared_ptr<arrow::Table> table;
    if (!leaves.empty()) table = TRY(of_arrow(file_->ReadRowGroup(group, leaves), what()));
    std::vector<Field> fields;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    for (const ParquetColumn& column : columns) {
      fields.push_back(column.field);
      const auto found = columns_.find(column.field_id);
      if (found == columns_.end()) {
        arrays.push_back(TRY(missing_values(column, rows)));
        continue;
      }
      const auto place = std::ranges::lower_bound(leaves, found->second) - leaves.begin();
      std::shared_ptr<arrow::Array> array = TRY(one_array(*table->column(static_cast<int>(place))));
      const bool widened =
          column.field.type == Type::kFloat && array->type_id() == arrow::Type::INT64;
      if (widened) array = TRY(as_floats(*array));
      arrays.push_back(std::move(array));
    }
    std::vector<std::int8_t> signs(static_cast<std::size_t>(rows), 1);
    return Batch::make(Schema(std::move(fields)), std::move(arrays), std::move(signs))
        .with_context(what());
  }

  Result<std::shared_ptr<arrow::Array>> one_array(const arrow::ChunkedArray& chunks) const {
    if (chunks.num_chunks() == 1) return chunks.chunk(0);
    if (chunks.num_chunks() == 0) {
      return of_arrow(arrow::MakeArrayOfNull(chunks.type(), 0), what());
    }
    return of_arrow(arrow::Concatenate(chunks.chunks()), what());
  }

  Io& io_;
  std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<ParquetPages> pages_;  // once a piece was asked for
  bool has_page_index_ = false;
  std::map<int, int> columns_;
  std::vector<std::int64_t> starts_;  // of each row group, and the end
};

}  // namespace

Result<std::unique_ptr<ParquetReader>> open_parquet_reader(Io& io, const std::string& path) {
  auto file = TRY(own_file(open_parquet_file(io, path)));
  auto reader = std::make_unique<Reader>(io, path, std::move(file));
  TRY(own_file(reader->index()));
  return std::unique_ptr<ParquetReader>(std::move(reader));
}

}  // namespace lockstep
