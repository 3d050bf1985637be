// Values of Avro, read by their own schema. Dates, times and decimals become texts.
#include "source/messages/value_reader.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

using AvroKind = AvroType::Kind;
using Meaning = ConnectField::Kind;
using JsonKind = JsonValue::Kind;

constexpr int kValueDepthMax = 100;
constexpr std::size_t kValuesMax = 1'000'000;

// Resource. One value's bytes. No read goes beyond them.
class AvroBytes final {
 public:
  AvroBytes(std::string_view bytes, JsonDocument& out)
      : bytes_(bytes), out_(out), values_(out.begin_values()) {}

  bool read_all(const AvroType& root) { return read(root, {}, 0) && bytes_.empty(); }

 private:
  // NOLINTNEXTLINE(misc-no-recursion): to kValueDepthMax
  bool read(const AvroType& type, std::string_view name, int depth) {
    if (depth > kValueDepthMax || values_.size() > kValuesMax) return false;
    switch (type.kind) {
      case AvroKind::kUnion: {
        std::int64_t branch = 0;
        if (!take_whole(branch) || !is_index(branch, type.parts)) return false;
        return read(*type.parts[static_cast<std::size_t>(branch)], name, depth + 1);
      }
      case AvroKind::kRecord:
        return read_record(type, name, depth);
      case AvroKind::kArray:
      case AvroKind::kMap:
        return read_items(type, name, depth);
      default:
        return read_scalar(type, name);
    }
  }

  template <typename T>
  static bool is_index(std::int64_t index, const std::vector<T>& of) {
    return index >= 0 && static_cast<std::uint64_t>(index) < of.size();
  }

  JsonValue& add(std::string_view name, JsonKind kind) {
    JsonValue& added = values_.emplace_back();
    added.name = name;
    added.kind = kind;
    added.end = static_cast<std::uint32_t>(values_.size());
    return added;
  }

  // NOLINTNEXTLINE(misc-no-recursion): to kValueDepthMax
  bool read_record(const AvroType& type, std::string_view name, int depth) {
    const std::size_t at = values_.size();
    add(name, JsonKind::kObject);
    for (std::size_t field = 0; field < type.parts.size(); ++field) {
      if (!read(*type.parts[field], type.names[field], depth + 1)) return false;
    }
    values_[at].end = static_cast<std::uint32_t>(values_.size());
    return true;
  }

  // Blocks, each with its count; a negative one has its length behind it.
  // NOLINTNEXTLINE(misc-no-recursion): to kValueDepthMax
  bool read_items(const AvroType& type, std::string_view name, int depth) {
    const bool is_map = type.kind == AvroKind::kMap;
    const std::size_t at = values_.size();
    add(name, is_map ? JsonKind::kObject : JsonKind::kArray);
    for (;;) {
      std::int64_t count = 0;
      std::int64_t length = 0;
      if (!take_whole(count)) return false;
      if (count == 0) break;
      if (count < 0 && (count == INT64_MIN || !take_whole(length))) return false;
      for (std::int64_t left = count < 0 ? -count : count; left > 0; --left) {
        std::string_view key;
        if (is_map && !take_bytes(key)) return false;
        if (!read(*type.parts.front(), key, depth + 1)) return false;
      }
    }
    values_[at].end = static_cast<std::uint32_t>(values_.size());
    return true;
  }

  bool read_scalar(const AvroType& type, std::string_view name) {
    switch (type.kind) {
      case AvroKind::kNull:
        add(name, JsonKind::kNull);
        return true;
      case AvroKind::kBool:
        return read_bool(name);
      case AvroKind::kInt:
      case AvroKind::kLong:
        return read_whole(type.meaning, name);
      case AvroKind::kFloat:
        return read_number<float, std::uint32_t>(name);
      case AvroKind::kDouble:
        return read_number<double, std::uint64_t>(name);
      case AvroKind::kEnum: {
        std::int64_t symbol = 0;
        if (!take_whole(symbol) || !is_index(symbol, type.names)) return false;
        add(name, JsonKind::kText).text = type.names[static_cast<std::size_t>(symbol)];
        return true;
      }
      default:
        return read_bytes(type, name);
    }
  }

  bool read_bool(std::string_view name) {
    std::string_view byte;
    if (!take(1, byte) || static_cast<unsigned char>(byte.front()) > 1) return false;
    add(name, JsonKind::kBool).boolean = byte.front() == 1;
    return true;
  }

  bool read_whole(const ConnectField& meaning, std::string_view name) {
    std::int64_t number = 0;
    if (!take_whole(number)) return false;
    const bool is_day = meaning.kind == Meaning::kDays && number >= INT32_MIN &&
                        number <= INT32_MAX && is_storable(Date{static_cast<std::int32_t>(number)});
    const std::optional<std::int64_t> us =
        meaning.kind == Meaning::kTime ? us_since_1970(number, meaning.unit) : std::nullopt;
    if (is_day) {
      add(name, JsonKind::kText).text =
          out_.keep(text_of_date(Date{static_cast<std::int32_t>(number)}));
    } else if (us && is_storable(Timestamp{*us})) {
      add(name, JsonKind::kText).text = out_.keep(text_of_timestamp(Timestamp{*us}));
    } else {
      JsonValue& added = add(name, JsonKind::kInt);
      added.whole = number;
      added.number = static_cast<double>(number);
    }
    return true;
  }

  template <typename Number, typename Bits>
  bool read_number(std::string_view name) {
    std::string_view bytes;
    if (!take(sizeof(Number), bytes)) return false;
    Bits bits = 0;
    for (std::size_t index = sizeof(Number); index > 0; --index)
      bits = bits << 8 | static_cast<unsigned char>(bytes[index - 1]);
    add(name, JsonKind::kNumber).number = static_cast<double>(std::bit_cast<Number>(bits));
    return true;
  }

  bool read_bytes(const AvroType& type, std::string_view name) {
    std::string_view bytes;
    const bool taken = type.kind == AvroKind::kFixed ? take(type.size, bytes) : take_bytes(bytes);
    if (!taken) return false;
    if (type.meaning.kind == Meaning::kDecimal) {
      std::optional<std::string> text = decimal_text(bytes, type.meaning.scale);
      if (!text) return false;
      add(name, JsonKind::kText).text = out_.keep(*std::move(text));
    } else if (type.kind == AvroKind::kString) {
      if (first_invalid_utf8(bytes)) return false;
      add(name, JsonKind::kText).text = bytes;
    } else {
      add(name, JsonKind::kArray);  // bytes: no column takes them
    }
    return true;
  }

  bool take(std::size_t count, std::string_view& out) {
    if (bytes_.size() < count) return false;
    out = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return true;
  }

  bool take_bytes(std::string_view& out) {
    std::int64_t length = 0;
    return take_whole(length) && length >= 0 && take(static_cast<std::size_t>(length), out);
  }

  // Seven bits a byte, the lowest first; then zigzag.
  bool take_whole(std::int64_t& out) {
    std::uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      std::string_view byte;
      if (!take(1, byte)) return false;
      const auto value = static_cast<unsigned char>(byte.front());
      bits |= static_cast<std::uint64_t>(value & 0x7F) << shift;
      if ((value & 0x80) != 0) continue;
      out = static_cast<std::int64_t>(bits >> 1 ^ (~(bits & 1) + 1));
      return true;
    }
    return false;
  }

  std::string_view bytes_;
  JsonDocument& out_;
  std::vector<JsonValue>& values_;
};

class AvroReader final : public ValueReader {
 public:
  explicit AvroReader(AvroSchemas& schemas) : schemas_(schemas) {}

  Result<bool> read(std::string_view bytes,
                    std::string_view what,
                    JsonDocument& out,
                    std::string& reason) override {
    std::uint32_t id = 0;
    if (!take_schema_id(bytes, id)) {
      reason = fmt::format("{} does not begin with a schema's number", what);
      return false;
    }
    const AvroSchema* schema = TRY(schemas_.find(id, reason));
    if (schema == nullptr) return false;
    if (AvroBytes(bytes, out).read_all(schema->root())) return true;
    reason = fmt::format("{} is not as schema {} says", what, id);
    return false;
  }

  bool spells() const override { return true; }

 private:
  AvroSchemas& schemas_;
};

class JsonReader final : public ValueReader {
 public:
  Result<bool> read(std::string_view bytes,
                    std::string_view what,
                    JsonDocument& out,
                    std::string& reason) override {
    return out.read(bytes, what, reason);
  }

  bool spells() const override { return false; }
};

}  // namespace

bool take_schema_id(std::string_view& bytes, std::uint32_t& id) {
  constexpr std::size_t kFrontBytes = 5;
  if (bytes.size() < kFrontBytes || bytes.front() != '\0') return false;
  id = 0;
  for (std::size_t index = 1; index < kFrontBytes; ++index)
    id = id << 8 | static_cast<unsigned char>(bytes[index]);
  bytes.remove_prefix(kFrontBytes);
  return true;
}

Result<const AvroSchema*> AvroSchemas::find(std::uint32_t id, std::string& reason) {
  const auto known = schemas_.find(id);
  if (known != schemas_.end()) {
    unknown_.reset();
    return known->second.get();
  }
  if (unknown_ && unknown_->first == id) {
    reason = unknown_->second;
    return nullptr;
  }
  const std::optional<std::string> text = TRY(registry_.schema(id));
  Result<std::shared_ptr<const AvroSchema>> schema = AvroSchema::parse(text.value_or(""));
  if (text && schema.ok()) return (schemas_[id] = std::move(schema).value()).get();
  reason = text ? fmt::format("schema {}: {}", id, schema.error().message)
                : fmt::format("there is no schema {}", id);
  unknown_.emplace(id, reason);
  return nullptr;
}

std::unique_ptr<ValueReader> make_json_reader() {
  return std::make_unique<JsonReader>();
}

std::unique_ptr<ValueReader> make_avro_reader(AvroSchemas& schemas) {
  return std::make_unique<AvroReader>(schemas);
}

}  // namespace lockstep
