#include "table/batch.h"
#include "table/column_builder.h"
#include "table/few_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kRowsAtFirst = 64;

}  // namespace

// The first kFewRows cells of each column stay in one piece; with one more, all go to columns of
// their own.
struct BatchBuilder::State {
  Schema schema;
  std::shared_ptr<FewRows> few;          // null: they went, or there is none yet
  std::vector<std::int64_t> few_counts;  // cells of each column in `few`
  std::vector<ColumnBuilder> columns;
  std::size_t expected_rows = 0;  // as many as the batch before had
  std::vector<std::int8_t> signs;
  bool is_too_long = false;  // more than Arrow's 2 GiB of text in a column

  bool is_fresh() const { return !few && columns.empty(); }

  void start() {
    few = std::make_shared<FewRows>(schema.size());
    few_counts.assign(static_cast<std::size_t>(schema.size()), 0);
  }

  void check(int index, Type type) const {
    LOCKSTEP_ASSERT(schema.field(index).type == type, "a value of another type than its column's");
  }

  // Where the next cell goes; nullptr: among few, at few_place().
  ColumnBuilder* grown(int index) {
    if (columns.empty() && !grows(index)) return nullptr;
    LOCKSTEP_ASSERT(index >= 0 && static_cast<std::size_t>(index) < columns.size(),
                    "no such column");
    return &columns[static_cast<std::size_t>(index)];
  }

  bool grows(int index) {
    LOCKSTEP_ASSERT(index >= 0 && index < schema.size(), "no such column");
    if (is_fresh()) start();
    if (few_counts[static_cast<std::size_t>(index)] < kFewRows) return false;
    grow();
    return true;
  }

  CellPlace few_place(int index, Type type) {
    check(index, type);
    return {index, few_counts[static_cast<std::size_t>(index)]++};
  }

  void grow() {
    const std::shared_ptr<const FewRows> cells = std::exchange(few, nullptr);
    columns.reserve(static_cast<std::size_t>(schema.size()));
    for (const Field& field : schema.fields()) {
      columns.emplace_back(field.type);
      columns.back().reserve(std::max(expected_rows, kRowsAtFirst));
    }
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

  void append_null(int index) {
    if (ColumnBuilder* const column = grown(index)) return column->add_null();
    few->set_null(few_place(index, schema.field(index).type));
  }

  void append_bool(int index, bool value) {
    if (ColumnBuilder* const column = grown(index)) return column->add_bool(value);
    few->set_int(few_place(index, Type::kBool), value ? 1 : 0);
  }

  void append_int(int index, std::int64_t value) {
    if (ColumnBuilder* const column = grown(index)) return column->add_int(Type::kInt, value);
    few->set_int(few_place(index, Type::kInt), value);
  }

  void append_float(int index, double value) {
    if (ColumnBuilder* const column = grown(index)) return column->add_float(value);
    few->set_float(few_place(index, Type::kFloat), value);
  }

  void append_text(int index, std::string_view value) {
    if (columns.empty() && !grows(index)) {
      if (few->set_text(few_place(index, Type::kText), value)) return;
      --few_counts[static_cast<std::size_t>(index)];
      grow();
    }
    if (!grown(index)->add_text(value)) is_too_long = true;
  }

  void append_date(int index, Date value) {
    if (ColumnBuilder* const column = grown(index)) return column->add_date(value);
    few->set_int(few_place(index, Type::kDate), value.days);
  }

  void append_time(int index, Timestamp value) {
    if (ColumnBuilder* const column = grown(index))
      return column->add_int(Type::kTimestamp, value.us);
    few->set_int(few_place(index, Type::kTimestamp), value.us);
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
  return state_->few ? state_->few_counts.front() : state_->columns.front().count();
}

const Schema& BatchBuilder::schema() const {
  return state_->schema;
}

Result<Batch> BatchBuilder::finish() {
  const std::int64_t rows = row_count();
  const bool is_too_long = std::exchange(state_->is_too_long, false);
  std::vector<std::int8_t> signs = std::exchange(state_->signs, {});
  if (state_->is_fresh()) state_->start();
  const bool is_few = state_->few && rows <= kFewRows && state_->is_even(rows);
  if (state_->few && !is_few) state_->grow();
  const std::shared_ptr<const FewRows> few = std::exchange(state_->few, nullptr);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (ColumnBuilder& column : std::exchange(state_->columns, {}))
    columns.push_back(std::move(column).finish());
  if (is_too_long) return invalid("a column of a batch would have more than 2 GiB of text");
  state_->expected_rows = static_cast<std::size_t>(rows);
  if (static_cast<std::int64_t>(signs.size()) > rows)
    return invalid(fmt::format("{} signs for {} rows", signs.size(), rows));
  signs.resize(static_cast<std::size_t>(rows), 1);
  if (is_few) return Batch(state_->schema, few, std::move(signs));
  return Batch::make(state_->schema, std::move(columns), std::move(signs));
}

}  // namespace lockstep
