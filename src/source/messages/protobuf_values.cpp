// Messages of Protobuf, by the descriptors that protoc wrote. Times become texts, and what is
// wrapped its value.
#include "source/messages/value_reader.h"
#include "table/json_cell.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

namespace pb = google::protobuf;

using JsonKind = JsonValue::Kind;

constexpr std::uint64_t kDescriptorBytesMax = 64U << 20;
constexpr std::size_t kIndexesMax = 100;

// A varint; false: it has no end.
bool take_varint(std::string_view& bytes, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

// A message itself never begins with a zero. A registry's has one, the schema's number, and which
// of the schema's messages it is; which one is said by the settings here.
bool take_registry_front(std::string_view& bytes) {
  std::uint32_t id = 0;
  if (bytes.empty() || bytes.front() != '\0') return true;
  if (!take_schema_id(bytes, id)) return false;
  std::uint64_t count = 0;
  if (!take_varint(bytes, count) || count / 2 > kIndexesMax) return false;
  for (std::uint64_t left = count / 2; left > 0; --left) {
    std::uint64_t index = 0;
    if (!take_varint(bytes, index)) return false;
  }
  return true;
}

// Goes through a message's fields.
class ProtobufFields final {
 public:
  ProtobufFields(const pb::Message& message, JsonDocument& out)
      : message_(message),
        reflection_(*message.GetReflection()),
        out_(out),
        values_(out.begin_values()) {}

  // false: a text is no UTF-8.
  bool read_all() {
    add({}, JsonKind::kObject);
    const pb::Descriptor& type = *message_.GetDescriptor();
    for (int index = 0; index < type.field_count(); ++index) {
      if (!read(*type.field(index))) return false;
    }
    values_.front().end = static_cast<std::uint32_t>(values_.size());
    return true;
  }

 private:
  JsonValue& add(std::string_view name, JsonKind kind) {
    JsonValue& added = values_.emplace_back();
    added.name = name;
    added.kind = kind;
    added.end = static_cast<std::uint32_t>(values_.size());
    return added;
  }

  bool read(const pb::FieldDescriptor& field) {
    if (field.is_repeated()) {
      add(field.name(), JsonKind::kArray);
      return true;
    }
    if (field.has_presence() && !reflection_.HasField(message_, &field)) {
      add(field.name(), JsonKind::kNull);
      return true;
    }
    if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE)
      return read_message(field.name(), reflection_.GetMessage(message_, &field));
    return read_scalar(field.name(), message_, field);
  }

  // The types that the field's own library gives a meaning.
  bool read_message(const std::string& name, const pb::Message& inner) {
    const pb::Descriptor& type = *inner.GetDescriptor();
    const bool is_known = type.file()->package() == "google.protobuf";
    if (is_known && type.name() == "Timestamp") return read_time(name, inner);
    const bool is_wrapper = is_known && type.name().ends_with("Value") && type.field_count() == 1 &&
                            !type.field(0)->is_repeated();
    if (is_wrapper) return read_scalar(name, inner, *type.field(0));
    add(name, JsonKind::kObject);
    return true;
  }

  bool read_time(const std::string& name, const pb::Message& time) {
    const pb::Descriptor& type = *time.GetDescriptor();
    const pb::FieldDescriptor* const seconds = type.FindFieldByName("seconds");
    const pb::FieldDescriptor* const nanos = type.FindFieldByName("nanos");
    if (seconds == nullptr || nanos == nullptr) return false;
    const pb::Reflection& reflection = *time.GetReflection();
    const std::optional<std::int64_t> us =
        us_since_1970(reflection.GetInt64(time, seconds), TimeUnit::kSeconds);
    const std::int64_t rest_us = reflection.GetInt32(time, nanos) / 1'000;
    std::int64_t all_us = 0;
    const bool fits =
        us && !__builtin_add_overflow(*us, rest_us, &all_us) && is_storable(Timestamp{all_us});
    if (!fits) return false;
    add(name, JsonKind::kText).text = out_.keep(text_of_timestamp(Timestamp{all_us}));
    return true;
  }

  bool add_whole(std::string_view name, std::int64_t number) {
    JsonValue& added = add(name, JsonKind::kInt);
    added.whole = number;
    added.number = static_cast<double>(number);
    return true;
  }

  bool add_number(std::string_view name, double number) {
    add(name, JsonKind::kNumber).number = number;
    return true;
  }

  bool add_large(std::string_view name, std::uint64_t number) {
    if (number <= static_cast<std::uint64_t>(INT64_MAX))
      return add_whole(name, static_cast<std::int64_t>(number));
    add_number(name, static_cast<double>(number));
    values_.back().text = out_.keep(fmt::format("{}", number));
    return true;
  }

  bool read_scalar(const std::string& name,
                   const pb::Message& of,
                   const pb::FieldDescriptor& field) {
    const pb::Reflection& reflection = *of.GetReflection();
    switch (field.cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        add(name, JsonKind::kBool).boolean = reflection.GetBool(of, &field);
        return true;
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return add_whole(name, reflection.GetInt32(of, &field));
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return add_whole(name, reflection.GetInt64(of, &field));
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return add_whole(name, reflection.GetUInt32(of, &field));
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return add_large(name, reflection.GetUInt64(of, &field));
      case pb::FieldDescriptor::CPPTYPE_FLOAT:
        return add_number(name, static_cast<double>(reflection.GetFloat(of, &field)));
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        return add_number(name, reflection.GetDouble(of, &field));
      case pb::FieldDescriptor::CPPTYPE_ENUM:
        return read_enum(name, of, field);
      case pb::FieldDescriptor::CPPTYPE_STRING:
        return read_string(name, of, field);
      case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    return false;
  }

  // A number that the descriptors have no name for stays one.
  bool read_enum(const std::string& name, const pb::Message& of, const pb::FieldDescriptor& field) {
    const int number = of.GetReflection()->GetEnumValue(of, &field);
    const pb::EnumValueDescriptor* const known = field.enum_type()->FindValueByNumber(number);
    if (known == nullptr) return add_whole(name, number);
    add(name, JsonKind::kText).text = known->name();
    return true;
  }

  bool read_string(const std::string& name,
                   const pb::Message& of,
                   const pb::FieldDescriptor& field) {
    if (field.type() == pb::FieldDescriptor::TYPE_BYTES) {
      add(name, JsonKind::kArray);  // no column takes them
      return true;
    }
    const std::string_view text = out_.keep(of.GetReflection()->GetString(of, &field));
    add(name, JsonKind::kText).text = text;
    return !first_invalid_utf8(text);
  }

  const pb::Message& message_;
  const pb::Reflection& reflection_;
  JsonDocument& out_;
  std::vector<JsonValue>& values_;
};

class ProtobufReader final : public ValueReader {
 public:
  ProtobufReader(std::shared_ptr<const pb::DescriptorPool> pool, const pb::Descriptor* type)
      : pool_(std::move(pool)),
        factory_(pool_.get()),
        message_(factory_.GetPrototype(type)->New()) {}

  Result<bool> read(std::string_view bytes,
                    std::string_view what,
                    JsonDocument& out,
                    std::string& reason) override {
    const bool is_read = take_registry_front(bytes) && bytes.size() <= INT32_MAX &&
                         message_->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
                         ProtobufFields(*message_, out).read_all();
    if (!is_read)
      reason = fmt::format("{} is not a {}", what, message_->GetDescriptor()->full_name());
    return is_read;
  }

  // Enums and times were made texts.
  bool spells() const override { return true; }

 private:
  const std::shared_ptr<const pb::DescriptorPool> pool_;
  pb::DynamicMessageFactory factory_;
  const std::unique_ptr<pb::Message> message_;
};

// What it would write to standard error is told by the result.
class QuietErrors final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string&,
                const std::string& element,
                const pb::Message*,
                ErrorLocation,
                const std::string& message) override {
    if (text_.empty()) text_ = element + ": " + message;
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

Result<std::unique_ptr<ValueReader>> make_protobuf_reader(Io& io,
                                                          const std::string& path,
                                                          const std::string& name) {
  // What is wrong is told by results; its log would go to standard error.
  pb::SetLogHandler(nullptr);
  const std::string bytes = TRY(read_file(io, path, kDescriptorBytesMax));
  pb::FileDescriptorSet files;
  if (!files.ParseFromString(bytes)) {
    return invalid(fmt::format("{} is no set of descriptors", path),
                   "write it with protoc --include_imports --descriptor_set_out=FILE");
  }
  const auto pool = std::make_shared<pb::DescriptorPool>();
  QuietErrors errors;
  for (const pb::FileDescriptorProto& file : files.file()) {
    if (pool->BuildFileCollectingErrors(file, &errors) != nullptr) continue;
    return invalid(fmt::format("{}: {}", path, errors.text()),
                   "write it with protoc --include_imports --descriptor_set_out=FILE");
  }
  const pb::Descriptor* const type = pool->FindMessageTypeByName(name);
  if (type == nullptr) {
    return invalid(fmt::format("{} has no message '{}'", path, name),
                   "write its whole name, with the package");
  }
  return std::unique_ptr<ValueReader>(std::make_unique<ProtobufReader>(pool, type));
}

}  // namespace lockstep
