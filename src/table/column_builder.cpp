#include "table/column_builder.h"

#include "table/batch.h"

#include <arrow/api.h>

#include <utility>

namespace lockstep {
namespace {

// Much more than is needed is given back: a batch may be kept for long.
template <typename Values>
void give_back(Values& values) {
  constexpr std::size_t kSmall = 512;
  const std::size_t spare = values.capacity() - values.size();
  if (spare > kSmall && spare > values.size() / 4) values.shrink_to_fit();
}

template <typename T>
std::shared_ptr<arrow::Buffer> column_buffer(std::vector<T> values) {
  give_back(values);
  return arrow::Buffer::FromVector(std::move(values));
}

}  // namespace

void ColumnBuilder::reserve(std::size_t rows) {
  switch (type_) {
    case Type::kBool:
      bits_.reserve(rows / kByteBits + 1);
      return;
    case Type::kInt:
    case Type::kFloat:
    case Type::kTimestamp:
      words_.reserve(rows);
      return;
    case Type::kDate:
    case Type::kText:
      halves_.reserve(rows + 1);
      return;
  }
}

void ColumnBuilder::add_null() {
  if (null_count_++ == 0) {
    valid_.assign(static_cast<std::size_t>(count_ / kByteBits), 0xFF);
    const auto left = static_cast<unsigned>(count_ % kByteBits);
    if (left > 0) valid_.push_back(static_cast<std::uint8_t>((1U << left) - 1));
  }
  set_bit(valid_, false);
  switch (type_) {
    case Type::kBool:
      set_bit(bits_, false);
      break;
    case Type::kInt:
    case Type::kFloat:
    case Type::kTimestamp:
      words_.push_back(0);
      break;
    case Type::kDate:
      halves_.push_back(0);
      break;
    case Type::kText:
      halves_.push_back(static_cast<std::int32_t>(text_.size()));
      break;
  }
  ++count_;
}

std::shared_ptr<arrow::Array> ColumnBuilder::finish() && {
  std::vector<std::shared_ptr<arrow::Buffer>> buffers(1);
  if (null_count_ > 0) buffers.front() = column_buffer(std::move(valid_));
  switch (type_) {
    case Type::kBool:
      buffers.push_back(column_buffer(std::move(bits_)));
      break;
    case Type::kInt:
    case Type::kFloat:
    case Type::kTimestamp:
      buffers.push_back(column_buffer(std::move(words_)));
      break;
    case Type::kDate:
      buffers.push_back(column_buffer(std::move(halves_)));
      break;
    case Type::kText:
      buffers.push_back(column_buffer(std::move(halves_)));
      give_back(text_);
      buffers.push_back(arrow::Buffer::FromString(std::move(text_)));
      break;
  }
  return arrow::MakeArray(
      arrow::ArrayData::Make(arrow_type(type_), count_, std::move(buffers), null_count_));
}

}  // namespace lockstep
