// Format `avro`: bytes by their schemas, and what becomes of them.
#include "source/kafka_messages.h"
#include "source/messages/avro_schema.h"
#include "source/messages/schema_registry.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace lockstep::test {
namespace {

// A whole number as Avro has it.
std::string whole(std::int64_t number) {
  auto bits = static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63);
  std::string out;
  for (; bits > 0x7F; bits >>= 7)
    out += static_cast<char>(0x80 | (bits & 0x7F));
  return out + static_cast<char>(bits);
}

std::string text(const std::string& bytes) {
  return whole(static_cast<std::int64_t>(bytes.size())) + bytes;
}

std::string number(double value) {
  std::string out(sizeof(value), '\0');
  std::memcpy(out.data(), &value, sizeof(value));
  return out;
}

std::string framed(char id, const std::string& body) {
  return std::string("\0\0\0\0", 4) + id + body;
}

const std::string kRow = R"({"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"long"},
  {"name":"price","type":["null","double"]},
  {"name":"note","type":["null","string"]},
  {"name":"day","type":{"type":"int","logicalType":"date"}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}]})";

const std::string kKey = R"({"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]})";

const std::string kEnvelope = R"({"type":"record","name":"Envelope","namespace":"shop","fields":[
  {"name":"before","type":["null",{"type":"record","name":"Value","fields":[
    {"name":"id","type":"int"},
    {"name":"price","type":["null",{"type":"bytes","scale":2,"precision":10,"logicalType":"decimal",
      "connect.name":"org.apache.kafka.connect.data.Decimal"}]},
    {"name":"note","type":["null","string"]},
    {"name":"day","type":{"type":"int","connect.name":"io.debezium.time.Date"}},
    {"name":"at","type":{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"}}]}]},
  {"name":"after","type":["null","Value"]},
  {"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"table","type":"string"}]}},
  {"name":"op","type":"string"}]})";

const std::string kOdd = R"({"type":"record","name":"Odd","fields":[
  {"name":"tags","type":{"type":"array","items":"string"}},
  {"name":"marks","type":{"type":"map","values":["null","float"]}},
  {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["a","b"]}},
  {"name":"hash","type":{"type":"fixed","name":"Hash","size":2}},
  {"name":"next","type":["null","Odd"]},
  {"name":"id","type":"int"},
  {"name":"note","type":"Kind"}]})";

MessageReader avro() {
  return {.more = ", format: avro, schemas: schemas",
          .schema = Schema({{"id", Type::kInt},
                            {"price", Type::kFloat},
                            {"note", Type::kText},
                            {"day", Type::kDate},
                            {"at", Type::kTimestamp}}),
          .key = {"id"},
          .files = {{"schemas/1.avsc", kRow},
                    {"schemas/2.avsc", kKey},
                    {"schemas/3.avsc", kEnvelope},
                    {"schemas/4.avsc", kOdd},
                    {"schemas/5.avsc", "{"},
                    {"schemas/6.avsc", "\"string\""}}};
}

std::string row(std::int64_t id) {
  return whole(id) + whole(1) + number(1.5) + whole(1) + text("é") + whole(19'738) +
         whole(1'700'000'000'000'000);
}

// A row of the envelope.
std::string value(std::int64_t id, const std::string& note) {
  return whole(id) + whole(1) + text("\x04\xe2") + note + whole(-1) + whole(1'700'000'000'000'000);
}

TEST(AvroMessages, BecomeRowsByTheirSchemas) {
  expect_told(
      avro(),
      {{{}, framed(1, row(7)), "U 7,1.5,é,2024-01-16,2023-11-14 22:13:20+00"},
       {{},
        framed(1, whole(-7) + whole(0) + whole(0) + whole(0) + whole(0)),
        "U -7,,,1970-01-01,1970-01-01 00:00:00+00"},
       {framed(2, whole(5)), {}, "D 5,,,,"},
       {framed(6, text("5")), {}, "D 5,,,,"},
       {{},
        framed(4,
               whole(1) + text("x") + whole(0) + whole(-1) + whole(3) + text("k") + whole(0) +
                   whole(0) + whole(1) + "\x01\x02" + whole(0) + whole(3) + whole(0)),
        "U 3,,a,,"}});
}

TEST(AvroMessages, MayBeDebeziumsEnvelopes) {
  const std::string source = text("orders");
  const std::string note = whole(1) + text("n");
  expect_told(
      avro(),
      {{{},
        framed(3, whole(0) + whole(1) + value(1, note) + source + text("c")),
        "U 1,12.5,n,1969-12-31,2023-11-14 22:13:20+00"},
       {{},
        framed(3,
               whole(1) + value(1, note) + whole(1) +
                   value(2, whole(1) + text("__debezium_unavailable_value")) + source + text("u")),
        "D 1,12.5,n,1969-12-31,2023-11-14 22:13:20+00; U 2,12.5,,1969-12-31,2023-11-14 22:13:20+00 "
        "~note of 0"},
       {framed(2, whole(4)), framed(3, whole(0) + whole(0) + source + text("d")), "D 4,,,,"}});
  MessageReader other = avro();
  other.more += ", table: labs";
  EXPECT_EQ(
      told_of(other,
              {{{}, framed(3, whole(0) + whole(1) + value(1, note) + source + text("c")), {}}}),
      "");
}

TEST(AvroMessages, ThatAreNoneAreRefused) {
  expect_told(avro(),
              {{{}, R"({"id":1})", "decode: the message does not begin with a schema's number"},
               {{}, "", "decode: the message does not begin with a schema's number"},
               {framed(2, whole(5)), framed(9, row(1)), "decode: there is no schema 9 [5]"},
               {{}, framed(5, row(1)), "decode: schema 5: the schema of Avro: it has no type '{'"},
               {{}, framed(1, row(1) + "x"), "decode: the message is not as schema 1 says"},
               {{}, framed(1, whole(1) + whole(2)), "decode: the message is not as schema 1 says"},
               {{}, framed(6, text("a")), "decode: the message is not an object"}});
}

TEST(AvroMessages, OfAnyBytesAreReadToTheirEnd) {  // table-5
  const std::string whole_row = framed(1, row(7));
  for (std::size_t length = 0; length < whole_row.size(); ++length)
    EXPECT_EQ(told_of(avro(), {{{}, whole_row.substr(0, length), {}}}).substr(0, 7), "decode:")
        << length;
  for (std::size_t at = 0; at < whole_row.size(); ++at) {
    std::string flipped = whole_row;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x81);
    EXPECT_FALSE(told_of(avro(), {{{}, flipped, {}}}).empty()) << at;
  }
  // A record within itself, without end, and a list of more than there is.
  EXPECT_EQ(told_of(avro(), {{{}, framed(4, std::string(10'000, '\x02')), {}}}).substr(0, 7),
            "decode:");
  EXPECT_EQ(told_of(avro(), {{{}, framed(4, whole(INT64_MAX)), {}}}).substr(0, 7), "decode:");
  EXPECT_EQ(told_of(avro(), {{{}, framed(4, whole(INT64_MIN)), {}}}).substr(0, 7), "decode:");
}

TEST(AvroSchemaOf, ATextIsReadOrRefused) {
  for (const char* good :
       {R"("int")", R"({"type":"string"})", R"(["null",{"type":"array","items":"int"}])"})
    EXPECT_TRUE(AvroSchema::parse(good).ok()) << good;
  for (const char* bad : {"",
                          "7",
                          "[7]",
                          "{}",
                          R"({"type":"record","name":"r"})",
                          R"({"type":"record","name":"r","fields":[{"name":"a"}]})",
                          R"({"type":"enum","name":"e"})",
                          R"({"type":"fixed","name":"f"})",
                          R"({"type":"array"})",
                          R"({"type":"nosuch"})"})
    EXPECT_FALSE(AvroSchema::parse(bad).ok()) << bad;
  EXPECT_FALSE(AvroSchema::parse(std::string(100'000, '[')).ok());
}

TEST(SchemaRegistryOf, AnAnswerIsReadOrRefused) {
  EXPECT_EQ(schema_of_answer(R"({"schema":"\"int\""})").value(), "\"int\"");
  EXPECT_EQ(schema_of_answer(R"({"schemaType":"AVRO","schema":"x","references":[]})").value(), "x");
  EXPECT_EQ(schema_of_answer("{}").error().code, Code::kIo);
  EXPECT_EQ(schema_of_answer(R"({"schemaType":"PROTOBUF","schema":"x"})").error().code,
            Code::kUnsupported);
  EXPECT_EQ(schema_of_answer(R"({"schema":"x","references":[{"name":"y"}]})").error().code,
            Code::kUnsupported);
}

TEST(AvroSettings, NameTheSchemasOnce) {
  EXPECT_TRUE(parse_kafka_settings(kafka_request(", format: avro, registry: \"http://r\"")).ok());
  for (const char* bad : {", format: avro",
                          ", format: avro, schemas: s, registry: \"http://r\"",
                          ", schemas: s",
                          ", format: avro, registry: r",
                          ", message_key: avro"})
    EXPECT_FALSE(parse_kafka_settings(kafka_request(bad)).ok()) << bad;
}

}  // namespace
}  // namespace lockstep::test
