// A batch of few rows keeps its cells in one piece, and of many in Arrow's arrays: nobody can tell
// but by the time it takes.
#include "table/few_rows.h"

#include "table/batch.h"
#include "table/values.h"

#include <arrow/api.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace lockstep {
namespace {

Batch built(const std::vector<std::vector<Value>>& rows, const std::vector<int>& signs) {
  BatchBuilder builder(test::every_type_schema());
  for (std::size_t row = 0; row < rows.size(); ++row)
    builder.append_row(rows[row], signs[row]);
  return builder.finish().value();
}

// The same rows, as arrays whatever their number.
Batch of_arrays(const Batch& batch) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int column = 0; column < batch.schema().size(); ++column) {
    EXPECT_TRUE(batch.column(column)->ValidateFull().ok());
    columns.push_back(batch.column(column));
  }
  const auto signs = batch.signs();
  return Batch::make(batch.schema(),
                     std::move(columns),
                     std::vector<std::int8_t>(signs.begin(), signs.end()))
      .value();
}

struct Rows {
  std::vector<std::vector<Value>> values;
  std::vector<int> signs;
};

// Up to three times as many as few are.
Rows any_rows() {
  Rows out;
  const Schema schema = test::every_type_schema();
  const auto count = *rc::gen::inRange<std::size_t>(0, 3 * kFewRows);
  for (std::size_t row = 0; row < count; ++row) {
    std::vector<Value> values;
    for (const Field& field : schema.fields())
      values.push_back(*test::any_value(field.type));
    out.values.push_back(std::move(values));
    out.signs.push_back(*rc::gen::element(-1, 1));
  }
  return out;
}

TEST(FewRows, HoldWhatArraysHold) {
  test::check("a batch and its arrays", [] {
    const Rows rows = any_rows();
    const Batch batch = built(rows.values, rows.signs);
    const Batch arrays = of_arrays(batch);
    RC_ASSERT(batch.row_count() == static_cast<std::int64_t>(rows.values.size()));
    RC_ASSERT(batch.equals(arrays));
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      RC_ASSERT(batch.sign(row) == rows.signs[static_cast<std::size_t>(row)]);
      std::string one;
      std::string other;
      append_row_bytes(batch, row, one);
      append_row_bytes(built({rows.values[static_cast<std::size_t>(row)]}, {1}), 0, other);
      RC_ASSERT(one == other);
      const std::vector<int> key = {0, 1, 2, 3, 4, 5};
      RC_ASSERT(encode_key(batch, key, row) == encode_key(arrays, key, row));
      for (const int number : {0, 1, 2, 4, 5}) {
        const double a = batch.number_at(number, row);
        const double b = arrays.number_at(number, row);
        RC_ASSERT(a == b || (std::isnan(a) && std::isnan(b)));
      }
    }
  });
}

TEST(FewRows, AreTakenApartAndJoinedAsArraysAre) {
  test::check("parts of a batch and of its arrays", [] {
    const Rows rows = any_rows();
    const Batch batch = built(rows.values, rows.signs);
    const Batch arrays = of_arrays(batch);
    const auto offset = *rc::gen::inRange<std::int64_t>(0, batch.row_count() + 1);
    const auto count = *rc::gen::inRange<std::int64_t>(0, batch.row_count() - offset + 1);
    const Batch part = batch.slice(offset, count);
    RC_ASSERT(part.equals(arrays.slice(offset, count)));
    RC_ASSERT(of_arrays(part).equals(part));
    const std::vector<int> columns =
        *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, batch.schema().size()));
    RC_ASSERT(batch.select_columns(columns).equals(arrays.select_columns(columns)));
    if (batch.row_count() > 0) {
      const std::vector<std::int64_t> chosen = *rc::gen::container<std::vector<std::int64_t>>(
          rc::gen::inRange<std::int64_t>(0, batch.row_count()));
      RC_ASSERT(batch.select_rows(chosen).equals(arrays.select_rows(chosen)));
    }
    const std::vector<Batch> parts = {
        batch.slice(0, offset),
        part,
        arrays.slice(offset + count, batch.row_count() - offset - count)};
    RC_ASSERT(concatenate(batch.schema(), parts).value().equals(arrays));
    const std::vector<Batch> many(6, batch);
    const std::vector<Batch> many_arrays(6, arrays);
    RC_ASSERT(concatenate(batch.schema(), many)
                  .value()
                  .equals(concatenate(batch.schema(), many_arrays).value()));
  });
}

TEST(FewRows, TakeColumnsOfOthers) {
  test::check("columns of a batch and of its arrays", [] {
    const Rows rows = any_rows();
    const Batch batch = built(rows.values, rows.signs);
    const Batch arrays = of_arrays(batch);
    const std::vector<int> chosen = {3, 1};
    const std::vector<int> rest = {0, 3};
    const Batch left = batch.select_columns(chosen);
    const Batch joined = left.with_columns(batch.select_columns(rest)).value();
    RC_ASSERT((joined.schema().names() == std::vector<std::string>{"text", "int", "bool"}));
    RC_ASSERT(joined.equals(left.with_columns(arrays.select_columns(rest)).value()));
    RC_ASSERT(joined.equals(of_arrays(left).with_columns(batch.select_columns(rest)).value()));
    const Schema names({{"a", Type::kText}, {"b", Type::kInt}, {"c", Type::kBool}});
    const Batch renamed = joined.with_names(names);
    RC_ASSERT(renamed.schema() == names);
    RC_ASSERT(of_arrays(renamed).equals(renamed));
  });
}

TEST(FewRows, AreNotMixedUpWhenColumnsGrowOneByOne) {
  for (std::int64_t count = 0; count <= 2 * kFewRows; ++count) {
    BatchBuilder builder(Schema({{"i", Type::kInt}, {"t", Type::kText}}));
    for (std::int64_t row = 0; row < count; ++row)
      builder.append_int(0, row);
    for (std::int64_t row = 0; row < count; ++row)
      builder.append_text(1, "t" + std::to_string(row));
    const Batch batch = builder.finish().value();
    ASSERT_EQ(batch.row_count(), count);
    for (std::int64_t row = 0; row < count; ++row) {
      EXPECT_EQ(batch.int_at(0, row), row);
      EXPECT_EQ(batch.text_at(1, row), "t" + std::to_string(row));
    }
    // Empty again: it builds another.
    builder.append_int(0, 5);
    builder.append_null(1);
    EXPECT_EQ(builder.finish().value().int_at(0, 0), 5);
  }
}

TEST(FewRows, OfUnevenColumnsAreRefused) {
  BatchBuilder builder(Schema({{"i", Type::kInt}, {"t", Type::kText}}));
  builder.append_int(0, 1);
  EXPECT_FALSE(builder.finish().ok());
  builder.append_int(0, 1);
  builder.append_null(1);
  builder.append_sign(1);
  builder.append_sign(1);
  EXPECT_FALSE(builder.finish().ok());
  EXPECT_EQ(builder.finish().value().row_count(), 0);
}

}  // namespace
}  // namespace lockstep
