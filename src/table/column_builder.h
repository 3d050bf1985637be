// One column of a batch while it grows: plain vectors, which become Arrow's buffers as they are.
// Arrow's own builders take a virtual call, a status and a bit of validity for every cell.
#pragma once

#include "base/assert.h"
#include "table/types.h"

#include <arrow/type_fwd.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Resource.
class ColumnBuilder final {
 public:
  explicit ColumnBuilder(Type type) : type_(type) {
    if (type == Type::kText) halves_.push_back(0);  // where the first begins
  }

  std::int64_t count() const { return count_; }

  void reserve(std::size_t rows);

  void add_int(Type type, std::int64_t value) {
    check(type);
    words_.push_back(static_cast<std::uint64_t>(value));
    finish_cell();
  }

  void add_float(double value) {
    check(Type::kFloat);
    words_.push_back(std::bit_cast<std::uint64_t>(value));
    finish_cell();
  }

  void add_date(Date value) {
    check(Type::kDate);
    halves_.push_back(value.days);
    finish_cell();
  }

  // false: with it there would be more than 2 GiB of text, and the cell is empty.
  bool add_text(std::string_view value) {
    check(Type::kText);
    const bool fits = value.size() < kTextBytesMax - text_.size();
    if (fits) text_ += value;
    halves_.push_back(static_cast<std::int32_t>(text_.size()));
    finish_cell();
    return fits;
  }

  void add_bool(bool value) {
    check(Type::kBool);
    set_bit(bits_, value);
    finish_cell();
  }

  void add_null();

  std::shared_ptr<arrow::Array> finish() &&;

 private:
  static constexpr std::size_t kTextBytesMax = std::numeric_limits<std::int32_t>::max();
  static constexpr unsigned kByteBits = 8;

  void check(Type type) const {
    LOCKSTEP_ASSERT(type_ == type, "a value of another type than its column's");
  }

  // Of the cell that is being added.
  void set_bit(std::vector<std::uint8_t>& bits, bool value) const {
    const auto bit = static_cast<unsigned>(count_ % kByteBits);
    if (bit == 0) bits.push_back(0);
    if (value) bits.back() = static_cast<std::uint8_t>(bits.back() | 1U << bit);
  }

  void finish_cell() {
    if (null_count_ > 0) set_bit(valid_, true);
    ++count_;
  }

  Type type_;
  std::int64_t count_ = 0;
  std::int64_t null_count_ = 0;
  std::vector<std::uint64_t> words_;  // of an int, a float, a timestamp
  std::vector<std::int32_t> halves_;  // of a date; of texts, where each ends
  std::vector<std::uint8_t> bits_;    // of a bool
  std::vector<std::uint8_t> valid_;   // a bit a cell, from the first null on
  std::string text_;
};

}  // namespace lockstep
