// One row of a Parquet file is read by its pages alone, and is the row that its row group has.
#include "table/files.h"
#include "table/parquet.h"

#include <gtest/gtest.h>

#include <random>

namespace lockstep {
namespace {

constexpr std::int64_t kRows = 11'000;

std::vector<ParquetColumn> every_column() {
  return {{{"id", Type::kInt}, 1},
          {{"flag", Type::kBool}, 2},
          {{"distinct", Type::kFloat}, 3},
          {{"few", Type::kFloat}, 4},
          {{"note", Type::kText}, 5},
          {{"day", Type::kDate}, 6},
          {{"time", Type::kTimestamp}, 7},
          {{"nothing", Type::kFloat}, 8}};
}

Schema schema_of(const std::vector<ParquetColumn>& columns) {
  std::vector<Field> fields;
  for (const ParquetColumn& column : columns)
    fields.push_back(column.field);
  return Schema(std::move(fields));
}

Batch random_rows(std::int64_t count) {
  std::mt19937_64 random(7);
  BatchBuilder rows(schema_of(every_column()));
  for (std::int64_t row = 0; row < count; ++row) {
    const auto number = static_cast<std::int64_t>(random() >> 20U);
    std::vector<Value> values = {
        row * 3,
        number % 2 == 0,
        static_cast<double>(number) / 7,
        static_cast<double>(number % 10),
        std::string(static_cast<std::size_t>(number % 23), static_cast<char>('a' + number % 7)),
        Date{static_cast<std::int32_t>(number % 20'000)},
        Timestamp{number},
        Value{}};
    for (std::size_t column = 1; column < values.size(); ++column) {
      if (random() % 9 == 0) values[column] = Value{};
    }
    rows.append_row(values, 1);
  }
  return rows.finish().value();
}

void write(test::Folder& folder, const Batch& rows, const ParquetWriteOptions& options) {
  auto writer =
      open_parquet_writer(folder.io(), folder.path("a.parquet"), every_column(), options).value();
  for (std::int64_t start = 0; start < rows.row_count(); start += 900)
    ASSERT_TRUE(
        writer->write(rows.slice(start, std::min<std::int64_t>(900, rows.row_count() - start)))
            .ok());
  ASSERT_TRUE(writer->finish().ok());
}

TEST(ParquetPages, OfARowAreThoseOfItsRowGroup) {
  test::Folder folder;
  const Batch rows = random_rows(kRows);
  write(folder, rows, {.row_group_rows = 5000});
  const auto reader = open_parquet_reader(folder.io(), folder.path("a.parquet")).value();
  std::vector<ParquetColumn> columns = every_column();
  std::swap(columns[0], columns[4]);  // another order, and one that the file lacks
  columns.push_back({{"added", Type::kText}, 9});
  std::int64_t next = 0;
  while (next < kRows) {
    const RowRange piece = reader->piece_at(next + (next / 7) % 10);
    ASSERT_EQ(piece.start, next);
    ASSERT_LE(piece.count, ParquetWriteOptions{}.page_rows);
    ASSERT_TRUE(piece.holds(next));
    const Batch read = reader->read_piece(piece, columns).value();
    ASSERT_EQ(read.row_count(), piece.count);
    for (std::int64_t row = 0; row < piece.count; ++row) {
      for (int column = 0; column < 8; ++column) {
        const int from = column == 0 ? 4 : column == 4 ? 0 : column;
        const Value expected = rows.value(from, piece.start + row);
        ASSERT_EQ(read.value(column, row), expected) << piece.start + row << " " << column;
      }
      ASSERT_TRUE(read.is_null(8, row));
    }
    next += piece.count;
  }
}

TEST(ParquetPages, OfAnyLengthGiveTheSameRows) {
  const Batch rows = random_rows(3000);
  for (const std::int64_t page_rows : {100, 2048, 100'000}) {
    test::Folder folder;
    write(folder, rows, {.page_rows = page_rows});
    const auto reader = open_parquet_reader(folder.io(), folder.path("a.parquet")).value();
    for (const std::int64_t row : {0, 2047, 2048, 2999}) {
      const RowRange piece = reader->piece_at(row);
      const Batch read = reader->read_piece(piece, every_column()).value();
      for (int column = 0; column < 8; ++column)
        ASSERT_EQ(read.value(column, row - piece.start), rows.value(column, row));
    }
  }
}

// Whatever byte is wrong, the answer is an error or rows, never a crash; and pages say so where
// they are not what the index says.
TEST(ParquetPages, ThatAreDamagedAreToldOrRead) {
  test::Folder folder;
  write(folder, random_rows(3000), {.row_group_rows = 1500});
  const std::string whole = folder.read("a.parquet");
  std::mt19937_64 random(11);
  int refused = 0;
  for (int damage = 0; damage < 300; ++damage) {
    std::string bytes = whole;
    bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    folder.write("b.parquet", bytes);
    const auto reader = open_parquet_reader(folder.io(), folder.path("b.parquet"));
    if (!reader.ok() || reader.value()->row_count() < 2900) {
      ++refused;
      continue;
    }
    for (const std::int64_t row : {100, 1600}) {
      const RowRange piece = reader.value()->piece_at(row);
      if (!reader.value()->read_piece(piece, every_column()).ok()) ++refused;
    }
  }
  EXPECT_GT(refused, 10);
}

}  // namespace
}  // namespace lockstep
