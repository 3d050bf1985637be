// Columns made by choosing rows, or of one value: a column at a time, without a look at each cell's
// type.
#include "table/arrow_status.h"
#include "table/batch.h"
#include "table/columns.h"
#include "table/few_rows.h"

#include <arrow/api.h>
#include <fmt/format.h>

namespace lockstep {

namespace {

template <typename ArrayType, typename BuilderType>
arrow::Status gather(const arrow::Array& from,
                     std::span<const std::int64_t> rows,
                     BuilderType& builder) {
  const auto& values = static_cast<const ArrayType&>(from);
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<std::int64_t>(rows.size())));
  const bool has_nulls = from.null_count() > 0;
  for (const std::int64_t row : rows) {
    if (has_nulls && values.IsNull(row)) {
      builder.UnsafeAppendNull();
    } else {
      builder.UnsafeAppend(values.GetView(row));
    }
  }
  return arrow::Status::OK();
}

arrow::Status gather_text(const arrow::Array& from,
                          std::span<const std::int64_t> rows,
                          arrow::StringBuilder& builder) {
  const auto& values = static_cast<const arrow::StringArray&>(from);
  std::int64_t bytes = 0;
  for (const std::int64_t row : rows)
    bytes += values.value_length(row);
  ARROW_RETURN_NOT_OK(builder.ReserveData(bytes));
  return gather<arrow::StringArray>(from, rows, builder);
}

template <typename ArrayType, typename BuilderType>
arrow::Result<std::shared_ptr<arrow::Array>> gathered(const arrow::Array& from,
                                                      std::span<const std::int64_t> rows,
                                                      BuilderType builder) {
  ARROW_RETURN_NOT_OK((gather<ArrayType, BuilderType>(from, rows, builder)));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> chosen(const arrow::Array& from,
                                                    Type type,
                                                    std::span<const std::int64_t> rows) {
  switch (type) {
    case Type::kBool:
      return gathered<arrow::BooleanArray>(from, rows, arrow::BooleanBuilder());
    case Type::kInt:
      return gathered<arrow::Int64Array>(from, rows, arrow::Int64Builder());
    case Type::kFloat:
      return gathered<arrow::DoubleArray>(from, rows, arrow::DoubleBuilder());
    case Type::kDate:
      return gathered<arrow::Date32Array>(from, rows, arrow::Date32Builder());
    case Type::kTimestamp:
      return gathered<arrow::TimestampArray>(
          from, rows, arrow::TimestampBuilder(from.type(), arrow::default_memory_pool()));
    case Type::kText: {
      arrow::StringBuilder builder;
      ARROW_RETURN_NOT_OK(gather_text(from, rows, builder));
      return builder.Finish();
    }
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

bool is_all_in_order(std::span<const std::int64_t> rows, std::int64_t row_count) {
  if (static_cast<std::int64_t>(rows.size()) != row_count) return false;
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (rows[index] != static_cast<std::int64_t>(index)) return false;
  }
  return true;
}

struct ScalarOf {
  const std::shared_ptr<arrow::DataType>& type;

  std::shared_ptr<arrow::Scalar> operator()(std::monostate) const {
    return arrow::MakeNullScalar(type);
  }

  std::shared_ptr<arrow::Scalar> operator()(bool value) const {
    return std::make_shared<arrow::BooleanScalar>(value);
  }

  std::shared_ptr<arrow::Scalar> operator()(std::int64_t value) const {
    return std::make_shared<arrow::Int64Scalar>(value);
  }

  std::shared_ptr<arrow::Scalar> operator()(double value) const {
    return std::make_shared<arrow::DoubleScalar>(value);
  }

  std::shared_ptr<arrow::Scalar> operator()(const std::string& value) const {
    return std::make_shared<arrow::StringScalar>(value);
  }

  std::shared_ptr<arrow::Scalar> operator()(Date value) const {
    return std::make_shared<arrow::Date32Scalar>(value.days);
  }

  std::shared_ptr<arrow::Scalar> operator()(Timestamp value) const {
    return std::make_shared<arrow::TimestampScalar>(value.us, type);
  }
};

}  // namespace

Batch Batch::select_rows(std::span<const std::int64_t> rows) const {
  if (is_all_in_order(rows, row_count_)) return *this;
  if (static_cast<std::int64_t>(rows.size()) <= kFewRows) {
    BatchBuilder builder(schema_);
    for (const std::int64_t row : rows)
      builder.append_row_from(*this, row, sign(row));
    Result<Batch> made = builder.finish();
    LOCKSTEP_ASSERT(made.ok(), "rows were selected beyond what one batch can hold");
    return std::move(made).value();
  }
  Arrays columns;
  for (int column = 0; column < schema_.size(); ++column) {
    auto made = chosen(*this->column(column), schema_.field(column).type, rows);
    // Texts beyond Arrow's 2 GiB a column: reachable only by repeating rows of a huge batch.
    LOCKSTEP_ASSERT(made.ok(), "rows were selected beyond what one batch can hold");
    columns.push_back(std::move(made).ValueUnsafe());
  }
  Signs signs;
  signs.reserve(rows.size());
  for (const std::int64_t row : rows)
    signs.push_back(static_cast<std::int8_t>(sign(row)));
  Batch out(schema_, nullptr, std::move(signs));
  out.keep(std::move(columns));
  return out;
}

Result<std::shared_ptr<arrow::Array>> repeated(const Value& value, Type type, std::int64_t count) {
  const std::shared_ptr<arrow::DataType> arrow = arrow_type(type);
  const auto scalar = std::visit(ScalarOf{arrow}, value);
  LOCKSTEP_ASSERT(scalar->type->Equals(*arrow), "a value of another type than its column's");
  return of_arrow(arrow::MakeArrayFromScalar(*scalar, count), "a column of one value");
}

}  // namespace lockstep
