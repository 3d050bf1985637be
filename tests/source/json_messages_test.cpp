// Format `json`: each message, and what becomes of it.
#include "source/kafka_messages.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace lockstep::test {
namespace {

const Schema kWide({{"id", Type::kInt},
                    {"on", Type::kBool},
                    {"sbp", Type::kFloat},
                    {"note", Type::kText},
                    {"day", Type::kDate},
                    {"at", Type::kTimestamp}});

void expect_all(const std::vector<MessageCase>& cases,
                const std::string& more = {},
                const std::vector<std::string>& key = {"id"}) {
  expect_told({.more = more, .schema = kWide, .key = key}, cases);
}

std::string told_of_text(const std::string& text) {
  return told_of({.schema = kWide, .key = {"id"}}, {{{}, text, {}}});
}

TEST(JsonMessages, BecomeRows) {
  expect_all({
      {{},
       R"({"id":1,"on":true,"sbp":1.5,"note":"a","day":"2026-01-31","at":"2026-01-31T08:00:00Z"})",
       "U 1,true,1.5,a,2026-01-31,2026-01-31 08:00:00+00"},
      {{}, R"( {"at":null , "id":2, "other":{"deep":[1]}} )", "U 2,,,,,"},
      {{}, R"({"id":3,"sbp":7,"note":"\u00e9\n"})", "U 3,,7,\xc3\xa9\n,,"},
      {{}, R"({"id":4,"sbp":"nan"})", "U 4,,nan,,,"},
      {{},
       R"({"id":9223372036854775807,"sbp":123456789012345678901234567890})",
       "U 9223372036854775807,,1.2345678901234568e+29,,,"},
  });
}

TEST(JsonMessages, ThatAreNoRowsAreRefusedWithTheirKey) {
  expect_all({
      {{}, "", "decode: the message is not JSON: character 1 is unexpected"},
      {{}, "[1]", "decode: the message is not an object"},
      {{}, R"({"id":1,"id":2})", "decode: the message has two values for 'id'"},
      {"7", "{", "decode: the message is not JSON: character 2 is unexpected [7]"},
      {{}, R"({"id":1,"sbp":"1.5"})", "decode: column 'sbp': the text '1.5' is not a float [1]"},
      {{}, R"({"id":1,"note":[1]})", "decode: column 'note': a nested value is not taken [1]"},
      {{},
       R"({"id":1,"at":1700000000})",
       "decode: column 'at': '1700000000' is not a timestamp; what does it count? write time_unit: "
       "ms, or s, us, ns [1]"},
      {{}, R"({"id":null,"sbp":1})", "key: key column 'id' has no value"},
      {{}, R"({"sbp":1})", "key: key column 'id' has no value"},
      {{},
       R"({"id":9223372036854775808})",
       "decode: column 'id': '9223372036854775808' is not an int"},
      {{}, "\xff\xfe", "decode: the message is not JSON: character 1 is unexpected"},
  });
}

TEST(JsonMessages, WithoutAValueDeleteTheRowOfTheirKey) {
  expect_all({
      {R"({"id":5})", {}, "D 5,,,,,"},
      {"5", {}, "D 5,,,,,"},
      {"five",
       {},
       "key: a message without a value: the message's key is not JSON: character 2 is unexpected; "
       "write message_key: text where it is a plain text"},
      {R"("five")", {}, "key: column 'id': the text 'five' is not an int"},
      {R"({"no":5})", {}, "key: key column 'id' has no value"},
      {{}, {}, "key: a message without a value: the message has no key"},
  });
  expect_all({{"5", {}, "D 5,,,,,"}, {"five", {}, "key: column 'id': 'five' is not an int"}},
             ", message_key: text");
  expect_all({{"five", {}, "D ,,,five,,"},
              {"a\xff", {}, "key: column 'note': the text is not UTF-8, or holds a NUL"}},
             ", message_key: text",
             {"note"});
  expect_all(
      {{"5",
        {},
        "key: a message without a value: the message's key is not looked at: message_key is none"}},
      ", message_key: none");
  expect_all(
      {{"5",
        {},
        "key: a message without a value: the message's key is 5, and the dataset's has 2 columns"},
       {R"({"id":1,"note":"x"})", {}, "D 1,,,x,,"}},
      {},
      {"id", "note"});
}

TEST(JsonMessages, TakeFromTheKeyWhatTheValueLacks) {
  expect_all(
      {{R"({"id":5})", R"({"sbp":1})", "U 5,,1,,,"}, {"5", R"({"id":6,"sbp":1})", "U 6,,1,,,"}});
}

TEST(JsonMessages, MaySayTheOperation) {
  expect_all(
      {{{}, R"({"op":"D","id":1,"sbp":"x"})", "D 1,,,,,"},
       {{}, R"({"op":"i","id":1})", "U 1,,,,,"},
       {{}, R"({"op":"U","id":1})", "U 1,,,,,"},
       {{}, R"({"op":3,"id":1})", "operation: 'op': '3' is not an operation; write I, U or D [1]"},
       {{}, R"({"id":1})", "operation: 'op': '' is not an operation; write I, U or D [1]"}},
      ", operation: op");
}

TEST(JsonMessages, TimesMayBeNumbersOfAUnit) {
  const std::string wanted = "U 1,,,,,2023-11-14 22:13:20+00";
  expect_all({{{}, R"({"id":1,"at":1700000000})", wanted}}, ", time_unit: s");
  expect_all({{{}, R"({"id":1,"at":1700000000000})", wanted},
              {{}, R"({"id":1,"at":"2023-11-14T22:13:20Z"})", wanted}},
             ", time_unit: ms");
  expect_all({{{}, R"({"id":1,"at":1700000000000000})", wanted}}, ", time_unit: us");
  expect_all({{{}, R"({"id":1,"at":-1})", "U 1,,,,,1969-12-31 23:59:59.999999+00"}},
             ", time_unit: ns");
  expect_all({{{},
               R"({"id":1,"at":9223372036854775807})",
               "decode: column 'at': '9223372036854775807' is not a timestamp [1]"}},
             ", time_unit: s");
}

TEST(JsonMessages, OfAnyBytesAreReadToTheirEnd) {  // table-5
  const std::string whole = R"({"id":1,"sbp":1.5,"note":"a\u00e9","o":{"x":[1,{"y":null}]}})";
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(told_of_text(whole.substr(0, length)).substr(0, 7), "decode:") << length;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x20);
    EXPECT_FALSE(told_of_text(flipped).empty()) << at;
  }
  const std::string deep = R"({"id":1,"o":)" + std::string(100'000, '[');
  EXPECT_EQ(told_of_text(deep), "decode: the message nests deeper than 1000");
}

}  // namespace
}  // namespace lockstep::test
