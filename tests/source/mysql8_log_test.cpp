// What only MySQL writes: sets of ids, the events with ids, compressed transactions and JSON, from
// bytes made by their documented layout; cut, changed and made to do harm.
#include "source/mysql/binlog_json.h"
#include "source/mysql/binlog_payload.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/binlog_transaction.h"
#include "source/mysql8_bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lockstep::test {
namespace {

struct SetCase {
  std::string text;
  std::string canonical;
};

TEST(GtidSets, AreReadAsTheServerWritesThem) {
  const std::vector<SetCase> cases = {
      {"", ""},
      {kSource + ":1", kSource + ":1"},
      {kSource + ":1-5:7", kSource + ":1-5:7"},
      {kSource + ":7:1-5:6", kSource + ":1-7"},
      {"3E11FA47-71CA-11E1-9E33-C80AA9429562:1-3,\n " + kOtherSource + ":1-9",
       kSource + ":1-3," + kOtherSource + ":1-9"},
      {kSource + ":1-5:nightly:1-3:7", kSource + ":1-5," + kSource + ":nightly:1-3:7"},
      {kSource + ":nightly:1," + kSource + ":9", kSource + ":9," + kSource + ":nightly:1"},
  };
  for (const SetCase& one : cases) {
    const std::optional<GtidSet> set = parse_gtid_set(one.text);
    ASSERT_TRUE(set) << one.text;
    EXPECT_EQ(set->text(), one.canonical);
    EXPECT_EQ(parse_gtid_set(set->text()), set);
    EXPECT_EQ(parse_gtid_set_bytes(set->bytes()), set);
  }
  for (const std::string bad : {"x",
                                "0-1-4711",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:0",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:5-1",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2-3",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775807",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:99999999999999999999",
                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:nightly",
                                "3e11fa47-71ca-11e1-9e33-c80aa942956g:1"}) {
    EXPECT_FALSE(parse_gtid_set(bad)) << bad;
  }
}

TEST(GtidSets, TellWhatHappenedAndWhatIsMissing) {
  const GtidSet set = gtid_set(kSource + ":1-5:7:10-20," + kOtherSource + ":3");
  EXPECT_TRUE(set.has({kSource, 5}));
  EXPECT_FALSE(set.has({kSource, 6}));
  EXPECT_TRUE(set.has({kSource, 20}));
  EXPECT_FALSE(set.has({kSource, 21}));
  EXPECT_FALSE(set.has({kSource + ":nightly", 1}));
  EXPECT_TRUE(set.has_all(gtid_set(kSource + ":2-3:7:11")));
  EXPECT_FALSE(set.has_all(gtid_set(kSource + ":5-7")));
  EXPECT_TRUE(set.has_all({}));
  EXPECT_EQ(set.without(gtid_set(kSource + ":2-3:7:12-30")).text(),
            kSource + ":1:4-5:10-11," + kOtherSource + ":3");
  GtidSet grown = gtid_set(kSource + ":1-5");
  for (const std::uint64_t number : {7U, 9U, 8U, 6U, 6U})
    grown.add({kSource, number});
  EXPECT_EQ(grown, gtid_set(kSource + ":1-9"));
}

// The bytes of a set that MySQL's manual describes, and those with a tag.
TEST(GtidSets, AreTheBytesThatTheServerTakes) {
  const std::string plain = little(1, 8) + uuid_of(kSource) + little(2, 8) + little(1, 8) +
                            little(6, 8) + little(7, 8) + little(8, 8);
  EXPECT_EQ(gtid_set(kSource + ":1-5:7").bytes(), plain);
  EXPECT_EQ(GtidSet().bytes(), little(0, 8));
  const std::string tagged = little(1, 1) + little(2, 6) + little(1, 1) + uuid_of(kSource) +
                             little(0, 1) + little(1, 8) + little(1, 8) + little(4, 8) +
                             uuid_of(kSource) + little(8, 1) + "tag_" + little(1, 8) +
                             little(1, 8) + little(2, 8);
  EXPECT_EQ(gtid_set(kSource + ":1-3:tag_:1").bytes(), tagged);
  for (const std::string& whole : {plain, tagged}) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(parse_gtid_set_bytes(whole.substr(0, size))) << size;
    EXPECT_FALSE(parse_gtid_set_bytes(whole + "x"));
  }
  const std::string no_range = little(1, 8) + uuid_of(kSource) + little(1, 8) + little(5, 8);
  EXPECT_FALSE(parse_gtid_set_bytes(no_range + little(5, 8)));
  EXPECT_FALSE(parse_gtid_set_bytes(little(~std::uint64_t{0} >> 8, 8)));
}

std::string id_of(const std::string& bytes) {
  const Result<LogTransaction> begun =
      parse_log_transaction(parse_binlog_event(bytes, false).value());
  return begun.ok() ? gtid_text(begun.value().gtid) : begun.error().message;
}

TEST(MysqlTransactions, BeginWithAnIdWithATagAndWithNone) {
  EXPECT_EQ(id_of(mysql_gtid_event(23)), kSource + ":23");
  EXPECT_EQ(id_of(tagged_gtid_event(7, "nightly")), kSource + ":nightly:7");
  EXPECT_EQ(id_of(tagged_gtid_event(7, "")), kSource + ":7");
  EXPECT_NE(id_of(anonymous_event()).find("without an id"), std::string::npos);
  EXPECT_NE(id_of(mysql_gtid_event(0)).find("damaged"), std::string::npos);
  EXPECT_EQ(id_of(gtid_event({0, 1, 9})), "0-1-9");
  for (const std::string& whole : {mysql_gtid_event(23), tagged_gtid_event(7, "nightly")}) {
    BinlogEvent event = parse_binlog_event(whole, false).value();
    const std::string_view body = event.body;
    for (std::size_t size = 0; size + 2 < body.size(); ++size) {
      event.body = body.substr(0, size);
      const Result<LogTransaction> begun = parse_log_transaction(event);
      EXPECT_TRUE(!begun.ok() || size >= 25U);  // what is behind the id is not read
    }
  }
}

std::vector<std::string> unpacked(BinlogUnpacker& unpacker, const std::string& event) {
  std::vector<std::string> out;
  const Result<bool> begun = unpacker.begin(event);
  if (!begun.ok()) return {begun.error().message};
  while (begun.value()) {
    const auto next = unpacker.next();
    if (!next.ok()) return {next.error().message};
    if (!next.value()) break;
    out.emplace_back(*next.value());
  }
  return out;
}

const std::vector<std::string> kInside = {
    query_event("BEGIN"), log_event(23, std::string(200'000, 'x')), xid_event(0)};

TEST(BinlogPayload, GivesItsEventsOneByOneWithThePlaceOfTheWhole) {
  const std::string plain = joined(kInside);
  BinlogUnpacker unpacker;
  EXPECT_EQ(unpacked(unpacker, format_event()), std::vector<std::string>());
  for (const std::string& event :
       {payload_event(kInside, 700),
        payload_of({.algorithm = 255, .told = plain.size(), .payload = plain}, 700),
        // Two frames, one behind another.
        payload_of({.told = plain.size(),
                    .payload = zstd_of(kInside[0]) + zstd_of(kInside[1] + kInside[2])},
                   700)}) {
    const std::vector<std::string> events = unpacked(unpacker, event);
    ASSERT_EQ(events.size(), kInside.size());
    for (std::size_t at = 0; at < events.size(); ++at) {
      EXPECT_EQ(events[at].substr(17), kInside[at].substr(17));
      EXPECT_EQ(parse_binlog_event(events[at], false).value().end, 700U);
    }
  }
}

TEST(BinlogPayload, TellsWhatIsDamaged) {
  struct Case {
    std::string event;
    std::string said;
  };

  const std::string plain = joined(kInside);
  const std::string packed_bytes = zstd_of(plain);
  const std::string lie = little(0, 4) + little(2, 1) + little(1, 4) + little(1U << 31, 4) +
                          little(0, 4) + little(0, 2);
  const std::vector<Case> cases = {
      {payload_of({.told = plain.size(), .payload = packed_bytes.substr(0, 40)}), "cut short"},
      {payload_of({.told = plain.size() - 1, .payload = packed_bytes}), "more is in it"},
      {payload_of({.told = plain.size() + 1, .payload = packed_bytes}), "ends within an event"},
      {payload_of({.told = plain.size(), .payload = "no frame of zstd"}), "is damaged: "},
      {payload_of({.algorithm = 7, .payload = plain}), "method 7"},
      {payload_event({payload_event(kInside)}), "has another in it"},
      {payload_event({lie}), "an event of 2147483648 bytes"},
      {payload_event({log_event(16, "12345678").substr(0, 25)}), "ends within an event"},
      {log_event(40, "x"), "head is cut short"},
      {log_event(40, little(1, 1) + little(1, 1) + little(99, 1) + little(0, 1) + "short"),
       "it is cut short"},
  };
  for (const Case& one : cases) {
    BinlogUnpacker unpacker;
    const std::vector<std::string> said = unpacked(unpacker, one.event);
    ASSERT_FALSE(said.empty()) << one.said;
    EXPECT_NE(said.back().find(one.said), std::string::npos) << said.back().substr(0, 200);
  }
}

// A document from its pieces. Offsets count from the container's first byte.
class JsonBytes final {
 public:
  struct Value {
    int type;
    std::string bytes;
  };

  static bool stands_inline(const Value& value, std::size_t width) {
    const bool is_short = value.type == 4 || value.type == 5 || value.type == 6;
    return is_short || ((value.type == 7 || value.type == 8) && width == 4);
  }

  static Value array(const std::vector<Value>& values, std::size_t width = 2) {
    return container({}, values, width);
  }

  static Value object(const std::vector<std::string>& keys,
                      const std::vector<Value>& values,
                      std::size_t width = 2) {
    Value out = container(keys, values, width);
    out.type -= 2;
    return out;
  }

  static Value text(const std::string& text) {
    std::string size;
    std::size_t left = text.size();
    for (; left >= 128; left >>= 7)
      size += static_cast<char>(left % 128 + 128);
    return {12, size + static_cast<char>(left) + text};
  }

  static Value number(int type, std::uint64_t value, std::size_t size) {
    return {type, little(value, size)};
  }

  static Value real(double value) {
    std::string bytes(sizeof(value), '\0');
    std::copy_n(reinterpret_cast<const char*>(&value), sizeof(value), bytes.begin());
    return {11, bytes};
  }

  static Value opaque(int type, const std::string& bytes) {
    return {15, little(static_cast<std::uint64_t>(type), 1) + text(bytes).bytes};
  }

 private:
  static Value container(const std::vector<std::string>& keys,
                         const std::vector<Value>& values,
                         std::size_t width) {
    std::size_t at = 2 * width + keys.size() * (width + 2) + values.size() * (width + 1);
    std::string entries;
    std::string behind;
    for (const std::string& key : keys) {
      entries += little(at, width) + little(key.size(), 2);
      behind += key;
      at += key.size();
    }
    for (const Value& value : values) {
      entries += static_cast<char>(value.type);
      if (stands_inline(value, width)) {
        entries += value.bytes + std::string(width - value.bytes.size(), '\0');
        continue;
      }
      entries += little(at, width);
      behind += value.bytes;
      at += value.bytes.size();
    }
    return {width == 2 ? 2 : 3,
            little(values.size(), width) + little(at, width) + entries + behind};
  }
};

std::string document(const JsonBytes::Value& value) {
  return static_cast<char>(value.type) + value.bytes;
}

std::uint64_t packed_clock(std::uint64_t date, std::uint64_t time, std::uint64_t us) {
  return ((date << 17 | time) << 24) + us;
}

TEST(MysqlJson, IsTheTextOfASelect) {
  using J = JsonBytes;
  const J::Value null{4, little(0, 1)};
  const J::Value yes{4, little(1, 1)};
  const J::Value no{4, little(2, 1)};
  const std::uint64_t date = (2024 * 13 + 2) << 5 | 29;
  const std::uint64_t time = 23 << 12 | 59 << 6 | 58;

  struct Case {
    std::string bytes;
    std::string text;
  };

  const std::vector<Case> cases = {
      {"", "null"},
      {document(null), "null"},
      {document(J::array({yes, no, null})), "[true, false, null]"},
      {document(J::array({})), "[]"},
      {document(J::object({}, {})), "{}"},
      {document(J::object({"a", "bc"}, {J::number(5, 0xFFFF, 2), J::text("x\"\\\n\x01/é")})),
       "{\"a\": -1, \"bc\": \"x\\\"\\\\\\n\\u0001/é\"}"},
      {document(J::object({"k\""}, {J::array({J::object({"z"}, {null})})}, 4)),
       "{\"k\\\"\": [{\"z\": null}]}"},
      {document(J::array({J::number(6, 65'535, 2),
                          J::number(7, 0xFFFF'FFFF, 4),
                          J::number(8, 0xFFFF'FFFF, 4),
                          J::number(9, ~std::uint64_t{0}, 8),
                          J::number(10, ~std::uint64_t{0}, 8)})),
       "[65535, -1, 4294967295, -1, 18446744073709551615]"},
      {document(J::array({J::number(7, 7, 4), J::number(8, 8, 4)}, 4)), "[7, 8]"},
      {document(J::text(std::string(300, 'y'))), "\"" + std::string(300, 'y') + "\""},
      {document(
           J::opaque(246, little(10, 1) + little(2, 1) + std::string("\x80\0\x04\xD2\x38", 5))),
       "1234.56"},
      {document(J::opaque(10, little(packed_clock(date, 0, 0), 8))), "\"2024-02-29\""},
      {document(J::opaque(12, little(packed_clock(date, time, 120'000), 8))),
       "\"2024-02-29 23:59:58.120000\""},
      {document(J::opaque(11, little(packed_clock(0, time, 5), 8))), "\"23:59:58.000005\""},
      {document(J::opaque(11, little(0 - packed_clock(0, time, 5), 8))), "\"-23:59:58.000005\""},
      {document(J::opaque(252, "foobar")), "\"base64:type252:Zm9vYmFy\""},
      {document(J::opaque(16, "fo")), "\"base64:type16:Zm8=\""},
      {document(J::opaque(15, std::string(58, '\0'))),
       "\"base64:type15:" + std::string(76, 'A') + "\\nAA==\""},
  };
  for (const Case& one : cases)
    EXPECT_EQ(mysql_json_text(one.bytes), one.text);
}

TEST(MysqlJson, WritesRealNumbersAsTheServerDoes) {
  struct Case {
    double number;
    std::string text;
  };

  // As MySQL 8 shows them.
  const std::vector<Case> cases = {{0.0, "0.0"},
                                   {-0.0, "-0.0"},
                                   {1, "1.0"},
                                   {-2.5, "-2.5"},
                                   {0.1, "0.1"},
                                   {1.5e-5, "0.000015"},
                                   {1e-15, "0.000000000000001"},
                                   {1e-16, "1e-16"},
                                   {1e14, "100000000000000.0"},
                                   {1e15, "1e15"},
                                   {9'007'199'254'740'992, "9.007199254740992e15"},
                                   {1234567890123456.8, "1234567890123456.8"},
                                   {-1.7976931348623157e308, "-1.7976931348623157e308"},
                                   {5e-324, "5e-324"}};
  for (const Case& one : cases) {
    std::string out;
    append_mysql_double(one.number, out);
    EXPECT_EQ(out, one.text);
    EXPECT_EQ(mysql_json_text(document(JsonBytes::real(one.number))), one.text);
  }
}

TEST(MysqlJson, RefusesBytesThatAreNone) {
  using J = JsonBytes;
  J::Value deep = J::array({}, 4);
  for (int level = 0; level < 99; ++level)
    deep = J::array({deep}, 4);
  EXPECT_TRUE(mysql_json_text(document(deep)));
  deep = J::array({deep}, 4);
  EXPECT_FALSE(mysql_json_text(document(deep)));
  // Forty levels of two elements that are the same bytes: 2^40 of the innermost.
  J::Value fan = J::array({});
  for (int level = 0; level < 40; ++level)
    fan = {2,
           little(2, 2) + little(10 + fan.bytes.size(), 2) + "\x02" + little(10, 2) + "\x02" +
               little(10, 2) + fan.bytes};
  EXPECT_FALSE(mysql_json_text(document(fan)));
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(mysql_json_text(document(J::real(infinite))));
  for (const std::string& bad : {std::string("\x0D", 1),
                                 std::string("\x04\x03", 2),
                                 std::string("\x0C\x05zz", 4),
                                 std::string("\x0C\xFF\xFF\xFF\xFF\xFF\x01", 7),
                                 std::string("\x02\x01\0\x07\0\x02\0\0", 8),
                                 std::string("\0\x01\0\x0B\0\xFF\xFF\x01\0\x04\0\0", 12),
                                 document(J::opaque(246, "\x02\x05\x80")),
                                 document(J::opaque(12, "1234567"))}) {
    EXPECT_FALSE(mysql_json_text(bad)) << static_cast<int>(bad.front());
  }
  const std::string whole = document(
      J::object({"a", "b"}, {J::text("x"), J::array({J::number(9, 1, 8), J::opaque(252, "y")})}));
  for (std::size_t size = 1; size < whole.size(); ++size)
    EXPECT_FALSE(mysql_json_text(whole.substr(0, size))) << size;
}

// Whatever the bytes are: an answer, and no read behind their end.
TEST(MysqlJson, SurvivesBytesThatWereChanged) {
  using J = JsonBytes;
  const std::string whole = document(J::object({"a", "bb", "ccc"},
                                               {J::array({J::number(7, 1, 4), J::real(0.5)}),
                                                J::opaque(246, "\x05\x02\x80\x01\x02"),
                                                J::object({"d"}, {J::text("text")}, 4)}));
  ASSERT_TRUE(mysql_json_text(whole));
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t change = random() % 4 + 1; change > 0; --change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % 4 == 0 ? random() % bytes.size() + 1 : bytes.size());
    const std::optional<std::string> text = mysql_json_text(bytes);
    EXPECT_LT(text.value_or("").size(), 100'000U);
  }
}

TEST(Binlog, KnowsAVectorsPlaceAmongTheColumns) {
  LogTable table;
  LogColumn column;
  column.type = 242;
  column.metadata = 4;
  table.columns.push_back(column);
  ASSERT_TRUE(cell_sizes(table).ok());
  EXPECT_EQ(cell_sizes(table).value()[0].prefix, 4);
  table.columns[0].type = 20;
  EXPECT_EQ(cell_sizes(table).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace lockstep::test
