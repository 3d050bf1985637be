#include "table/arrow_status.h"
#include "table/batch.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <utility>

namespace lockstep {

struct BatchBuilder::State {
  Schema schema;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> columns;
  std::vector<std::int8_t> signs;
  arrow::Status failure;  // the first; only memory and Arrow's 2 GiB of text a column can fail

  arrow::ArrayBuilder& column(int index) {
    LOCKSTEP_ASSERT(index >= 0, "a column index below zero");
    LOCKSTEP_ASSERT(static_cast<std::size_t>(index) < columns.size(), "no such column");
    return *columns[static_cast<std::size_t>(index)];
  }

  template <typename BuilderType, typename T>
  void append(int index, Type type, const T& value) {
    LOCKSTEP_ASSERT(schema.field(index).type == type, "a value of another type than its column's");
    keep(static_cast<BuilderType&>(column(index)).Append(value));
  }

  void keep(const arrow::Status& status) {
    if (!status.ok() && failure.ok()) failure = status;
  }

  struct Appending {
    State& state;
    int column;

    void operator()(std::monostate) const { state.keep(state.column(column).AppendNull()); }

    void operator()(bool value) const {
      state.append<arrow::BooleanBuilder>(column, Type::kBool, value);
    }

    void operator()(std::int64_t value) const {
      state.append<arrow::Int64Builder>(column, Type::kInt, value);
    }

    void operator()(double value) const {
      state.append<arrow::DoubleBuilder>(column, Type::kFloat, value);
    }

    void operator()(const std::string& value) const {
      state.append<arrow::StringBuilder>(column, Type::kText, value);
    }

    void operator()(Date value) const {
      state.append<arrow::Date32Builder>(column, Type::kDate, value.days);
    }

    void operator()(Timestamp value) const {
      state.append<arrow::TimestampBuilder>(column, Type::kTimestamp, value.us);
    }
  };
};

namespace {

std::unique_ptr<arrow::ArrayBuilder> make_column(Type type) {
  switch (type) {
    case Type::kBool:
      return std::make_unique<arrow::BooleanBuilder>();
    case Type::kInt:
      return std::make_unique<arrow::Int64Builder>();
    case Type::kFloat:
      return std::make_unique<arrow::DoubleBuilder>();
    case Type::kText:
      return std::make_unique<arrow::StringBuilder>();
    case Type::kDate:
      return std::make_unique<arrow::Date32Builder>();
    case Type::kTimestamp:
      return std::make_unique<arrow::TimestampBuilder>(arrow_type(type),
                                                       arrow::default_memory_pool());
  }
  LOCKSTEP_ASSERT(false, "a column without a type");
}

}  // namespace

BatchBuilder::BatchBuilder(Schema schema) : state_(std::make_unique<State>()) {
  for (const Field& field : schema.fields())
    state_->columns.push_back(make_column(field.type));
  state_->schema = std::move(schema);
}

BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

void BatchBuilder::append(int column, const Value& value) {
  std::visit(State::Appending{*state_, column}, value);
}

void BatchBuilder::append_null(int column) {
  state_->keep(state_->column(column).AppendNull());
}

void BatchBuilder::append_text(int column, std::string_view text) {
  state_->append<arrow::StringBuilder>(column, Type::kText, text);
}

void BatchBuilder::append_int(int column, std::int64_t value) {
  state_->append<arrow::Int64Builder>(column, Type::kInt, value);
}

void BatchBuilder::append_float(int column, double value) {
  state_->append<arrow::DoubleBuilder>(column, Type::kFloat, value);
}

void BatchBuilder::append_from(int column, const Batch& batch, int from_column, std::int64_t row) {
  LOCKSTEP_ASSERT(batch.schema().field(from_column).type == state_->schema.field(column).type,
                  "a cell is copied to a column of its own type");
  if (batch.is_null(from_column, row)) return append_null(column);
  switch (batch.schema().field(from_column).type) {
    case Type::kInt:
      return append_int(column, batch.int_at(from_column, row));
    case Type::kFloat:
      return append_float(column, batch.float_at(from_column, row));
    case Type::kText:
      return append_text(column, batch.text_at(from_column, row));
    default:
      return append(column, batch.value(from_column, row));
  }
}

void BatchBuilder::append_sign(int sign) {
  LOCKSTEP_ASSERT(sign == 1 || sign == -1, "a sign is +1 or -1");
  state_->signs.push_back(static_cast<std::int8_t>(sign));
}

void BatchBuilder::append_row(std::span<const Value> values, int sign) {
  LOCKSTEP_ASSERT(values.size() == state_->columns.size(), "a row has a value for each column");
  for (std::size_t i = 0; i < values.size(); ++i)
    append(static_cast<int>(i), values[i]);
  append_sign(sign);
}

void BatchBuilder::append_row_from(const Batch& batch, std::int64_t row, int sign) {
  LOCKSTEP_ASSERT(batch.schema().size() == state_->schema.size(), "rows of one schema are copied");
  for (int i = 0; i < state_->schema.size(); ++i)
    append_from(i, batch, i, row);
  append_sign(sign);
}

std::int64_t BatchBuilder::row_count() const {
  return state_->columns.empty() ? static_cast<std::int64_t>(state_->signs.size())
                                 : state_->columns.front()->length();
}

const Schema& BatchBuilder::schema() const {
  return state_->schema;
}

Result<Batch> BatchBuilder::finish() {
  const std::int64_t rows = row_count();
  const arrow::Status failure = std::exchange(state_->failure, arrow::Status::OK());
  std::vector<std::int8_t> signs = std::exchange(state_->signs, {});
  std::vector<std::shared_ptr<arrow::Array>> columns(state_->columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string what = fmt::format("column '{}'", state_->schema.fields()[i].name);
    TRY(of_arrow(state_->columns[i]->Finish(&columns[i]), what));
  }
  TRY(of_arrow(failure, "building a batch"));
  if (static_cast<std::int64_t>(signs.size()) > rows) {
    return invalid(fmt::format("{} signs for {} rows", signs.size(), rows));
  }
  signs.resize(static_cast<std::size_t>(rows), 1);
  return Batch::make(state_->schema, std::move(columns), std::move(signs));
}

}  // namespace lockstep
