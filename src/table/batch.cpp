#include "table/batch.h"

#include "table/arrow_status.h"

#include <arrow/api.h>
#include <arrow/array/concatenate.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace lockstep {

namespace {

constexpr double kUsPerSecond = 1e6;

template <typename ArrayType>
const ArrayType& array_as(const arrow::Array& array) {
  return static_cast<const ArrayType&>(array);
}

bool same_float(double left, double right) {
  if (std::isnan(left) || std::isnan(right)) return std::isnan(left) && std::isnan(right);
  return std::bit_cast<std::uint64_t>(left) == std::bit_cast<std::uint64_t>(right);
}

Result<void> check_column(const Field& field, const arrow::Array* column, std::int64_t rows) {
  if (column == nullptr) return invalid(fmt::format("column '{}' has no array", field.name));
  if (!column->type()->Equals(*arrow_type(field.type))) {
    return invalid(fmt::format("column '{}' is of the Arrow type {}, not {}",
                               field.name,
                               column->type()->ToString(),
                               arrow_type(field.type)->ToString()));
  }
  if (column->length() == rows) return {};
  return invalid(
      fmt::format("column '{}' has {} rows, the batch has {}", field.name, column->length(), rows));
}

std::size_t column_bytes(const arrow::Array& column, Type type) {
  const auto rows = static_cast<std::size_t>(column.length());
  const std::size_t null_bytes = column.null_count() == 0 ? 0 : rows / 8 + 1;
  switch (type) {
    case Type::kBool:
      return null_bytes + rows / 8 + 1;
    case Type::kDate:
      return null_bytes + rows * sizeof(std::int32_t);
    case Type::kText: {
      const auto& text = array_as<arrow::StringArray>(column);
      const auto bytes = rows == 0 ? 0 : text.value_offset(column.length()) - text.value_offset(0);
      return null_bytes + rows * sizeof(std::int32_t) + static_cast<std::size_t>(bytes);
    }
    default:
      return null_bytes + rows * sizeof(std::int64_t);
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> arrow_type(Type type) {
  switch (type) {
    case Type::kBool:
      return arrow::boolean();
    case Type::kInt:
      return arrow::int64();
    case Type::kFloat:
      return arrow::float64();
    case Type::kText:
      return arrow::utf8();
    case Type::kDate:
      return arrow::date32();
    case Type::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  }
  LOCKSTEP_ASSERT(false, "a type that Arrow does not have");
}

std::shared_ptr<arrow::Schema> arrow_schema(const Schema& schema) {
  arrow::FieldVector fields;
  for (const Field& one : schema.fields()) {
    fields.push_back(arrow::field(one.name, arrow_type(one.type)));
  }
  return arrow::schema(std::move(fields));
}

Batch::Batch()
    : schema_(std::make_shared<const Schema>()),
      signs_(std::make_shared<const std::vector<std::int8_t>>()) {
}

Result<Batch> Batch::make(Schema schema,
                          std::vector<std::shared_ptr<arrow::Array>> columns,
                          std::vector<std::int8_t> signs) {
  if (static_cast<int>(columns.size()) != schema.size()) {
    return invalid(fmt::format("{} columns for {} names", columns.size(), schema.size()));
  }
  const bool is_signed = !signs.empty();
  std::int64_t rows = static_cast<std::int64_t>(signs.size());
  if (!is_signed && !columns.empty() && columns.front()) rows = columns.front()->length();
  for (int i = 0; i < schema.size(); ++i) {
    TRY(check_column(schema.field(i), columns[static_cast<std::size_t>(i)].get(), rows));
  }
  if (!is_signed) signs.assign(static_cast<std::size_t>(rows), 1);
  if (std::ranges::any_of(signs, [](std::int8_t sign) { return sign != 1 && sign != -1; })) {
    return invalid("a row's sign is neither +1 nor -1");
  }
  Batch batch;
  batch.schema_ = std::make_shared<const Schema>(std::move(schema));
  batch.columns_ = std::move(columns);
  batch.signs_ = std::make_shared<const std::vector<std::int8_t>>(std::move(signs));
  batch.row_count_ = rows;
  return batch;
}

Batch Batch::empty(Schema schema) {
  // An array without values is the same for every batch: most look-ups and many steps give one.
  static const std::array<std::shared_ptr<arrow::Array>, 6> kNone = [] {
    std::array<std::shared_ptr<arrow::Array>, 6> none;
    for (const Type type :
         {Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp}) {
      auto made = arrow::MakeEmptyArray(arrow_type(type));
      LOCKSTEP_ASSERT(made.ok(), "an array without values cannot fail to be made");
      none.at(static_cast<std::size_t>(type)) = std::move(made).ValueUnsafe();
    }
    return none;
  }();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const Field& field : schema.fields())
    columns.push_back(kNone.at(static_cast<std::size_t>(field.type)));
  Result<Batch> batch = make(std::move(schema), std::move(columns));
  LOCKSTEP_ASSERT(batch.ok(), "a batch without rows cannot fail to be built");
  return std::move(batch).value();
}

bool Batch::is_null(int column, std::int64_t row) const {
  return this->column(column)->IsNull(row);
}

bool Batch::bool_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_->field(column).type == Type::kBool, "bool_at of another type");
  return array_as<arrow::BooleanArray>(*this->column(column)).Value(row);
}

std::int64_t Batch::int_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_->field(column).type == Type::kInt, "int_at of another type");
  return array_as<arrow::Int64Array>(*this->column(column)).Value(row);
}

double Batch::float_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_->field(column).type == Type::kFloat, "float_at of another type");
  return array_as<arrow::DoubleArray>(*this->column(column)).Value(row);
}

std::string_view Batch::text_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_->field(column).type == Type::kText, "text_at of another type");
  return array_as<arrow::StringArray>(*this->column(column)).GetView(row);
}

Value Batch::value(int column, std::int64_t row) const {
  const arrow::Array& array = *this->column(column);
  if (array.IsNull(row)) return {};
  switch (schema_->field(column).type) {
    case Type::kBool:
      return array_as<arrow::BooleanArray>(array).Value(row);
    case Type::kInt:
      return array_as<arrow::Int64Array>(array).Value(row);
    case Type::kFloat:
      return array_as<arrow::DoubleArray>(array).Value(row);
    case Type::kText:
      return std::string(array_as<arrow::StringArray>(array).GetView(row));
    case Type::kDate:
      return Date{array_as<arrow::Date32Array>(array).Value(row)};
    case Type::kTimestamp:
      return Timestamp{array_as<arrow::TimestampArray>(array).Value(row)};
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

std::vector<Value> Batch::row(std::int64_t row) const {
  std::vector<Value> values;
  values.reserve(columns_.size());
  for (int i = 0; i < schema_->size(); ++i)
    values.push_back(value(i, row));
  return values;
}

double Batch::number_at(int column, std::int64_t row) const {
  const arrow::Array& array = *this->column(column);
  if (array.IsNull(row)) return std::numeric_limits<double>::quiet_NaN();
  switch (schema_->field(column).type) {
    case Type::kBool:
      return array_as<arrow::BooleanArray>(array).Value(row) ? 1.0 : 0.0;
    case Type::kInt:
      return static_cast<double>(array_as<arrow::Int64Array>(array).Value(row));
    case Type::kFloat:
      return array_as<arrow::DoubleArray>(array).Value(row);
    case Type::kDate:
      return array_as<arrow::Date32Array>(array).Value(row);
    case Type::kTimestamp:
      return static_cast<double>(array_as<arrow::TimestampArray>(array).Value(row)) / kUsPerSecond;
    case Type::kText:
      break;
  }
  LOCKSTEP_ASSERT(false, "number_at of a text column");
}

const std::shared_ptr<arrow::Array>& Batch::column(int index) const {
  LOCKSTEP_ASSERT(index >= 0, "a column index below zero");
  LOCKSTEP_ASSERT(static_cast<std::size_t>(index) < columns_.size(), "no such column");
  return columns_[static_cast<std::size_t>(index)];
}

Batch Batch::slice(std::int64_t offset, std::int64_t count) const {
  LOCKSTEP_ASSERT(offset >= 0, "a slice from before the first row");
  LOCKSTEP_ASSERT(count >= 0, "a slice of less than nothing");
  LOCKSTEP_ASSERT(count <= row_count_ - offset, "a slice behind the last row");
  Batch out = *this;
  for (auto& one : out.columns_)
    one = one->Slice(offset, count);
  const auto first = signs_->begin() + offset;
  out.signs_ = std::make_shared<const std::vector<std::int8_t>>(first, first + count);
  out.row_count_ = count;
  return out;
}

Batch Batch::select_columns(std::span<const int> columns) const {
  std::vector<Field> fields;
  Batch out = *this;
  out.columns_.clear();
  for (const int index : columns) {
    fields.push_back(schema_->field(index));
    out.columns_.push_back(column(index));
  }
  out.schema_ = std::make_shared<const Schema>(Schema(std::move(fields)));
  return out;
}

Batch Batch::with_signs(std::vector<std::int8_t> signs) const {
  LOCKSTEP_ASSERT(static_cast<std::int64_t>(signs.size()) == row_count_, "a sign for each row");
  Batch out = *this;
  out.signs_ = std::make_shared<const std::vector<std::int8_t>>(std::move(signs));
  return out;
}

Batch Batch::with_all_signs(int sign) const {
  LOCKSTEP_ASSERT(sign == 1 || sign == -1, "a sign is +1 or -1");
  return with_signs(std::vector<std::int8_t>(static_cast<std::size_t>(row_count_),
                                             static_cast<std::int8_t>(sign)));
}

Result<Batch> Batch::with_column(const Field& field, std::shared_ptr<arrow::Array> values) const {
  // A batch without columns has as many rows as signs: here its first column decides.
  const std::int64_t rows =
      columns_.empty() && row_count_ == 0 && values ? values->length() : row_count_;
  TRY(check_column(field, values.get(), rows));
  std::vector<Field> fields = schema_->fields();
  Batch out = *this;
  const std::optional<int> place = schema_->index_of(field.name);
  if (place) {
    fields[static_cast<std::size_t>(*place)] = field;
    out.columns_[static_cast<std::size_t>(*place)] = std::move(values);
  } else {
    fields.push_back(field);
    out.columns_.push_back(std::move(values));
  }
  out.schema_ = std::make_shared<const Schema>(Schema(std::move(fields)));
  out.row_count_ = rows;
  return rows == row_count_ ? out : out.with_all_signs(1);
}

std::size_t Batch::memory_bytes() const {
  std::size_t bytes = signs_->size();
  for (int i = 0; i < schema_->size(); ++i) {
    bytes += column_bytes(*column(i), schema_->field(i).type);
  }
  return bytes;
}

bool Batch::equals(const Batch& other) const {
  if (*schema_ != *other.schema_ || row_count_ != other.row_count_) return false;
  if (*signs_ != *other.signs_) return false;
  for (std::int64_t row = 0; row < row_count_; ++row) {
    if (!rows_equal(*this, row, other, row)) return false;
  }
  return true;
}

bool rows_equal(const Batch& left,
                std::int64_t left_row,
                const Batch& right,
                std::int64_t right_row) {
  LOCKSTEP_ASSERT(left.schema() == right.schema(), "rows of two schemas are not compared");
  for (int column = 0; column < left.schema().size(); ++column) {
    const bool is_null = left.is_null(column, left_row);
    if (is_null != right.is_null(column, right_row)) return false;
    if (is_null) continue;
    const Type type = left.schema().field(column).type;
    const bool same =
        type == Type::kFloat
            ? same_float(left.float_at(column, left_row), right.float_at(column, right_row))
        : type == Type::kText ? left.text_at(column, left_row) == right.text_at(column, right_row)
                              : left.value(column, left_row) == right.value(column, right_row);
    if (!same) return false;
  }
  return true;
}

Result<Batch> concatenate(const Schema& schema, std::span<const Batch> batches) {
  if (batches.empty()) return Batch::empty(schema);
  std::vector<std::int8_t> signs;
  for (const Batch& batch : batches) {
    LOCKSTEP_ASSERT(batch.schema() == schema, "batches of one schema are joined");
    signs.insert(signs.end(), batch.signs().begin(), batch.signs().end());
  }
  if (batches.size() == 1) return batches.front();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int column = 0; column < schema.size(); ++column) {
    arrow::ArrayVector parts;
    for (const Batch& batch : batches)
      parts.push_back(batch.column(column));
    const std::string what = fmt::format("joining column '{}'", schema.field(column).name);
    columns.push_back(TRY(of_arrow(arrow::Concatenate(parts), what)));
  }
  return Batch::make(schema, std::move(columns), std::move(signs));
}

}  // namespace lockstep
