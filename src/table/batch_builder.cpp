#include "table/arrow_status.h"
#include "table/batch.h"
#include "table/few_rows.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

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

// The first kFewRows cells of each column stay in one piece; with one more, all go to Arrow's
// builders.
struct BatchBuilder::State {
  Schema schema;
  std::shared_ptr<FewRows> few;          // null: they went, or there is none yet
  std::vector<std::int64_t> few_counts;  // cells of each column in `few`
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> columns;
  std::vector<std::int8_t> signs;
  arrow::Status failure;  // the first; only memory and Arrow's 2 GiB of text a column can fail

  bool is_fresh() const { return !few && columns.empty(); }

  void start() {
    few = std::make_shared<FewRows>(schema.size());
    few_counts.assign(static_cast<std::size_t>(schema.size()), 0);
  }

  void check(int index, Type type) const {
    LOCKSTEP_ASSERT(schema.field(index).type == type, "a value of another type than its column's");
  }

  // Where the next cell goes among few; nullopt: to a builder.
  std::optional<CellPlace> place(int index) {
    LOCKSTEP_ASSERT(index >= 0 && index < schema.size(), "no such column");
    if (is_fresh()) start();
    if (!few) return std::nullopt;
    std::int64_t& count = few_counts[static_cast<std::size_t>(index)];
    if (count < kFewRows) return CellPlace{index, count++};
    grow();
    return std::nullopt;
  }

  void grow() {
    const std::shared_ptr<const FewRows> cells = std::exchange(few, nullptr);
    for (const Field& field : schema.fields())
      columns.push_back(make_column(field.type));
    for (int index = 0; index < schema.size(); ++index) {
      for (std::int64_t row = 0; row < few_counts[static_cast<std::size_t>(index)]; ++row)
        move_cell(*cells, {index, row});
    }
  }

  void move_cell(const FewRows& cells, CellPlace from) {
    if (cells.is_null(from)) return append_null(from.column);
    switch (schema.field(from.column).type) {
      case Type::kBool:
        return append_bool(from.column, cells.int_at(from) != 0);
      case Type::kInt:
        return append_int(from.column, cells.int_at(from));
      case Type::kFloat:
        return append_float(from.column, cells.float_at(from));
      case Type::kText:
        return append_text(from.column, cells.text_at(from));
      case Type::kDate:
        return append_date(from.column, Date{static_cast<std::int32_t>(cells.int_at(from))});
      case Type::kTimestamp:
        return append_time(from.column, Timestamp{cells.int_at(from)});
    }
  }

  template <typename BuilderType, typename T>
  void build(int index, const T& value) {
    keep(static_cast<BuilderType&>(*columns[static_cast<std::size_t>(index)]).Append(value));
  }

  void append_null(int index) {
    if (const auto at = place(index)) return few->set_null(*at);
    keep(columns[static_cast<std::size_t>(index)]->AppendNull());
  }

  void append_bool(int index, bool value) {
    check(index, Type::kBool);
    if (const auto at = place(index)) return few->set_int(*at, value ? 1 : 0);
    build<arrow::BooleanBuilder>(index, value);
  }

  void append_int(int index, std::int64_t value) {
    check(index, Type::kInt);
    if (const auto at = place(index)) return few->set_int(*at, value);
    build<arrow::Int64Builder>(index, value);
  }

  void append_float(int index, double value) {
    check(index, Type::kFloat);
    if (const auto at = place(index)) return few->set_float(*at, value);
    build<arrow::DoubleBuilder>(index, value);
  }

  void append_text(int index, std::string_view value) {
    check(index, Type::kText);
    if (const auto at = place(index)) {
      if (few->set_text(*at, value)) return;
      --few_counts[static_cast<std::size_t>(index)];
      grow();
    }
    build<arrow::StringBuilder>(index, value);
  }

  void append_date(int index, Date value) {
    check(index, Type::kDate);
    if (const auto at = place(index)) return few->set_int(*at, value.days);
    build<arrow::Date32Builder>(index, value.days);
  }

  void append_time(int index, Timestamp value) {
    check(index, Type::kTimestamp);
    if (const auto at = place(index)) return few->set_int(*at, value.us);
    build<arrow::TimestampBuilder>(index, value.us);
  }

  void keep(const arrow::Status& status) {
    if (!status.ok() && failure.ok()) failure = status;
  }

  // Every column has as many cells among few.
  bool is_even(std::int64_t rows) const {
    return std::ranges::all_of(few_counts, [&](std::int64_t count) { return count == rows; });
  }

  struct Appending {
    State& state;
    int column;

    void operator()(std::monostate) const { state.append_null(column); }

    void operator()(bool value) const { state.append_bool(column, value); }

    void operator()(std::int64_t value) const { state.append_int(column, value); }

    void operator()(double value) const { state.append_float(column, value); }

    void operator()(const std::string& value) const { state.append_text(column, value); }

    void operator()(Date value) const { state.append_date(column, value); }

    void operator()(Timestamp value) const { state.append_time(column, value); }
  };
};

BatchBuilder::BatchBuilder(Schema schema) : state_(std::make_unique<State>()) {
  state_->schema = std::move(schema);
}

BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

void BatchBuilder::append(int column, const Value& value) {
  std::visit(State::Appending{*state_, column}, value);
}

void BatchBuilder::append_null(int column) {
  state_->append_null(column);
}

void BatchBuilder::append_text(int column, std::string_view text) {
  state_->append_text(column, text);
}

void BatchBuilder::append_int(int column, std::int64_t value) {
  state_->append_int(column, value);
}

void BatchBuilder::append_float(int column, double value) {
  state_->append_float(column, value);
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
  LOCKSTEP_ASSERT(static_cast<int>(values.size()) == state_->schema.size(),
                  "a row has a value for each column");
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
  if (state_->schema.size() == 0) return static_cast<std::int64_t>(state_->signs.size());
  if (state_->is_fresh()) return 0;
  return state_->few ? state_->few_counts.front() : state_->columns.front()->length();
}

const Schema& BatchBuilder::schema() const {
  return state_->schema;
}

Result<Batch> BatchBuilder::finish() {
  const std::int64_t rows = row_count();
  const arrow::Status failure = std::exchange(state_->failure, arrow::Status::OK());
  std::vector<std::int8_t> signs = std::exchange(state_->signs, {});
  if (state_->is_fresh()) state_->start();
  const bool is_few = state_->few && rows <= kFewRows && state_->is_even(rows);
  if (state_->few && !is_few) state_->grow();
  const std::shared_ptr<const FewRows> few = std::exchange(state_->few, nullptr);
  const auto builders = std::exchange(state_->columns, {});
  std::vector<std::shared_ptr<arrow::Array>> columns(builders.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string what = fmt::format("column '{}'", state_->schema.fields()[i].name);
    TRY(of_arrow(builders[i]->Finish(&columns[i]), what));
  }
  TRY(of_arrow(failure, "building a batch"));
  if (static_cast<std::int64_t>(signs.size()) > rows)
    return invalid(fmt::format("{} signs for {} rows", signs.size(), rows));
  signs.resize(static_cast<std::size_t>(rows), 1);
  if (is_few) return Batch(state_->schema, few, std::move(signs));
  return Batch::make(state_->schema, std::move(columns), std::move(signs));
}

}  // namespace lockstep
