// Signed rows as Arrow columns: what flows between every two layers.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class FewRows;
struct CellPlace;

// Value: immutable and cheap to copy. Rows with a sign each: +1 enters, -1 leaves; an update is one
// of each. Columns are Arrow arrays of exactly these types: boolean, int64, float64, utf8, date32,
// timestamp[us, UTC].
class Batch final {
 public:
  Batch();  // no columns, no rows

  // Checks types and lengths. Without signs every row is +1.
  static Result<Batch> make(Schema schema,
                            std::vector<std::shared_ptr<arrow::Array>> columns,
                            std::vector<std::int8_t> signs = {});
  static Batch empty(Schema schema);

  const Schema& schema() const { return schema_; }

  std::int64_t row_count() const { return row_count_; }

  int sign(std::int64_t row) const { return (*signs_)[static_cast<std::size_t>(row)]; }

  std::span<const std::int8_t> signs() const { return *signs_; }

  // Typed access; the type must be the column's (asserted), and the value not null for the typed
  // ones.
  bool is_null(int column, std::int64_t row) const;
  bool bool_at(int column, std::int64_t row) const;
  std::int64_t int_at(int column, std::int64_t row) const;
  double float_at(int column, std::int64_t row) const;
  std::string_view text_at(int column, std::int64_t row) const;
  Value value(int column, std::int64_t row) const;
  std::vector<Value> row(std::int64_t row) const;
  // A number of any numeric type (bool 0/1, int, float; date in days, timestamp in seconds) as
  // double; null is NaN.
  double number_at(int column, std::int64_t row) const;

  // For work on whole columns. A batch of few rows (few_rows.h) makes its arrays when they are
  // asked for.
  const std::shared_ptr<arrow::Array>& column(int index) const;

  Batch slice(std::int64_t offset, std::int64_t count) const;
  Batch select_rows(std::span<const std::int64_t> rows) const;  // in that order, signs along
  Batch select_columns(std::span<const int> columns) const;
  Batch with_signs(std::vector<std::int8_t> signs) const;
  Batch with_all_signs(int sign) const;
  // This batch with the columns of another more, or in place of those of the same names.
  Result<Batch> with_columns(const Batch& more) const;
  // The same columns under other names; of the same types (asserted).
  Batch with_names(Schema schema) const;

  std::size_t memory_bytes() const;

  // Same schema, rows, order and signs; NaN equals NaN.
  bool equals(const Batch& other) const;

 private:
  friend class BatchBuilder;
  using Arrays = std::vector<std::shared_ptr<arrow::Array>>;
  using Signs = std::vector<std::int8_t>;

  Batch(Schema schema, std::shared_ptr<const FewRows> few, Signs signs);
  void keep(Arrays columns);
  CellPlace at(int column, std::int64_t row) const;           // among few rows
  std::int64_t whole_at(int column, std::int64_t row) const;  // of a date or time

  Schema schema_;
  std::shared_ptr<const FewRows> few_;     // of few rows; else
  std::shared_ptr<const Arrays> columns_;  // of many
  std::shared_ptr<const Signs> signs_;
  std::int64_t row_count_ = 0;
};

// All of one schema (asserted). An empty span needs the schema.
Result<Batch> concatenate(const Schema& schema, std::span<const Batch> batches);

// Resource. Builds a batch row by row, or column by column.
class BatchBuilder final {
 public:
  explicit BatchBuilder(Schema schema);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;

  // One cell at the end of a column. The value's type must be the column's (asserted), or null.
  void append(int column, const Value& value);
  void append_null(int column);
  void append_text(int column, std::string_view text);
  void append_int(int column, std::int64_t value);
  void append_float(int column, double value);
  // Copies a cell of the same type.
  void append_from(int column, const Batch& batch, int from_column, std::int64_t row);
  void append_sign(int sign);
  void append_row(std::span<const Value> values, int sign = 1);
  // A whole row of a batch of the same schema.
  void append_row_from(const Batch& batch, std::int64_t row, int sign);

  std::int64_t row_count() const;
  const Schema& schema() const;

  // Every column must have the same length; missing signs are +1. The builder is empty afterwards.
  Result<Batch> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The bytes of a row's key: injective, and in the order of the values (null first, -0.0 as 0.0, NaN
// last). The same bytes in every batch that has these columns with these types.
std::string encode_key(const Batch& batch, std::span<const int> key_columns, std::int64_t row);
std::string encode_key(std::span<const Value> values);
Result<std::vector<Value>> decode_key(std::string_view bytes);
// A key for messages: "patient=17, hour=3".
std::string key_text(const Batch& batch, std::span<const int> key_columns, std::int64_t row);

// The bytes of a whole row, injective, types and nulls told apart; -0.0 and 0.0 differ, every NaN
// is one NaN.
void append_row_bytes(const Batch& batch, std::int64_t row, std::string& out);
// Same values in two batches of one schema (by append_row_bytes's equality).
bool rows_equal(const Batch& left,
                std::int64_t left_row,
                const Batch& right,
                std::int64_t right_row);

// Opposite rows of the same content cancel; what is left keeps its order, -1 before +1 for one key.
// Linear.
Result<Batch> net(const Batch& batch, std::span<const int> key_columns);

// arrow::DataType of a Type, and back (kUnsupported names what is refused).
std::shared_ptr<arrow::DataType> arrow_type(Type type);
std::shared_ptr<arrow::Schema> arrow_schema(const Schema& schema);

}  // namespace lockstep
