// Work on whole columns, for batches of many rows.
#pragma once

#include "table/batch.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// encode_key's bytes at the end of `out`.
void append_key(const Batch& batch,
                std::span<const int> key_columns,
                std::int64_t row,
                std::string& out);

// append_row_bytes() of many rows of a batch, which outlives it.
class RowBytes final {
 public:
  explicit RowBytes(const Batch& batch);

  void append(std::int64_t row, std::string& out) const;

 private:
  const Batch& batch_;
  std::vector<const double*> floats_;  // by column; nullptr: no float, or one that may be null
};

// Whether no two rows have one key, by 64-bit hashes: true is sure, false may be a collision.
bool surely_distinct(const Batch& batch, std::span<const int> key_columns);
// One value again and again; null has any type.
Result<std::shared_ptr<arrow::Array>> repeated(const Value& value, Type type, std::int64_t count);

}  // namespace lockstep
