// The cells of a batch of few rows, in one piece. An Arrow array costs several allocations,
// whatever its length: for a change of one row, a hundred times what its cells cost.
#pragma once

#include "table/types.h"

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Batches of up to so many rows keep their cells in this form.
inline constexpr std::int64_t kFewRows = 8;

struct CellPlace {
  int column = 0;
  std::int64_t row = 0;
};

// Value: filled by one thread, then immutable and safe from many. Who reads a cell knows its type,
// and that it is not null.
class FewRows final {
 public:
  explicit FewRows(int column_count);

  bool is_null(CellPlace place) const {
    return (nulls_[static_cast<std::size_t>(place.column)] >> place.row & 1) != 0;
  }

  // Of a bool 0 or 1, of a date its days, of a timestamp its microseconds.
  std::int64_t int_at(CellPlace place) const { return static_cast<std::int64_t>(cell(place)); }

  double float_at(CellPlace place) const;
  std::string_view text_at(CellPlace place) const;

  void set_null(CellPlace place) {
    nulls_[static_cast<std::size_t>(place.column)] |= static_cast<std::uint8_t>(1U << place.row);
  }

  void set_int(CellPlace place, std::int64_t value) {
    cells_[index(place)] = static_cast<std::uint64_t>(value);
  }

  void set_float(CellPlace place, double value);
  // false: with it there would be more than 2 GiB of text.
  bool set_text(CellPlace place, std::string_view text);

  // All of a column of a type, from another piece.
  void copy_column(int to, const FewRows& from, int column, Type type, std::int64_t row_count);

  std::size_t memory_bytes() const;

  // The same as Arrow arrays: made once, when somebody asks.
  const std::vector<std::shared_ptr<arrow::Array>>& arrays(const Schema& schema,
                                                           std::int64_t row_count) const;

 private:
  static std::size_t index(CellPlace place) {
    return static_cast<std::size_t>(place.column * kFewRows + place.row);
  }

  std::uint64_t cell(CellPlace place) const { return cells_[index(place)]; }

  std::shared_ptr<arrow::Array> array(Type type, int column, std::int64_t row_count) const;

  std::vector<std::uint64_t> cells_;  // column by column; a text is its place and length in texts_
  std::vector<std::uint8_t> nulls_;   // a bit a row
  std::string texts_;
  mutable std::once_flag made_;
  mutable std::vector<std::shared_ptr<arrow::Array>> arrays_;
};

}  // namespace lockstep
