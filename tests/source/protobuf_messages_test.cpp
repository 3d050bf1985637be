// Format `protobuf`: bytes by a set of descriptors, and what becomes of them.
#include "source/kafka_messages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <string>

namespace lockstep::test {
namespace {

namespace pb = google::protobuf;
using FieldOf = pb::FieldDescriptorProto;

void add_field(pb::DescriptorProto& message,
               const std::string& name,
               FieldOf::Type type,
               const std::string& of = {}) {
  FieldOf& field = *message.add_field();
  field.set_name(name);
  field.set_number(message.field_size());
  field.set_type(type);
  field.set_label(FieldOf::LABEL_OPTIONAL);
  if (!of.empty()) field.set_type_name(of);
}

// What protoc writes of shop.Order.
std::string descriptors() {
  pb::FileDescriptorSet files;
  pb::Timestamp::descriptor()->file()->CopyTo(files.add_file());
  pb::DoubleValue::descriptor()->file()->CopyTo(files.add_file());
  pb::FileDescriptorProto& file = *files.add_file();
  file.set_name("order.proto");
  file.set_package("shop");
  file.set_syntax("proto3");
  file.add_dependency("google/protobuf/timestamp.proto");
  file.add_dependency("google/protobuf/wrappers.proto");
  pb::EnumDescriptorProto& kinds = *file.add_enum_type();
  kinds.set_name("Kind");
  kinds.add_value()->set_name("NEW");
  kinds.add_value()->set_name("OLD");
  kinds.mutable_value(0)->set_number(0);
  kinds.mutable_value(1)->set_number(1);
  pb::DescriptorProto& order = *file.add_message_type();
  order.set_name("Order");
  add_field(order, "id", FieldOf::TYPE_UINT64);
  add_field(order, "price", FieldOf::TYPE_MESSAGE, ".google.protobuf.DoubleValue");
  add_field(order, "note", FieldOf::TYPE_ENUM, ".shop.Kind");
  add_field(order, "on", FieldOf::TYPE_BOOL);
  add_field(order, "at", FieldOf::TYPE_MESSAGE, ".google.protobuf.Timestamp");
  add_field(order, "day", FieldOf::TYPE_STRING);
  add_field(order, "raw", FieldOf::TYPE_BYTES);
  return files.SerializeAsString();
}

MessageReader protobuf() {
  return {.more = ", format: protobuf, descriptors: order.pb, message: shop.Order",
          .schema = Schema({{"id", Type::kInt},
                            {"price", Type::kFloat},
                            {"note", Type::kText},
                            {"on", Type::kBool},
                            {"at", Type::kTimestamp},
                            {"day", Type::kDate}}),
          .key = {"id"},
          .files = {{"order.pb", descriptors()}}};
}

std::string price(double value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return "\x12\x09\x09" + bytes;
}

const std::string kWhole = "\x08\x07" + price(1.5) +
                           "\x18\x01\x20\x01\x2a\x06\x08\x80\xe2\xcf\xaa\x06" + "\x32\x0a" +
                           "2026-01-31";

TEST(ProtobufMessages, BecomeRowsByTheirDescriptors) {
  const std::string row = "U 7,1.5,OLD,true,2023-11-14 22:13:20+00,2026-01-31";
  expect_told(protobuf(),
              {{{}, kWhole, row},
               {{}, std::string("\0\0\0\0\x09\0", 6) + kWhole, row},
               {{}, std::string("\0\0\0\0\x09\x04\x02\0", 8) + kWhole, row},
               {{},
                "\x08\x07\x18\x05\x32\x0a"
                "2026-01-31",
                "decode: column 'note': '5' is not a text [7]"},
               {{},
                "\x08\x07\x32\x0a"
                "2026-01-31\x3a\x01x",
                "U 7,,NEW,false,,2026-01-31"},
               {"7", {}, "D 7,,,,,"}});
}

TEST(ProtobufMessages, ThatAreNoneAreRefused) {
  expect_told(protobuf(),
              {{"7", "\x08", "decode: the message is not a shop.Order [7]"},
               {{}, std::string("\0\0\0", 3), "decode: the message is not a shop.Order"},
               {{}, "{\"id\":7}", "decode: the message is not a shop.Order"},
               {{}, "\x08\x07", "decode: column 'day': '' is not a date [7]"}});
  for (std::size_t at = 0; at < kWhole.size(); ++at) {
    std::string flipped = kWhole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x81);
    EXPECT_FALSE(told_of(protobuf(), {{{}, flipped, {}}}).empty()) << at;
    EXPECT_FALSE(told_of(protobuf(), {{{}, kWhole.substr(0, at), {}}}).empty()) << at;
  }
}

TEST(ProtobufMessages, NeedTheirDescriptors) {
  MessageReader reader = protobuf();
  reader.files = {{"order.pb", "no descriptors"}};
  EXPECT_EQ(told_of(reader, {}), "it does not open");
  reader = protobuf();
  reader.more = ", format: protobuf, descriptors: order.pb, message: Order";
  EXPECT_EQ(told_of(reader, {}), "it does not open");
  EXPECT_FALSE(parse_kafka_settings(kafka_request(", format: protobuf")).ok());
  EXPECT_FALSE(parse_kafka_settings(kafka_request(", message: shop.Order")).ok());
}

}  // namespace
}  // namespace lockstep::test
