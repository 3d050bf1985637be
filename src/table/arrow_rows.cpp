#include "table/arrow_rows.h"

#include "table/arrow_cast.h"
#include "table/arrow_status.h"
#include "table/decoders.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kArrowRowShownBytes = 4096;

// Row to the reason of its first bad cell.
using BadCells = std::map<std::int64_t, std::string>;

Decoded split_bad_rows(const Batch& all, const BadCells& bad, std::int64_t rows_before) {
  Decoded out;
  std::vector<std::int64_t> good;
  std::vector<int> every_column;
  for (int i = 0; i < all.schema().size(); ++i)
    every_column.push_back(i);
  for (std::int64_t row = 0; row < all.row_count(); ++row) {
    const auto line = static_cast<std::uint64_t>(rows_before + row + 1);
    const auto found = bad.find(row);
    if (found == bad.end()) {
      good.push_back(row);
      out.lines.push_back(line);
      continue;
    }
    std::string text = key_text(all, every_column, row).substr(0, kArrowRowShownBytes);
    out.bad.push_back({line, found->second, std::move(text), {}});
  }
  out.rows = bad.empty() ? all : all.select_rows(good);
  return out;
}

class ArrowStreamDecoder final : public Decoder {
 public:
  ArrowStreamDecoder(std::string name, const DecodeRequest& request)
      : name_(std::move(name)), request_(request) {}

  Result<void> open(std::string_view bytes) {
    auto input = std::make_shared<arrow::io::BufferReader>(
        std::make_shared<arrow::Buffer>(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                        static_cast<std::int64_t>(bytes.size())));
    reader_ = TRY(of_arrow(arrow::ipc::RecordBatchStreamReader::Open(input), what()));
    names_ = reader_->schema()->field_names();
    std::set<std::string_view> seen;
    for (const std::string& name : names_) {
      if (!seen.insert(name).second)
        return invalid(fmt::format("{} has two columns of the name '{}'", name_, name));
    }
    return check_wanted(request_, names_);
  }

  const std::vector<std::string>& column_names() const override { return names_; }

  std::uint64_t offset() const override { return static_cast<std::uint64_t>(row_); }

  Result<Decoded> next(std::int64_t row_count_max) override {
    while (rest_ == nullptr || rest_->num_rows() == 0) {
      TRY(of_arrow(reader_->ReadNext(&rest_), what()));
      if (rest_ == nullptr) return Decoded{Batch::empty(request_.schema), {}, {}};
      TRY(of_arrow(rest_->ValidateFull(), what()));
    }
    const std::int64_t count = std::min(rest_->num_rows(), row_count_max);
    Decoded out = TRY(decode_arrow(*rest_->Slice(0, count), request_, what(), row_));
    rest_ = rest_->Slice(count);
    row_ += count;
    return out;
  }

 private:
  std::string what() const { return "reading " + name_; }

  std::string name_;
  DecodeRequest request_;
  std::vector<std::string> names_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> reader_;
  std::shared_ptr<arrow::RecordBatch> rest_;  // read, and not yet given
  std::int64_t row_ = 0;
};

}  // namespace

Result<Decoded> decode_arrow(const arrow::RecordBatch& piece,
                             const DecodeRequest& request,
                             const std::string& what,
                             std::int64_t rows_before) {
  const std::int64_t count = piece.num_rows();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  BadCells bad;
  std::set<std::pair<std::int64_t, int>> bad_places;
  for (int i = 0; i < request.schema.size(); ++i) {
    const Field& field = request.schema.field(i);
    const auto found = piece.GetColumnByName(field.name);
    if (found == nullptr) {
      columns.push_back(TRY(of_arrow(arrow::MakeArrayOfNull(arrow_type(field.type), count), what)));
      continue;
    }
    CastColumn cast = TRY_IN(cast_exactly(found, field, request.options.utc_offset_minutes), what);
    columns.push_back(std::move(cast.values));
    for (const auto& [row, reason] : cast.bad) {
      bad.emplace(row, fmt::format("column '{}': {}", field.name, reason));
      bad_places.emplace(row, i);
    }
  }
  std::vector<std::int8_t> signs(static_cast<std::size_t>(count), 1);
  const Batch all = TRY_IN(Batch::make(request.schema, std::move(columns), std::move(signs)), what);
  Decoded out = split_bad_rows(all, bad, rows_before);
  for (BadRow& row : out.bad) {
    const auto at = static_cast<std::int64_t>(row.line) - rows_before - 1;
    for (int i = 0; i < all.schema().size(); ++i) {
      if (bad_places.contains({at, i})) continue;
      row.cells.emplace_back(all.schema().field(i).name, all.value(i, at));
    }
  }
  return out;
}

Result<std::unique_ptr<Decoder>> open_arrow_stream(std::string_view bytes,
                                                   const std::string& name,
                                                   const DecodeRequest& request) {
  auto decoder = std::make_unique<ArrowStreamDecoder>(name, request);
  TRY_IN(decoder->open(bytes), "reading " + name);
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace lockstep
