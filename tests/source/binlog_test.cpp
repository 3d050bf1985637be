// The binary log's events and values: recorded bytes, every cut of them, and tables of each form.
#include "source/mysql/binlog.h"

#include "source/binlog_recorded.h"
#include "source/mysql/binlog_decimal.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/binlog_statement.h"
#include "source/mysql/binlog_types.h"
#include "source/mysql/binlog_values.h"
#include "table/scalar_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

BinlogEvent event_of(const std::string& bytes) {
  return parse_binlog_event(bytes, true).value();
}

// The recorded table's columns, as its catalog had them.
struct RecordedColumn {
  MysqlKind kind;
  Type type;
  MysqlCharset charset = MysqlCharset::kUtf8;
};

const std::vector<RecordedColumn> kRecorded = {
    {MysqlKind::kInt, Type::kInt},
    {MysqlKind::kInt, Type::kText},
    {MysqlKind::kInt, Type::kInt},
    {MysqlKind::kYear, Type::kInt},
    {MysqlKind::kDecimal, Type::kFloat},
    {MysqlKind::kFloat, Type::kFloat},
    {MysqlKind::kDouble, Type::kFloat},
    {MysqlKind::kText, Type::kText},
    {MysqlKind::kText, Type::kText, MysqlCharset::kLatin1},
    {MysqlKind::kText, Type::kText},
    {MysqlKind::kText, Type::kText},
    {MysqlKind::kText, Type::kText},
    {MysqlKind::kBit, Type::kInt},
    {MysqlKind::kDate, Type::kDate},
    {MysqlKind::kTime, Type::kText},
    {MysqlKind::kDatetime, Type::kTimestamp},
    {MysqlKind::kTimestamp, Type::kTimestamp},
    {MysqlKind::kUuid, Type::kText},
    {MysqlKind::kInt, Type::kInt},
};

std::vector<std::string> texts_of(const LogTable& table, const std::vector<LogCell>& cells) {
  std::vector<std::string> texts;
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const RecordedColumn& as = kRecorded.at(column);
    EXPECT_TRUE(can_be(table.columns[column], as.kind)) << table.columns[column].name;
    if (cells[column].kind != LogCell::Kind::kValue) {
      texts.emplace_back(cells[column].kind == LogCell::Kind::kNull ? "null" : "absent");
      continue;
    }
    const LogReading reading = make_log_reading(
        {.kind = as.kind, .charset = as.charset, .type = as.type}, table.columns[column]);
    ReadCell cell;
    std::string scratch;
    const auto failed = read_log_cell(cells[column].bytes, reading, cell, scratch);
    texts.push_back(failed ? "no: " + *failed : value_text(value_of(cell, as.type)));
  }
  return texts;
}

TEST(Binlog, ReadsARecordedTransactionWithEachOfItsValues) {
  const std::string table_bytes = bytes_of_hex(kTableMapEvent);
  const LogTable table = parse_table_map(event_of(table_bytes).body).value();
  EXPECT_EQ(table.database + "." + table.table, "shop.v");
  ASSERT_EQ(table.columns.size(), kRecorded.size());
  EXPECT_TRUE(table.has_names());
  EXPECT_EQ(table.columns[17].name, "u");
  EXPECT_TRUE(table.columns[1].is_unsigned);
  EXPECT_FALSE(table.columns[2].is_unsigned);
  EXPECT_EQ(table.columns[11].labels, (std::vector<std::string>{"x", "y", "z"}));
  const std::vector<CellSize> sizes = cell_sizes(table).value();

  const std::string insert_bytes = bytes_of_hex(kInsertEvent);
  LogRows rows;
  ASSERT_TRUE(parse_log_rows(event_of(insert_bytes), rows).ok());
  EXPECT_EQ(rows.table, table.id);
  std::vector<LogCell> cells;
  std::string_view rest = rows.rows;
  ASSERT_TRUE(take_row_image(rest, {rows.before, rows.column_count}, sizes, cells).ok());
  EXPECT_TRUE(rest.empty());
  const std::vector<std::string> inserted = texts_of(table, cells);
  EXPECT_EQ(inserted,
            (std::vector<std::string>{"1",
                                      "18446744073709551615",
                                      "-3",
                                      "2024",
                                      "-1234.56",
                                      "1.1",
                                      "0.1",
                                      "ab",
                                      "é",
                                      "t€",
                                      "b",
                                      "x,z",
                                      "21",
                                      "2024-02-29",
                                      "-838:59:59.123",
                                      "2024-02-29 23:59:59.123456+00",
                                      "2024-02-29 23:59:59.12+00",
                                      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                      "null"}));

  const std::string update_bytes = bytes_of_hex(kUpdateEvent);
  ASSERT_TRUE(parse_log_rows(event_of(update_bytes), rows).ok());
  EXPECT_EQ(rows.kind, RowsKind::kUpdate);
  rest = rows.rows;
  ASSERT_TRUE(take_row_image(rest, {rows.before, rows.column_count}, sizes, cells).ok());
  EXPECT_EQ(texts_of(table, cells), inserted);
  ASSERT_TRUE(take_row_image(rest, {rows.after, rows.column_count}, sizes, cells).ok());
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(texts_of(table, cells).front(), "2");
  EXPECT_EQ(texts_of(table, cells).back(), "7");
}

TEST(Binlog, ReadsTheRecordedEventsAroundRows) {
  const std::string format = bytes_of_hex(kFormatEvent);
  EXPECT_TRUE(parse_binlog_format(event_of(format)).value());
  const std::string gtid = bytes_of_hex(kGtidEvent);
  EXPECT_EQ(parse_binlog_gtid(event_of(gtid)).value().gtid.server, 1u);
  EXPECT_FALSE(parse_binlog_gtid(event_of(gtid)).value().is_standalone);
  const std::string truncate = bytes_of_hex(kTruncateEvent);
  const BinlogQuery query = parse_binlog_query(event_of(truncate).body, false).value();
  EXPECT_EQ(query.database, "shop");
  EXPECT_EQ(query.statement, "TRUNCATE TABLE v");
}

TEST(Binlog, TellsAnEventWithACutOrAByteChanged) {
  for (const std::string_view hex : {kGtidEvent,
                                     kTableMapEvent,
                                     kInsertEvent,
                                     kUpdateEvent,
                                     kDeleteEvent,
                                     kTruncateEvent,
                                     kXidEvent}) {
    const std::string whole = bytes_of_hex(hex);
    EXPECT_TRUE(ends_in_checksum(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(parse_binlog_event(std::string_view(whole).substr(0, size), true).ok()) << size;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ 0x10);
      EXPECT_FALSE(ends_in_checksum(bad)) << at;
    }
  }
}

// Of a server without checksums nothing vouches for the bytes: none may be read behind their end.
TEST(Binlog, ReadsNoCutBodyBehindItsEnd) {
  const std::string table_bytes = bytes_of_hex(kTableMapEvent);
  const std::string_view table_body = event_of(table_bytes).body;
  const LogTable table = parse_table_map(table_body).value();
  const std::vector<CellSize> sizes = cell_sizes(table).value();
  std::size_t failed_count = 0;
  for (std::size_t size = 0; size < table_body.size(); ++size) {
    const std::string cut(table_body.substr(0, size));
    failed_count += parse_table_map(cut).ok() ? 0 : 1;
  }
  EXPECT_GT(failed_count, table_body.size() / 2);
  for (const std::string_view hex : {kInsertEvent, kUpdateEvent}) {
    const std::string bytes = bytes_of_hex(hex);
    BinlogEvent event = event_of(bytes);
    const std::string_view body = event.body;
    for (std::size_t size = 0; size < body.size(); ++size) {
      const std::string cut(body.substr(0, size));
      event.body = cut;
      LogRows rows;
      if (!parse_log_rows(event, rows).ok()) continue;
      std::vector<LogCell> cells;
      std::string_view rest = rows.rows;
      bool is_good = true;
      while (is_good && !rest.empty())
        is_good = take_row_image(rest, {rows.before, rows.column_count}, sizes, cells).ok();
      const bool is_between = rows.kind == RowsKind::kUpdate && rest.empty();
      EXPECT_TRUE(!is_good || rows.rows.empty() || is_between) << size;
    }
  }
}

struct DecimalCase {
  std::string hex;
  unsigned precision;
  unsigned scale;
  std::string text;
};

TEST(Binlog, ReadsDecimals) {
  const std::vector<DecimalCase> cases = {
      {"800004d238", 10, 2, "1234.56"},
      {"7ffffb2dc7", 10, 2, "-1234.56"},
      {"800000000000", 12, 2, "0.00"},
      {"81", 1, 0, "1"},
      {"7e", 1, 0, "-1"},
      {"85", 1, 1, "0.5"},
      {"80", 1, 1, "0.0"},
      {"bb9ac9ff", 9, 0, "999999999"},
      {"800000000000000000000000000000000000000000000000000000000001",
       65,
       30,
       "0.000000000000000000000000000001"},
  };
  for (const DecimalCase& one : cases) {
    const std::string bytes = bytes_of_hex(one.hex);
    const LogDecimal decimal(bytes, one.precision, one.scale);
    EXPECT_EQ(decimal.text(), one.text) << one.hex;
    if (const auto number = decimal.exact_double()) {
      EXPECT_EQ(*number, float_of_text(one.text, false)) << one.hex;
    }
  }
}

struct StatementCase {
  std::string statement;
  LogStatement::Kind kind;
  std::vector<TableName> tables;
};

TEST(Binlog, TellsWhatStatementsDo) {
  using Kind = LogStatement::Kind;
  const std::vector<StatementCase> cases = {
      {"BEGIN", Kind::kBegin, {}},
      {"COMMIT", Kind::kCommit, {}},
      {"ROLLBACK", Kind::kRollback, {}},
      {"ROLLBACK TO `a`", Kind::kRollbackTo, {}},
      {"SAVEPOINT `a`", Kind::kOther, {}},
      {"truncate t", Kind::kTruncate, {{"shop", "t"}}},
      {"TRUNCATE TABLE `other`.`a``b`", Kind::kTruncate, {{"other", "a`b"}}},
      {"/* a comment; 'not a text */ TRUNCATE /*!50000 TABLE */ t",
       Kind::kTruncate,
       {{"shop", "t"}}},
      {"-- first\nALTER TABLE t ADD x int", Kind::kDefinition, {{"shop", "t"}}},
      {"ALTER ONLINE IGNORE TABLE x.t ADD y int", Kind::kDefinition, {{"x", "t"}}},
      {"CREATE OR REPLACE TABLE IF NOT EXISTS t (id int)", Kind::kDefinition, {{"shop", "t"}}},
      {"DROP TABLE IF EXISTS `t`, `u` /* generated by server */",
       Kind::kDefinition,
       {{"shop", "t"}}},
      {"RENAME TABLE t TO u", Kind::kDefinition, {{"shop", "t"}}},
      {"DROP DATABASE IF EXISTS shop", Kind::kDropDatabase, {{"shop", ""}}},
      {"CREATE DATABASE shop", Kind::kOther, {{"shop", ""}}},
      {"CREATE INDEX i ON t(x)", Kind::kOther, {}},
      {"CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.x = 1", Kind::kOther, {}},
      {"GRANT SELECT ON t TO u", Kind::kOther, {}},
      {"# note\nINSERT INTO t VALUES ('TRUNCATE t')", Kind::kRows, {}},
      {"UPDATE t SET x = 1", Kind::kRows, {}},
      {"LOAD DATA INFILE 'x' INTO TABLE t", Kind::kRows, {}},
      {"", Kind::kOther, {}},
      {"'", Kind::kOther, {}},
      {"`", Kind::kOther, {}},
      {"/*", Kind::kOther, {}},
  };
  for (const StatementCase& one : cases) {
    const LogStatement found = parse_log_statement(one.statement, "shop");
    EXPECT_EQ(found.kind, one.kind) << one.statement;
    EXPECT_EQ(found.tables, one.tables) << one.statement;
  }
  const LogStatement renamed = parse_log_statement("RENAME TABLE a TO b, `Visits` TO c", "shop");
  EXPECT_TRUE(renamed.mentions("visits"));
  EXPECT_FALSE(renamed.mentions("visit"));
  EXPECT_FALSE(parse_log_statement("ALTER TABLE a COMMENT 'visits'", "shop").mentions("visits"));
}

TEST(Binlog, TurnsTextsOfEachCharacterSetToUtf8) {
  EXPECT_EQ(utf8_of("\xE9\x80\x81", MysqlCharset::kLatin1), "é€\xC2\x81");
  EXPECT_EQ(utf8_of(std::string_view("\0a\xD8\x3D\xDE\x00", 6), MysqlCharset::kUtf16), "a😀");
  EXPECT_EQ(utf8_of(std::string_view("a\0\x3D\xD8\x00\xDE", 6), MysqlCharset::kUtf16Little), "a😀");
  EXPECT_EQ(utf8_of(std::string_view("\0\1\xF6\0", 4), MysqlCharset::kUtf32), "😀");
  EXPECT_EQ(utf8_of("abc", MysqlCharset::kUtf16), std::nullopt);
  EXPECT_EQ(utf8_of(std::string_view("\xD8\x3D\0a", 4), MysqlCharset::kUtf16), std::nullopt);
  EXPECT_EQ(utf8_of(std::string_view("\0\xFF\0\0", 4), MysqlCharset::kUtf32), std::nullopt);
}

}  // namespace
}  // namespace lockstep::test
