#include "table/few_rows.h"

#include "table/batch.h"

#include <arrow/api.h>

#include <bit>
#include <limits>

namespace lockstep {

namespace {

constexpr unsigned kPlaceBits = 32;

// Owned by the buffer; memory that is wanting ends the program as everywhere in C++.
template <typename T>
std::shared_ptr<arrow::Buffer> buffer_of(std::vector<T> values) {
  return arrow::Buffer::FromVector(std::move(values));
}

}  // namespace

FewRows::FewRows(int column_count)
    : cells_(static_cast<std::size_t>(column_count) * kFewRows),
      nulls_(static_cast<std::size_t>(column_count)) {
}

double FewRows::float_at(CellPlace place) const {
  return std::bit_cast<double>(cell(place));
}

void FewRows::set_float(CellPlace place, double value) {
  cells_[index(place)] = std::bit_cast<std::uint64_t>(value);
}

std::string_view FewRows::text_at(CellPlace place) const {
  const std::uint64_t at = cell(place);
  return std::string_view(texts_).substr(at >> kPlaceBits, static_cast<std::uint32_t>(at));
}

bool FewRows::set_text(CellPlace place, std::string_view text) {
  if (texts_.size() + text.size() > std::numeric_limits<std::int32_t>::max()) return false;
  cells_[index(place)] = std::uint64_t{texts_.size()} << kPlaceBits | text.size();
  texts_ += text;
  return true;
}

void FewRows::copy_column(
    int to, const FewRows& from, int column, Type type, std::int64_t row_count) {
  for (std::int64_t row = 0; row < row_count; ++row) {
    if (from.is_null({column, row})) {
      set_null({to, row});
    } else if (type != Type::kText) {
      cells_[index({to, row})] = from.cell({column, row});
    } else {
      const bool fits = set_text({to, row}, from.text_at({column, row}));
      LOCKSTEP_ASSERT(fits, "columns were joined beyond what one batch can hold");
    }
  }
}

std::size_t FewRows::memory_bytes() const {
  return cells_.size() * sizeof(cells_[0]) + nulls_.size() + texts_.size();
}

const std::vector<std::shared_ptr<arrow::Array>>& FewRows::arrays(const Schema& schema,
                                                                  std::int64_t row_count) const {
  std::call_once(made_, [&] {
    for (int column = 0; column < schema.size(); ++column)
      arrays_.push_back(array(schema.field(column).type, column, row_count));
  });
  return arrays_;
}

std::shared_ptr<arrow::Array> FewRows::array(Type type, int column, std::int64_t row_count) const {
  const auto whole = static_cast<std::size_t>(row_count);
  std::uint8_t valid = 0;
  std::vector<std::int64_t> values(whole);
  for (std::int64_t row = 0; row < row_count; ++row) {
    if (is_null({column, row})) continue;
    valid |= static_cast<std::uint8_t>(1U << row);
    values[static_cast<std::size_t>(row)] = int_at({column, row});
  }
  const std::int64_t null_count = row_count - std::popcount(valid);
  std::vector<std::shared_ptr<arrow::Buffer>> buffers = {
      null_count == 0 ? nullptr : buffer_of(std::vector<std::uint8_t>{valid})};
  if (type == Type::kBool) {
    std::uint8_t bits = 0;
    for (std::size_t row = 0; row < whole; ++row)
      bits |= static_cast<std::uint8_t>((values[row] != 0 ? 1U : 0U) << row);
    buffers.push_back(buffer_of(std::vector<std::uint8_t>{bits}));
  } else if (type == Type::kDate) {
    buffers.push_back(buffer_of(std::vector<std::int32_t>(values.begin(), values.end())));
  } else if (type == Type::kText) {
    std::vector<std::int32_t> ends = {0};
    std::string text;
    for (std::int64_t row = 0; row < row_count; ++row) {
      if (!is_null({column, row})) text += text_at({column, row});
      ends.push_back(static_cast<std::int32_t>(text.size()));
    }
    buffers.push_back(buffer_of(std::move(ends)));
    buffers.push_back(arrow::Buffer::FromString(std::move(text)));
  } else {
    buffers.push_back(buffer_of(std::move(values)));
  }
  return arrow::MakeArray(
      arrow::ArrayData::Make(arrow_type(type), row_count, std::move(buffers), null_count));
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): a shared pointer's count, which is
  // freed
}

}  // namespace lockstep
