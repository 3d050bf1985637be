#include "table/arrow_cast.h"
#include "table/arrow_rows.h"
#include "table/arrow_status.h"
#include "table/decoders.h"
#include "table/parquet_open.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <set>

namespace lockstep {

namespace {

constexpr std::int64_t kPieceRows = 16'384;

// The leaf columns below one column of the file's top.
std::vector<int> leaves_of(const parquet::SchemaDescriptor& schema, int top) {
  std::vector<int> leaves;
  const parquet::schema::Node* root = schema.group_node()->field(top).get();
  for (int leaf = 0; leaf < schema.num_columns(); ++leaf) {
    if (schema.GetColumnRoot(leaf) == root) leaves.push_back(leaf);
  }
  return leaves;
}

class ParquetDecoder final : public Decoder {
 public:
  ParquetDecoder(std::string path,
                 const DecodeRequest& request,
                 std::unique_ptr<parquet::arrow::FileReader> file)
      : path_(std::move(path)), request_(request), file_(std::move(file)) {}

  Result<void> open() {
    return catching(what(), [this]() -> Result<void> {
      TRY(of_arrow(file_->GetSchema(&file_schema_), what()));
      names_ = file_schema_->field_names();
      std::set<std::string_view> seen;
      for (const std::string& name : names_) {
        if (seen.insert(name).second) continue;
        return invalid(fmt::format("{} has two columns of the name '{}'", path_, name));
      }
      TRY_IN(check_wanted(request_, names_), what());
      return start_reading();
    });
  }

  const std::vector<std::string>& column_names() const override { return names_; }

  std::uint64_t offset() const override { return static_cast<std::uint64_t>(row_); }

  Result<Decoded> next(std::int64_t row_count_max) override {
    return catching(what(), [&]() -> Result<Decoded> {
      while (rest_ == nullptr || rest_->num_rows() == 0) {
        if (!TRY(read_piece())) return decode(row_count_max, nullptr);
      }
      const std::int64_t count = std::min(rest_->num_rows(), row_count_max);
      const auto piece = rest_->Slice(0, count);
      rest_ = rest_->Slice(count);
      return decode(count, piece.get());
    });
  }

 private:
  std::string what() const { return "reading " + path_; }

  // Whole row groups before the start are not read at all.
  Result<void> start_reading() {
    const auto metadata = file_->parquet_reader()->metadata();
    const auto start = static_cast<std::int64_t>(
        std::min<std::uint64_t>(request_.start_offset, std::uint64_t{INT64_MAX}));
    if (start > metadata->num_rows()) {
      return invalid(fmt::format(
          "{} has {} rows, fewer than the {} read before", path_, metadata->num_rows(), start));
    }
    std::vector<int> groups;
    for (int group = 0; group < metadata->num_row_groups(); ++group) {
      const std::int64_t count = metadata->RowGroup(group)->num_rows();
      if (count < 0) return invalid(what() + ": a row group with less than no rows");
      if (groups.empty() && row_ + count <= start) {
        row_ += count;
      } else {
        groups.push_back(group);
      }
    }
    skip_ = start - row_;
    file_->set_batch_size(kPieceRows);
    reader_ = TRY(of_arrow(file_->GetRecordBatchReader(groups, wanted_leaves(*metadata)), what()));
    return {};
  }

  std::vector<int> wanted_leaves(const parquet::FileMetaData& metadata) const {
    std::vector<int> leaves;
    for (std::size_t top = 0; top < names_.size(); ++top) {
      if (!request_.schema.index_of(names_[top])) continue;
      const std::vector<int> below = leaves_of(*metadata.schema(), static_cast<int>(top));
      leaves.insert(leaves.end(), below.begin(), below.end());
    }
    return leaves;
  }

  // False: the end.
  Result<bool> read_piece() {
    TRY(of_arrow(reader_->ReadNext(&rest_), what()));
    if (rest_ == nullptr) return false;
    const std::int64_t passed = std::min(skip_, rest_->num_rows());
    skip_ -= passed;
    row_ += passed;
    rest_ = rest_->Slice(passed);
    return true;
  }

  Result<Decoded> decode(std::int64_t count, const arrow::RecordBatch* piece) {
    if (piece == nullptr) return Decoded{Batch::empty(request_.schema), {}, {}};
    Decoded out = TRY(decode_arrow(*piece, request_, what(), row_));
    row_ += count;
    return out;
  }

  std::string path_;
  DecodeRequest request_;
  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::shared_ptr<arrow::Schema> file_schema_;
  std::vector<std::string> names_;
  std::unique_ptr<arrow::RecordBatchReader> reader_;
  std::shared_ptr<arrow::RecordBatch> rest_;  // read, and not yet given
  std::int64_t skip_ = 0;                     // rows still to be passed over
  std::int64_t row_ = 0;                      // rows given or passed over
};

}  // namespace

Result<std::unique_ptr<Decoder>> open_parquet_decoder(Io& io,
                                                      const std::string& path,
                                                      const DecodeRequest& request) {
  auto decoder = std::make_unique<ParquetDecoder>(path, request, TRY(open_parquet_file(io, path)));
  TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Result<Schema> parquet_file_schema(Io& io, const std::string& path) {
  const auto file = TRY(open_parquet_file(io, path));
  const std::string what = "reading " + path;
  return catching(what, [&]() -> Result<Schema> {
    std::shared_ptr<arrow::Schema> schema;
    TRY(of_arrow(file->GetSchema(&schema), what));
    std::vector<Field> fields;
    for (const auto& field : schema->fields()) {
      const std::optional<Type> type = type_of_arrow(*field->type());
      if (type) fields.push_back({field->name(), *type});
    }
    return Schema(std::move(fields));
  });
}

}  // namespace lockstep
