#include "table/parquet.h"

#include "base/io.h"
#include "table/files.h"
#include "table/values.h"

#include <gtest/gtest.h>

#include <limits>

namespace lockstep {
namespace {

std::vector<ParquetColumn> columns_of(const Schema& schema) {
  std::vector<ParquetColumn> columns;
  for (const Field& field : schema.fields()) {
    columns.push_back({field, 10 + static_cast<int>(columns.size())});
  }
  return columns;
}

ParquetFileInfo write(Io& io,
                      const std::string& path,
                      const std::vector<Batch>& batches,
                      const ParquetWriteOptions& options = {}) {
  auto writer =
      open_parquet_writer(io, path, columns_of(batches.front().schema()), options).value();
  for (const Batch& batch : batches)
    EXPECT_TRUE(writer->write(batch).ok());
  return writer->finish().value();
}

Batch read_all(ParquetReader& reader, const std::vector<ParquetColumn>& columns) {
  std::vector<Batch> parts;
  Schema schema;
  std::vector<Field> fields;
  for (const ParquetColumn& column : columns)
    fields.push_back(column.field);
  for (int group = 0; group < reader.row_group_count(); ++group) {
    EXPECT_EQ(reader.row_group_start(group),
              parts.empty() ? 0 : reader.row_group_start(group - 1) + parts.back().row_count());
    parts.push_back(reader.read_row_group(group, columns).value());
  }
  return concatenate(Schema(fields), parts).value();
}

TEST(Parquet, GivesBackEveryTypeInRowGroups) {
  test::Folder folder;
  const Batch batch = test::every_type();
  const std::vector<Batch> batches = {batch, batch, batch.slice(0, 0), batch.with_all_signs(-1)};
  const ParquetFileInfo info = write(folder.io(), folder.path("a.parquet"), batches, {5, 3});
  EXPECT_EQ(info.row_count, 12);
  EXPECT_EQ(info.size_bytes, folder.read("a.parquet").size());
  auto reader = open_parquet_reader(folder.io(), folder.path("a.parquet")).value();
  EXPECT_EQ(reader->row_count(), 12);
  EXPECT_EQ(reader->row_group_count(), 3);
  const std::vector<Batch> entered = {batch, batch, batch};
  EXPECT_TRUE(read_all(*reader, columns_of(batch.schema()))
                  .equals(concatenate(batch.schema(), entered).value()));
}

TEST(Parquet, KnowsItsFooterAndTheSizesOfItsColumns) {
  test::Folder folder;
  const ParquetFileInfo info = write(folder.io(), folder.path("a.parquet"), {test::every_type()});
  const std::string bytes = folder.read("a.parquet");
  ASSERT_EQ(bytes.substr(bytes.size() - 4), "PAR1");
  const auto low = static_cast<unsigned char>(bytes[bytes.size() - 8]);
  const auto high = static_cast<unsigned char>(bytes[bytes.size() - 7]);
  EXPECT_EQ(info.footer_bytes, low + 256u * high);
  std::int64_t columns_bytes = 0;
  for (const ParquetColumnStatistics& one : info.columns) {
    EXPECT_GT(one.size_bytes, 0);
    columns_bytes += one.size_bytes;
  }
  EXPECT_LT(static_cast<std::uint64_t>(columns_bytes) + info.footer_bytes + 12, info.size_bytes);
}

// DuckDB orders NaN above all numbers, bounds within a file leave it out: `x > 5` lost such rows.
TEST(Parquet, HasNoBoundsOfNumbersInTheFile) {
  test::Folder folder;
  BatchBuilder rows(Schema({{"x", Type::kFloat}, {"note", Type::kText}}));
  for (const double x : {1.0, std::numeric_limits<double>::quiet_NaN(), 12345.5})
    rows.append_row(std::vector<Value>{x, std::string("bounded")});
  const ParquetFileInfo info =
      write(folder.io(), folder.path("a.parquet"), {rows.finish().value()}, {.zstd_level = 1});
  const std::string bytes = folder.read("a.parquet");
  const std::string footer = bytes.substr(bytes.size() - 8 - info.footer_bytes);
  const double high = 12345.5;
  const std::string bound(reinterpret_cast<const char*>(&high), sizeof high);
  EXPECT_EQ(footer.find(bound), std::string::npos);
  EXPECT_NE(footer.find("bounded"), std::string::npos);
}

TEST(Parquet, FindsColumnsByIdWhateverTheirName) {
  test::Folder folder;
  const Batch batch = test::every_type();
  write(folder.io(), folder.path("a.parquet"), {batch});
  auto reader = open_parquet_reader(folder.io(), folder.path("a.parquet")).value();
  const std::vector<ParquetColumn> wanted = {
      {{"words", Type::kText}, 13}, {{"new", Type::kFloat}, 99}, {{"count", Type::kInt}, 11}};
  const Batch rows = reader->read_row_group(0, wanted).value();
  EXPECT_EQ(rows.schema().names(), (std::vector<std::string>{"words", "new", "count"}));
  EXPECT_EQ(rows.text_at(0, 3), "é漢");
  EXPECT_EQ(rows.int_at(2, 0), 17);
  for (int row = 0; row < 4; ++row)
    EXPECT_TRUE(rows.is_null(1, row));
  const Result<Batch> other =
      reader->read_row_group(0, std::vector<ParquetColumn>{{{"x", Type::kInt}, 13}});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Code::kCorrupt);
}

TEST(Parquet, HasExactStatisticsOfAnyRows) {
  test::Folder folder;
  int number = 0;
  test::check("statistics", [&] {
    const Batch batch = *test::any_batch(40);
    const std::int64_t cut = *rc::gen::inRange<std::int64_t>(0, batch.row_count() + 1);
    const std::string name = std::to_string(number++) + ".parquet";
    const ParquetFileInfo info =
        write(folder.io(),
              folder.path(name),
              {batch.slice(0, cut), batch.slice(cut, batch.row_count() - cut)});
    auto reader = open_parquet_reader(folder.io(), folder.path(name)).value();
    RC_ASSERT(read_all(*reader, columns_of(batch.schema())).equals(batch));
    for (int column = 0; column < batch.schema().size(); ++column) {
      ParquetColumnStatistics expected;
      for (std::int64_t row = 0; row < batch.row_count(); ++row) {
        const Value value = batch.value(column, row);
        const bool is_nan =
            std::holds_alternative<double>(value) && std::isnan(std::get<double>(value));
        expected.null_count += is_null(value) ? 1 : 0;
        expected.has_nan = expected.has_nan || is_nan;
        if (is_null(value) || is_nan) continue;
        if (is_null(expected.min) || value < expected.min) expected.min = value;
        if (is_null(expected.max) || expected.max < value) expected.max = value;
      }
      const ParquetColumnStatistics& found = info.columns[static_cast<std::size_t>(column)];
      RC_ASSERT(found.null_count == expected.null_count);
      RC_ASSERT(found.has_nan == expected.has_nan);
      RC_ASSERT(found.min == expected.min);
      RC_ASSERT(found.max == expected.max);
    }
  });
}

TEST(Parquet, RefusesToWriteOverAFile) {
  test::Folder folder;
  folder.write("a.parquet", "mine");
  const Result<std::unique_ptr<ParquetWriter>> writer = open_parquet_writer(
      folder.io(), folder.path("a.parquet"), columns_of(test::every_type_schema()));
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(folder.read("a.parquet"), "mine");
}

TEST(Parquet, ReportsAFailedWriteAndAFailedSync) {
  for (const IoOperation failing : {IoOperation::kWrite, IoOperation::kSync}) {
    test::Folder folder;
    folder.io().observe([failing](IoOperation operation, std::string_view) -> Result<void> {
      if (operation == failing) return make_error(Code::kIo, "no space left on the device");
      return {};
    });
    auto writer = open_parquet_writer(
        folder.io(), folder.path("a.parquet"), columns_of(test::every_type_schema()));
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(writer.value()->write(test::every_type()).ok());
    const Result<ParquetFileInfo> info = writer.value()->finish();
    ASSERT_FALSE(info.ok());
    EXPECT_EQ(info.error().code, Code::kIo);
    EXPECT_NE(info.error().message.find("no space left"), std::string::npos);
  }
}

// A damaged file is an error or other rows of the same shape, never a crash.
void read_damaged(test::Folder& folder, const std::string& bytes) {
  folder.write("damaged.parquet", bytes);
  auto reader = open_parquet_reader(folder.io(), folder.path("damaged.parquet"));
  if (!reader.ok()) {
    EXPECT_EQ(reader.error().code, Code::kCorrupt);
    return;
  }
  const std::vector<ParquetColumn> columns = columns_of(test::every_type_schema());
  for (int group = 0; group < reader.value()->row_group_count(); ++group) {
    const Result<Batch> batch = reader.value()->read_row_group(group, columns);
    EXPECT_TRUE(batch.ok() || batch.error().code == Code::kCorrupt ||
                batch.error().code == Code::kIo || batch.error().code == Code::kUnsupported)
        << batch.error().message;
  }
}

TEST(Parquet, SurvivesEveryTruncationAndEveryFlippedByte) {
  test::Folder folder;
  write(folder.io(), folder.path("good.parquet"), {test::every_type()});
  const std::string good = folder.read("good.parquet");
  for (std::size_t length = 0; length < good.size(); ++length) {
    folder.write("damaged.parquet", good.substr(0, length));
    EXPECT_FALSE(open_parquet_reader(folder.io(), folder.path("damaged.parquet")).ok());
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(~bytes[at]);
    read_damaged(folder, bytes);
  }
}

}  // namespace
}  // namespace lockstep
