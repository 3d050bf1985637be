#include "table/batch.h"

#include "table/arrow_status.h"
#include "table/few_rows.h"

#include <arrow/api.h>
#include <arrow/array/concatenate.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace lockstep {

namespace {

constexpr double kUsOfSecond = 1e6;

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

Batch::Batch() : Batch(Schema(), nullptr, {}) {
  keep({});
}

Batch::Batch(Schema schema, std::shared_ptr<const FewRows> few, Signs signs)
    : schema_(std::move(schema)),
      few_(std::move(few)),
      row_count_(static_cast<std::int64_t>(signs.size())) {
  signs_ = std::make_shared<const Signs>(std::move(signs));
}

void Batch::keep(Arrays columns) {
  columns_ = std::make_shared<const Arrays>(std::move(columns));
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
  Batch batch(std::move(schema), nullptr, std::move(signs));
  batch.keep(std::move(columns));
  return batch;
}

Batch Batch::empty(Schema schema) {
  auto few = std::make_shared<const FewRows>(schema.size());
  return {std::move(schema), std::move(few), {}};
}

CellPlace Batch::at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(column >= 0 && column < schema_.size(), "no such column");
  LOCKSTEP_ASSERT(row >= 0 && row < row_count_, "no such row");
  return {column, row};
}

bool Batch::is_null(int column, std::int64_t row) const {
  return few_ ? few_->is_null(at(column, row)) : this->column(column)->IsNull(row);
}

bool Batch::bool_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_.field(column).type == Type::kBool, "bool_at of another type");
  if (few_) return few_->int_at(at(column, row)) != 0;
  return array_as<arrow::BooleanArray>(*this->column(column)).Value(row);
}

std::int64_t Batch::int_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_.field(column).type == Type::kInt, "int_at of another type");
  if (few_) return few_->int_at(at(column, row));
  return array_as<arrow::Int64Array>(*this->column(column)).Value(row);
}

double Batch::float_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_.field(column).type == Type::kFloat, "float_at of another type");
  if (few_) return few_->float_at(at(column, row));
  return array_as<arrow::DoubleArray>(*this->column(column)).Value(row);
}

std::string_view Batch::text_at(int column, std::int64_t row) const {
  LOCKSTEP_ASSERT(schema_.field(column).type == Type::kText, "text_at of another type");
  if (few_) return few_->text_at(at(column, row));
  return array_as<arrow::StringArray>(*this->column(column)).GetView(row);
}

std::int64_t Batch::whole_at(int column, std::int64_t row) const {
  if (few_) return few_->int_at(at(column, row));
  const arrow::Array& array = *this->column(column);
  return schema_.field(column).type == Type::kDate
             ? array_as<arrow::Date32Array>(array).Value(row)
             : array_as<arrow::TimestampArray>(array).Value(row);
}

Value Batch::value(int column, std::int64_t row) const {
  if (is_null(column, row)) return {};
  switch (schema_.field(column).type) {
    case Type::kBool:
      return bool_at(column, row);
    case Type::kInt:
      return int_at(column, row);
    case Type::kFloat:
      return float_at(column, row);
    case Type::kText:
      return std::string(text_at(column, row));
    case Type::kDate:
      return Date{static_cast<std::int32_t>(whole_at(column, row))};
    case Type::kTimestamp:
      return Timestamp{whole_at(column, row)};
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

std::vector<Value> Batch::row(std::int64_t row) const {
  std::vector<Value> values;
  values.reserve(static_cast<std::size_t>(schema_.size()));
  for (int i = 0; i < schema_.size(); ++i)
    values.push_back(value(i, row));
  return values;
}

double Batch::number_at(int column, std::int64_t row) const {
  if (is_null(column, row)) return std::numeric_limits<double>::quiet_NaN();
  switch (schema_.field(column).type) {
    case Type::kBool:
      return bool_at(column, row) ? 1.0 : 0.0;
    case Type::kInt:
      return static_cast<double>(int_at(column, row));
    case Type::kFloat:
      return float_at(column, row);
    case Type::kDate:
      return static_cast<double>(whole_at(column, row));
    case Type::kTimestamp:
      return static_cast<double>(whole_at(column, row)) / kUsOfSecond;
    case Type::kText:
      break;
  }
  LOCKSTEP_ASSERT(false, "number_at of a text column");
}

const std::shared_ptr<arrow::Array>& Batch::column(int index) const {
  const Arrays& arrays = few_ ? few_->arrays(schema_, row_count_) : *columns_;
  LOCKSTEP_ASSERT(index >= 0, "a column index below zero");
  LOCKSTEP_ASSERT(static_cast<std::size_t>(index) < arrays.size(), "no such column");
  return arrays[static_cast<std::size_t>(index)];
}

Batch Batch::slice(std::int64_t offset, std::int64_t count) const {
  LOCKSTEP_ASSERT(offset >= 0, "a slice from before the first row");
  LOCKSTEP_ASSERT(count >= 0, "a slice of less than nothing");
  LOCKSTEP_ASSERT(count <= row_count_ - offset, "a slice behind the last row");
  if (count <= kFewRows) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
    std::iota(rows.begin(), rows.end(), offset);
    return select_rows(rows);
  }
  Arrays columns;
  for (const auto& one : *columns_)
    columns.push_back(one->Slice(offset, count));
  const auto first = signs_->begin() + offset;
  Batch out(schema_, nullptr, Signs(first, first + count));
  out.keep(std::move(columns));
  return out;
}

Batch Batch::select_columns(std::span<const int> columns) const {
  std::vector<Field> fields;
  for (const int index : columns)
    fields.push_back(schema_.field(index));
  Batch out = *this;
  out.schema_ = Schema(std::move(fields));
  if (few_) {
    auto few = std::make_shared<FewRows>(out.schema_.size());
    for (int to = 0; to < out.schema_.size(); ++to) {
      const Type type = out.schema_.field(to).type;
      few->copy_column(to, *few_, columns[static_cast<std::size_t>(to)], type, row_count_);
    }
    out.few_ = std::move(few);
    return out;
  }
  Arrays arrays;
  for (const int index : columns)
    arrays.push_back(column(index));
  out.keep(std::move(arrays));
  return out;
}

Batch Batch::with_signs(std::vector<std::int8_t> signs) const {
  LOCKSTEP_ASSERT(static_cast<std::int64_t>(signs.size()) == row_count_, "a sign for each row");
  Batch out = *this;
  out.signs_ = std::make_shared<const Signs>(std::move(signs));
  return out;
}

Batch Batch::with_all_signs(int sign) const {
  LOCKSTEP_ASSERT(sign == 1 || sign == -1, "a sign is +1 or -1");
  return with_signs(std::vector<std::int8_t>(static_cast<std::size_t>(row_count_),
                                             static_cast<std::int8_t>(sign)));
}

Result<Batch> Batch::with_columns(const Batch& more) const {
  // A batch without columns has as many rows as signs: here the first columns decide.
  const bool any = schema_.size() > 0 || row_count_ > 0;
  const Batch& base = any ? *this : more;
  if (more.row_count_ != base.row_count_) {
    return invalid(fmt::format("column '{}' has {} rows, the batch has {}",
                               more.schema_.field(0).name,
                               more.row_count_,
                               base.row_count_));
  }
  if (!any) return more.with_all_signs(1);
  const auto field_count = static_cast<std::size_t>(schema_.size() + more.schema_.size());
  std::vector<Field> fields;
  fields.reserve(field_count);
  fields = schema_.fields();
  std::vector<std::pair<const Batch*, int>> from;  // of each column
  from.reserve(field_count);
  for (int column = 0; column < schema_.size(); ++column)
    from.emplace_back(this, column);
  for (int column = 0; column < more.schema_.size(); ++column) {
    const Field& field = more.schema_.field(column);
    const auto place = std::ranges::find(fields, field.name, &Field::name) - fields.begin();
    if (static_cast<std::size_t>(place) == fields.size()) {
      fields.emplace_back();
      from.emplace_back();
    }
    fields[static_cast<std::size_t>(place)] = field;
    from[static_cast<std::size_t>(place)] = {&more, column};
  }
  Batch out = *this;
  out.schema_ = Schema(std::move(fields));
  if (few_ && more.few_) {
    auto few = std::make_shared<FewRows>(out.schema_.size());
    for (int to = 0; to < out.schema_.size(); ++to) {
      const auto& [batch, column] = from[static_cast<std::size_t>(to)];
      few->copy_column(to, *batch->few_, column, out.schema_.field(to).type, row_count_);
    }
    out.few_ = std::move(few);
    return out;
  }
  Arrays arrays;
  for (const auto& [batch, column] : from)
    arrays.push_back(batch->column(column));
  out.few_.reset();
  out.keep(std::move(arrays));
  return out;
}

Batch Batch::with_names(Schema schema) const {
  LOCKSTEP_ASSERT(schema.size() == schema_.size(), "a name for each column");
  for (int column = 0; column < schema.size(); ++column)
    LOCKSTEP_ASSERT(schema.field(column).type == schema_.field(column).type, "other types");
  Batch out = *this;
  out.schema_ = std::move(schema);
  return out;
}

std::size_t Batch::memory_bytes() const {
  std::size_t bytes = signs_->size();
  if (few_) return bytes + few_->memory_bytes();
  for (int i = 0; i < schema_.size(); ++i) {
    bytes += column_bytes(*column(i), schema_.field(i).type);
  }
  return bytes;
}

bool Batch::equals(const Batch& other) const {
  if (schema_ != other.schema_ || row_count_ != other.row_count_) return false;
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
  // Batches of few rows are joined by their cells.
  const auto batch_count = static_cast<std::int64_t>(batches.size());
  if (static_cast<std::int64_t>(signs.size()) <= kFewRows * batch_count) {
    BatchBuilder rows(schema);
    for (const Batch& batch : batches) {
      for (std::int64_t row = 0; row < batch.row_count(); ++row)
        rows.append_row_from(batch, row, batch.sign(row));
    }
    return rows.finish();
  }
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
