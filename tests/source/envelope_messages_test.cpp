// Formats `debezium`, `canal` and `maxwell`, on messages as these programs and Flink write them.
#include "source/kafka_messages.h"
#include "source/messages/connect_values.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

const Schema kOrders({{"id", Type::kInt},
                      {"price", Type::kFloat},
                      {"note", Type::kText},
                      {"day", Type::kDate},
                      {"at", Type::kTimestamp}});

MessageReader orders(const std::string& more) {
  return {.more = more, .schema = kOrders, .key = {"id"}};
}

// An envelope without a schema, as the JSON converter writes it with schemas.enable=false.
std::string envelope(const std::string& op, const std::string& before, const std::string& after) {
  return R"({"before":)" + before + R"(,"after":)" + after +
         R"(,"source":{"version":"2.7.0.Final","connector":"postgresql","name":"shop","ts_ms":1700000000000,)"
         R"("snapshot":"false","db":"shop","sequence":"[null,\"33\"]","schema":"public","table":"orders",)"
         R"("txId":770,"lsn":34010,"xmin":null},"op":")" +
         op + R"(","ts_ms":1700000000123,"transaction":null})";
}

TEST(DebeziumMessages, WithoutASchemaAreReadByTheColumnsTypes) {
  expect_told(
      orders(", format: debezium"),
      {
          {{}, envelope("c", "null", R"({"id":1,"price":1.5,"note":"a"})"), "U 1,1.5,a,,"},
          {{},
           envelope("r", "null", R"({"id":2,"at":"2026-01-31T08:00:00Z"})"),
           "U 2,,,,2026-01-31 08:00:00+00"},
          {{}, envelope("u", "null", R"({"id":1,"price":2})"), "U 1,2,,,"},
          {{}, envelope("u", R"({"id":1,"price":1.5})", R"({"id":1,"price":2})"), "U 1,2,,,"},
          {{},
           envelope("u", R"({"id":1,"price":1.5})", R"({"id":9,"price":2})"),
           "D 1,1.5,,,; U 9,2,,,"},
          {{}, envelope("d", R"({"id":1,"price":null})", "null"), "D 1,,,,"},
          {R"({"id":4})", envelope("d", "null", "null"), "D 4,,,,"},
          {R"({"id":4})", {}, "D 4,,,,"},
          {{}, envelope("m", "null", "null"), ""},
          // As Flink writes debezium-json.
          {{},
           R"({"before":null,"after":{"id":1,"price":1.5,"note":"a"},"op":"c"})",
           "U 1,1.5,a,,"},
          {{}, R"({"before":{"id":1,"price":1.5},"after":null,"op":"d"})", "D 1,1.5,,,"},
      });
}

TEST(DebeziumMessages, DoNotGuessWhatNumbersCount) {
  const std::string why =
      "; without a schema nobody knows what it counts: let the connector write schemas [1]";
  expect_told(orders(", format: debezium"),
              {{{},
                envelope("c", "null", R"({"id":1,"day":19738})"),
                "decode: column 'day': '19738' is not a date" + why},
               {{},
                envelope("c", "null", R"({"id":1,"at":1700000000000})"),
                "decode: column 'at': '1700000000000' is not a timestamp" + why},
               {{},
                envelope("c", "null", R"({"id":1,"price":"1234"})"),
                "decode: column 'price': the text '1234' is not a float [1]"}});
  expect_told(orders(", format: debezium, time_unit: us"),
              {{{},
                envelope("c", "null", R"({"id":1,"at":1700000000000000})"),
                "U 1,,,,2023-11-14 22:13:20+00"}});
}

TEST(DebeziumMessages, AValueThatWasNotSentIsTheOldOne) {
  const std::string gone = "\"__debezium_unavailable_value\"";
  expect_told(orders(", format: debezium"),
              {{{},
                envelope("u", "null", R"({"id":1,"price":2,"note":)" + gone + "}"),
                "U 1,2,,, ~note of 0"},
               {{},
                envelope("u", R"({"id":1})", R"({"id":3,"note":)" + gone + "}"),
                "D 1,,,,; U 3,,,, ~note of 0"}});
}

TEST(DebeziumMessages, OfAKeyThatChangesAreADeleteATombstoneAndAnInsert) {
  EXPECT_EQ(told_of(orders(", format: debezium"),
                    {{R"({"id":1})", envelope("d", R"({"id":1})", "null"), {}},
                     {R"({"id":1})", {}, {}},
                     {R"({"id":2})", envelope("c", "null", R"({"id":2,"price":1})"), {}}}),
            "D 1,,,,; D 1,,,,; U 2,1,,,");
}

TEST(DebeziumMessages, EmptyATableOfOnePartition) {
  const std::vector<MessageCase> messages = {{{}, envelope("c", "null", R"({"id":1})"), {}},
                                             {{}, envelope("t", "null", "null"), {}},
                                             {{}, envelope("c", "null", R"({"id":2})"), {}}};
  MessageReader reader = orders(", format: debezium");
  EXPECT_EQ(told_of(reader, messages), "U 1,,,,; emptied; U 2,,,,");
  reader.partition_count = 2;
  EXPECT_EQ(told_of(reader, messages),
            "U 1,,,,; U 2,,,,; operation: the table was truncated, and in a topic of several "
            "partitions nobody knows which messages came before; lockstep resync after the "
            "connector's new snapshot");
}

TEST(DebeziumMessages, MayBeOfOneTableAmongOthers) {
  const std::string order = envelope("c", "null", R"({"id":1})");
  for (const char* table : {"orders", "public.orders", "shop.orders"})
    EXPECT_EQ(
        told_of(orders(std::string(", format: debezium, table: ") + table), {{{}, order, {}}}),
        "U 1,,,,");
  for (const char* table : {"order", "other.orders"})
    EXPECT_EQ(
        told_of(orders(std::string(", format: debezium, table: ") + table), {{{}, order, {}}}), "");
}

TEST(DebeziumMessages, ThatAreNoneAreRefused) {
  expect_told(
      orders(", format: debezium"),
      {{{},
        R"({"id":1,"price":2})",
        "decode: the message has no 'op', as an envelope of Debezium has; without envelopes "
        "write format: json"},
       {{}, envelope("x", "null", R"({"id":1})"), "decode: the operation 'x' is not known"},
       {{}, envelope("c", "null", R"({"price":1})"), "key: key column 'id' has no value"},
       {{}, envelope("d", "null", "null"), "key: a delete without a row: the message has no key"},
       {{},
        envelope("u", "null", "null"),
        "decode: the message has no row after the change; of MongoDB set capture.mode: "
        "change_streams_update_full"},
       {R"({"id":7})", "{", "decode: the message is not JSON: character 2 is unexpected [7]"},
       {{}, {}, "key: a delete without a row: the message has no key"},
       {"{",
        {},
        "key: a delete without a row: the message's key is not JSON: character 2 is unexpected"}});
}

// {"schema": ..., "payload": ...} of a row with the given fields.
std::string with_schema(const std::string& fields, const std::string& payload) {
  return R"({"schema":{"type":"struct","fields":[{"type":"struct","fields":[)" + fields +
         R"(],"optional":true,"name":"shop.Value","field":"before"},{"type":"struct","fields":[)" +
         fields +
         R"(],"optional":true,"name":"shop.Value","field":"after"},{"type":"string","optional":false,"field":"op"}],)"
         R"("optional":false,"name":"shop.public.orders.Envelope","version":2},"payload":)" +
         payload + "}";
}

std::string field(const std::string& name,
                  const std::string& type,
                  const std::string& logical = {}) {
  return R"({"type":")" + type + R"(","optional":true,)" +
         (logical.empty() ? "" : R"("name":")" + logical + R"(","version":1,)") + R"("field":")" +
         name + "\"}";
}

TEST(DebeziumMessages, WithASchemaSayWhatNumbersCount) {
  const std::string id = field("id", "int32");
  const auto told = [&](const std::string& one, const std::string& after) {
    return told_of(orders(", format: debezium"),
                   {{{}, with_schema(id + "," + one, envelope("c", "null", after)), {}}});
  };
  const std::string at = "U 1,,,,2023-11-14 22:13:20+00";
  EXPECT_EQ(
      told(field("at", "int64", "io.debezium.time.Timestamp"), R"({"id":1,"at":1700000000000})"),
      at);
  EXPECT_EQ(told(field("at", "int64", "org.apache.kafka.connect.data.Timestamp"),
                 R"({"id":1,"at":1700000000000})"),
            at);
  EXPECT_EQ(told(field("at", "int64", "io.debezium.time.MicroTimestamp"),
                 R"({"id":1,"at":1700000000000000})"),
            at);
  EXPECT_EQ(told(field("at", "int64", "io.debezium.time.NanoTimestamp"),
                 R"({"id":1,"at":1700000000000000000})"),
            at);
  EXPECT_EQ(told(field("at", "string", "io.debezium.time.ZonedTimestamp"),
                 R"({"id":1,"at":"2023-11-14T22:13:20Z"})"),
            at);
  EXPECT_EQ(told(field("day", "int32", "io.debezium.time.Date"), R"({"id":1,"day":19738})"),
            "U 1,,,2024-01-16,");
  EXPECT_EQ(
      told(field("day", "int32", "org.apache.kafka.connect.data.Date"), R"({"id":1,"day":-1})"),
      "U 1,,,1969-12-31,");
  EXPECT_EQ(told(field("day", "int32", "io.debezium.time.Date"), R"({"id":1,"day":2147483647})"),
            "decode: column 'day': '2147483647' is not a date [1]");
  EXPECT_EQ(told(field("price", "string"), R"({"id":1,"price":"12.50"})"), "U 1,12.5,,,")
      << "decimal.handling.mode=string";
  EXPECT_EQ(told(field("note", "string"), R"({"id":1,"note":"x"})"), "U 1,,x,,");
  EXPECT_EQ(told(field("note", "int64", "io.debezium.time.MicroTimestamp"), R"({"id":1,"note":5})"),
            "decode: column 'note': '5' is not a text [1]");
}

// As Debezium writes it: each of them alone says half.
std::vector<MessageCase> key_change(std::int64_t from, std::int64_t to, const std::string& after) {
  const std::string key = R"({"id":)" + std::to_string(from) + "}";
  const std::string before = R"({"id":)" + std::to_string(from) + R"(,"price":null,"note":null})";
  return {{key, envelope("d", before, "null"), {}, true},
          {key, {}, {}, false},
          {R"({"id":)" + std::to_string(to) + "}", envelope("c", "null", after), {}, true}};
}

TEST(DebeziumMessages, OfAKeyThatChangedAreOneUpdate) {
  const std::string after = R"({"id":2,"price":1,"note":"__debezium_unavailable_value"})";
  const std::vector<MessageCase> change = key_change(1, 2, after);
  EXPECT_EQ(told_of(orders(", format: debezium"), change), "D 1,,,,; U 2,1,,, ~note of 0");
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[0], change[2]}),
            "D 1,,,,; U 2,1,,, ~note of 0")
      << "without tombstones";
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[0], change[1]}), "D 1,,,,")
      << "what does not come is not waited for";
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[0]}), "D 1,,,,");
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[2]}), "U 2,1,,, ~note of 0");
  const MessageCase other = {R"({"id":7})", envelope("d", R"({"id":7})", "null"), {}};
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[0], other, change[2]}),
            "D 1,,,,; D 7,,,,; U 2,1,,, ~note of 2");
  const MessageCase truncated = {{}, envelope("t", "null", "null"), {}};
  EXPECT_EQ(told_of(orders(", format: debezium"), {change[0], truncated}), "D 1,,,,; emptied");
  MessageReader several = orders(", format: debezium");
  several.partition_count = 2;
  EXPECT_EQ(told_of(several, change), "D 1,,,,; D 1,,,,; U 2,1,,, ~note of 2")
      << "nobody knows what comes next in the other";
  EXPECT_EQ(told_of(orders(", format: debezium"), key_change(1, 2, R"({"id":2,"price":"x"})")),
            "D 1,,,,; decode: column 'price': the text 'x' is not a float [2]");
}

TEST(DebeziumMessages, OfPostgresqlMayHaveTimesThatAreFarOrNone) {
  const std::string id = field("id", "int32");
  const auto told = [&](const std::string& one, const std::string& after) {
    return told_of(orders(", format: debezium"),
                   {{{}, with_schema(id + "," + one, envelope("c", "null", after)), {}}});
  };
  const std::string zoned = field("at", "string", "io.debezium.time.ZonedTimestamp");
  const std::string micro = field("at", "int64", "io.debezium.time.MicroTimestamp");
  const std::string day = field("day", "int32", "io.debezium.time.Date");
  EXPECT_EQ(told(zoned, R"({"id":1,"at":"-0043-03-15T12:00:00.000000Z"})"),
            "U 1,,,,0044-03-15 (BC) 12:00:00+00");
  EXPECT_EQ(told(zoned, R"({"id":1,"at":"0000-03-15T12:00:00Z"})"),
            "U 1,,,,0001-03-15 (BC) 12:00:00+00");
  EXPECT_EQ(told(zoned, R"({"id":1,"at":"+12024-03-15T12:00:00Z"})"),
            "U 1,,,,12024-03-15 12:00:00+00");
  for (const char* text : {"-",
                           "+",
                           "-5",
                           "+5-",
                           "-0043-03",
                           "-12345",
                           "-123456789",
                           "-x-03-15T12:00:00Z",
                           "--1-03-15",
                           "-9223372036854775807-03-15T12:00:00Z"})
    EXPECT_THAT(told(zoned, fmt::format(R"({{"id":1,"at":"{}"}})", text)),
                testing::HasSubstr("is not a timestamp"));
  const std::string iso_day = field("day", "string", "io.debezium.time.IsoDate");
  EXPECT_EQ(told(iso_day, R"({"id":1,"day":"2024-01-02Z"})"), "U 1,,,2024-01-02,");
  EXPECT_EQ(told(iso_day, R"({"id":1,"day":"-0043-03-15Z"})"), "U 1,,,0044-03-15 (BC),");
  EXPECT_EQ(told(iso_day, R"({"id":1,"day":"2024-01-02ZZ"})"),
            "decode: column 'day': '2024-01-02Z' is not a date [1]");
  expect_told(orders(", format: debezium"),
              {{{}, envelope("c", "null", R"({"id":1,"day":"2024-01-02Z"})"), "U 1,,,2024-01-02,"},
               {{},
                envelope("c", "null", R"({"id":1,"at":"-0043-03-15T12:00:00Z"})"),
                "U 1,,,,0044-03-15 (BC) 12:00:00+00"}});
  EXPECT_EQ(told(zoned, R"({"id":1,"at":"infinity"})"),
            "decode: column 'at': 'infinity' is not a timestamp [1]");
  EXPECT_EQ(told(micro, R"({"id":1,"at":9223372036825200000})"),
            "decode: column 'at': a timestamp cannot be infinity [1]");
  EXPECT_EQ(told(micro, R"({"id":1,"at":-9223372036832400000})"),
            "decode: column 'at': a timestamp cannot be -infinity [1]");
  EXPECT_EQ(told(day, R"({"id":1,"day":-2147472692})"),
            "decode: column 'day': a date cannot be infinity [1]");
  EXPECT_EQ(told(day, R"({"id":1,"day":-2147472691})"),
            "decode: column 'day': a date cannot be -infinity [1]");
}

TEST(DebeziumMessages, WithASchemaHaveDecimalsAsBytes) {
  const std::string id = field("id", "int32");
  const std::string decimal =
      R"({"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,)"
      R"("parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"FIELD"})";
  const auto told = [&](const std::string& name, const std::string& value) {
    std::string of = decimal;
    of.replace(of.find("FIELD"), 5, name);
    return told_of(
        orders(", format: debezium"),
        {{{},
          with_schema(id + "," + of,
                      envelope("c", "null", R"({"id":1,")" + name + R"(":")" + value + "\"}")),
          {}}});
  };
  EXPECT_EQ(told("price", "BOI="), "U 1,12.5,,,");
  EXPECT_EQ(told("price", "+x4="), "U 1,-12.5,,,");
  EXPECT_EQ(told("note", "BOI="), "U 1,,12.50,,");
  EXPECT_EQ(told("price", "?"), "decode: column 'price': '?' is not a decimal [1]");
  EXPECT_EQ(told("price", ""), "decode: column 'price': '' is not a decimal [1]");
  EXPECT_EQ(told("price", "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="), "U 1,,,, ~price of 0");
  const std::string varies = field("price", "struct", "io.debezium.data.VariableScaleDecimal");
  const std::string row = R"({"id":1,"price":{"scale":3,"value":"BOI="}})";
  EXPECT_EQ(told_of(orders(", format: debezium"),
                    {{{}, with_schema(id + "," + varies, envelope("c", "null", row)), {}}}),
            "U 1,1.25,,,");
}

TEST(DebeziumMessages, MayHaveKeysWithASchema) {
  const std::string schema =
      R"({"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],)"
      R"("optional":false,"name":"shop.Key"},"payload":)";
  expect_told(orders(", format: debezium"),
              {{schema + R"({"id":5}})", {}, "D 5,,,,"},
               {schema + R"({"id":5}})", R"({"schema":null,"payload":null})", "D 5,,,,"},
               {schema + "null}", {}, "key: a delete without a row: the message's key is null"}});
}

TEST(Decimals, AreReadExactly) {
  using namespace std::string_literals;
  const std::vector<std::tuple<std::string, int, std::string>> cases = {
      {"\x00"s, 0, "0"},
      {"\x00"s, 2, "0.00"},
      {"\x01"s, 0, "1"},
      {"\xff"s, 0, "-1"},
      {"\x80"s, 0, "-128"},
      {"\x7f\xff"s, 2, "327.67"},
      {"\x80\x00"s, 3, "-32.768"},
      {"\x00\x80"s, 0, "128"},
      {"\x05"s, 3, "0.005"},
      {"\xfb"s, 3, "-0.005"},
      {"\x05"s, -3, "5000"},
      {"\x00"s, -3, "0"},
      {"\x4b\x3b\x4c\xa8\x5a\x86\xc4\x7a\x09\x8a\x22\x3f\xff\xff\xff\xff"s,
       0,
       "99999999999999999999999999999999999999"}};
  for (const auto& [bytes, scale, wanted] : cases)
    EXPECT_EQ(decimal_text(bytes, scale), wanted);
  EXPECT_FALSE(decimal_text("", 0));
  EXPECT_FALSE(decimal_text("1", 100'000));
  EXPECT_FALSE(decimal_text(std::string(1'000, '1'), 0));
}

TEST(MongoMessages, HaveTheirDocumentsAsTexts) {
  const MessageReader reader{.more = ", format: debezium",
                             .schema = Schema({{"_id", Type::kText},
                                               {"n", Type::kInt},
                                               {"price", Type::kFloat},
                                               {"name", Type::kText},
                                               {"at", Type::kTimestamp}}),
                             .key = {"_id"}};
  const auto change = [](const std::string& op, const std::string& after) {
    return R"({"before":null,"after":)" + after +
           R"(,"updateDescription":null,"source":{"version":"2.7.0.Final","connector":"mongodb","name":"shop",)"
           R"("db":"shop","collection":"orders","ord":6,"wallTime":null},"op":")" +
           op + R"(","ts_ms":1700000000123,"transaction":null})";
  };
  const std::string id = R"({"id":"{\"$oid\":\"596e275826f08b2730779e1f\"}"})";
  expect_told(
      reader,
      {{id,
        change(
            "c",
            R"("{\"_id\":{\"$oid\":\"596e275826f08b2730779e1f\"},\"n\":{\"$numberLong\":\"5\"},\"price\":{\"$numberDecimal\":\"1.50\"},\"name\":\"x\",\"at\":{\"$date\":1700000000000},\"tags\":[1,2]}")"),
        "U 596e275826f08b2730779e1f,5,1.5,x,2023-11-14 22:13:20+00"},
       {{},
        change(
            "u",
            R"("{\"_id\":\"k\",\"n\":7,\"price\":{\"$numberDouble\":\"NaN\"},\"at\":{\"$date\":\"2023-11-14T22:13:20Z\"}}")"),
        "U k,7,nan,,2023-11-14 22:13:20+00"},
       {{},
        change(
            "r",
            R"("{\"_id\":\"k\",\"at\":{\"$date\":{\"$numberLong\":\"-1\"}},\"price\":{\"$numberDouble\":\"-Infinity\"},\"n\":{\"$numberInt\":\"3\"}}")"),
        "U k,3,-inf,,1969-12-31 23:59:59.999+00"},
       {id, change("d", "null"), "D 596e275826f08b2730779e1f,,,,"},
       {id, {}, "D 596e275826f08b2730779e1f,,,,"},
       {R"({"id":"\"k\""})", {}, "D k,,,,"},
       {R"({"schema":{"type":"struct"},"payload":{"id":"\"k\""}})", {}, "D k,,,,"},
       {id,
        change("u", "null"),
        "decode: the message has no row after the change; of MongoDB set capture.mode: "
        "change_streams_update_full"},
       {{},
        change("c",
               R"("{\"_id\":\"k\",\"n\":{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}}")"),
        "decode: column 'n': a nested value is not taken [k]"},
       {{},
        change("c", R"("{\"_id\":")"),
        "decode: the document is not JSON: character 8 is unexpected"}});
  EXPECT_EQ(
      told_of(
          {.more = reader.more + ", table: shop.other", .schema = reader.schema, .key = {"_id"}},
          {{id, change("d", "null"), {}}}),
      "");
}

TEST(CanalMessages, HaveRowsAsTextsAndWhatTheyWere) {
  const auto change = [](const std::string& type, const std::string& data, const std::string& old) {
    return R"({"data":)" + data +
           R"(,"database":"shop","es":1598944132000,"id":1,"isDdl":false,)"
           R"("mysqlType":{"id":"INTEGER","price":"FLOAT"},"old":)" +
           old +
           R"(,"pkNames":["id"],"sql":"","sqlType":{"id":4,"price":7},"table":"orders","ts":1598944146308,"type":")" +
           type + "\"}";
  };
  expect_told(
      orders(", format: canal"),
      {{{},
        change(
            "INSERT",
            R"([{"id":"1","price":"5.18","note":"7","day":"2020-01-31","at":"2020-01-31 08:00:00"},{"id":"2","price":null}])",
            "null"),
        "U 1,5.18,7,2020-01-31,2020-01-31 08:00:00+00; U 2,,,,"},
       {{},
        change("UPDATE",
               R"([{"id":"1","price":"5.2"},{"id":"9","price":"1"}])",
               R"([{"price":"5.18"},{"id":"2"}])"),
        "U 1,5.2,,,; D 2,,,,; U 9,1,,,"},
       {{}, change("DELETE", R"([{"id":"1","price":"5.2"}])", "null"), "D 1,5.2,,,"},
       {{}, change("TRUNCATE", "null", "null"), "emptied"},
       {{}, change("ALTER", "null", "null"), ""},
       {{}, change("ERASE", "null", "null"), "operation: the type of change 'ERASE' is not known"},
       {{}, change("INSERT", "null", "null"), "decode: the message has no 'data'"},
       {{},
        change("INSERT", R"([{"id":"1","price":"x"}])", "null"),
        "decode: column 'price': 'x' is not a float [1]"},
       {{},
        R"({"data":[{"id":101,"price":3.14,"note":"n","at":"2020-01-31 08:00:00.123"}],"type":"INSERT"})",  // Flink
        "U 101,3.14,n,,2020-01-31 08:00:00.123+00"},
       {{}, R"({"data":[{"id":101,"price":3.14,"note":"n"}],"type":"DELETE"})", "D 101,3.14,n,,"}});
  const std::string one = change("INSERT", R"([{"id":"1"}])", "null");
  EXPECT_EQ(told_of(orders(", format: canal, table: shop.orders"), {{{}, one, {}}}), "U 1,,,,");
  EXPECT_EQ(told_of(orders(", format: canal, table: clinic.orders"), {{{}, one, {}}}), "");
}

TEST(MaxwellMessages, HaveARowAndWhatChangedOfIt) {
  const auto change = [](const std::string& type, const std::string& data, const std::string& old) {
    return R"({"database":"shop","table":"orders","type":")" + type +
           R"(","ts":1596684904,"xid":7201,"commit":true,"data":)" + data + old + "}";
  };
  expect_told(
      orders(", format: maxwell"),
      {{{},
        change("insert", R"({"id":1,"price":5.18,"note":null,"at":"2020-01-31 08:00:00"})", ""),
        "U 1,5.18,,,2020-01-31 08:00:00+00"},
       {{}, change("bootstrap-insert", R"({"id":2})", ""), "U 2,,,,"},
       {{}, change("update", R"({"id":1,"price":6})", R"(,"old":{"price":5.18})"), "U 1,6,,,"},
       {{}, change("update", R"({"id":3,"price":6})", R"(,"old":{"id":1})"), "D 1,,,,; U 3,6,,,"},
       {{}, change("delete", R"({"id":1,"price":6})", ""), "D 1,6,,,"},
       {{}, change("bootstrap-start", "{}", ""), ""},
       {{},
        change("table-drop", "{}", ""),
        "operation: the type of change 'table-drop' is not known"},
       {{}, R"({"data":{"id":101,"price":3.14},"type":"insert"})", "U 101,3.14,,,"}});  // Flink
}

TEST(EnvelopeSettings, AreThoseOfTheirFormat) {
  EXPECT_FALSE(parse_kafka_settings(kafka_request(", format: canal, operation: op")).ok());
  EXPECT_FALSE(parse_kafka_settings(kafka_request(", table: orders")).ok());
}

}  // namespace
}  // namespace lockstep::test
