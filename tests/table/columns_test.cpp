// Work on whole columns gives what a look at each cell gives.
#include "table/columns.h"

#include "table/files.h"
#include "table/parquet.h"
#include "table/values.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Columns, RowsThatAreChosenAreThoseRows) {
  test::check("chosen rows", [] {
    const Batch batch = *test::any_batch(20);
    std::vector<std::int64_t> rows;
    const auto count = *rc::gen::inRange<int>(0, 30);
    for (int one = 0; one < count && batch.row_count() > 0; ++one)
      rows.push_back(*rc::gen::inRange<std::int64_t>(0, batch.row_count()));
    const Batch part = batch.row_count() > 2 ? batch.slice(1, batch.row_count() - 1) : batch;
    for (const Batch& from : {batch, part}) {
      std::erase_if(rows, [&](std::int64_t row) { return row >= from.row_count(); });
      const Batch chosen = from.select_rows(rows);
      RC_ASSERT(chosen.row_count() == static_cast<std::int64_t>(rows.size()));
      for (std::size_t index = 0; index < rows.size(); ++index) {
        const auto row = static_cast<std::int64_t>(index);
        RC_ASSERT(rows_equal(chosen, row, from, rows[index]));
        RC_ASSERT(chosen.sign(row) == from.sign(rows[index]));
      }
    }
  });
}

TEST(Columns, RowBytesAreThoseOfEachRow) {
  test::check("row bytes", [] {
    const Batch batch = *test::any_batch(40);
    const RowBytes row_bytes(batch);
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      std::string one;
      std::string other;
      append_row_bytes(batch, row, one);
      row_bytes.append(row, other);
      RC_ASSERT(one == other);
    }
  });
}

TEST(Columns, OfOneValueHoldIt) {
  for (const Value& value : test::every_type().row(0)) {
    if (is_null(value)) continue;
    const auto type = static_cast<Type>(value.index() - 1);
    const Schema schema({{"one", type}, {"none", type}});
    const Batch batch =
        Batch::make(schema, {repeated(value, type, 3).value(), repeated(Value(), type, 3).value()})
            .value();
    for (int row = 0; row < 3; ++row) {
      EXPECT_EQ(batch.value(0, row), value);
      EXPECT_TRUE(batch.is_null(1, row));
    }
    EXPECT_EQ(repeated(value, type, 0).value()->length(), 0);
  }
}

TEST(Columns, KeysAreSurelyDistinctOrMayNotBe) {
  BatchBuilder builder(Schema({{"id", Type::kInt}, {"part", Type::kText}}));
  for (std::int64_t row = 0; row < 1'000; ++row)
    builder.append_row(std::vector<Value>{row / 10, std::to_string(row % 10)});
  const Batch batch = builder.finish().value();
  const std::vector<int> both = {0, 1};
  const std::vector<int> first = {0};
  EXPECT_TRUE(surely_distinct(batch, both));
  EXPECT_FALSE(surely_distinct(batch, first));
  std::string key;
  append_key(batch, both, 7, key);
  EXPECT_EQ(key, encode_key(batch, both, 7));
}

// Distinct floats, whole numbers and texts, and columns of few values, come back bit by bit.
TEST(Columns, OfEveryEncodingComeBack) {
  const Schema schema({{"id", Type::kInt},
                       {"x", Type::kFloat},
                       {"word", Type::kText},
                       {"day", Type::kDate},
                       {"time", Type::kTimestamp},
                       {"ward", Type::kText},
                       {"grade", Type::kFloat}});
  BatchBuilder builder(schema);
  for (std::int64_t row = 0; row < 3'000; ++row) {
    const bool has = row % 7 != 0;
    builder.append_row(std::vector<Value>{row * 7919 % 100'003,
                                          has ? Value(1.0 / static_cast<double>(row)) : Value(),
                                          "word " + std::to_string(row),
                                          Date{static_cast<std::int32_t>(row * 31)},
                                          Timestamp{row * 1'000'003},
                                          std::string(row % 3 == 0 ? "east" : "west"),
                                          static_cast<double>(row % 5)});
  }
  const Batch batch = builder.finish().value();
  test::Folder folder;
  std::vector<ParquetColumn> columns;
  for (const Field& field : schema.fields())
    columns.push_back({field, static_cast<int>(columns.size()) + 1});
  auto writer = open_parquet_writer(folder.io(), folder.path("a.parquet"), columns).value();
  ASSERT_TRUE(writer->write(batch).ok());
  const ParquetFileInfo info = writer->finish().value();
  auto reader = open_parquet_reader(folder.io(), folder.path("a.parquet")).value();
  EXPECT_TRUE(reader->read_row_group(0, columns).value().equals(batch));
  EXPECT_LT(info.columns[6].size_bytes, 2'000) << "few values are a dictionary";
  EXPECT_LT(info.columns[4].size_bytes, 2'000) << "equal steps are differences";
}

}  // namespace
}  // namespace lockstep
