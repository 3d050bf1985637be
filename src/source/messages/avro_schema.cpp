#include "source/messages/avro_schema.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace lockstep {
namespace {

using AvroJson = nlohmann::json;
using AvroKind = AvroType::Kind;

constexpr int kSchemaDepthMax = 100;

struct NamedAvroKind {
  std::string_view name;
  AvroKind kind;
};

constexpr std::array<NamedAvroKind, 8> kPrimitives = {{
    {"null", AvroKind::kNull},
    {"boolean", AvroKind::kBool},
    {"int", AvroKind::kInt},
    {"long", AvroKind::kLong},
    {"float", AvroKind::kFloat},
    {"double", AvroKind::kDouble},
    {"bytes", AvroKind::kBytes},
    {"string", AvroKind::kString},
}};

std::optional<AvroKind> primitive_of(std::string_view name) {
  const auto* const found = std::ranges::find(kPrimitives, name, &NamedAvroKind::name);
  return found == kPrimitives.end() ? std::nullopt : std::optional(found->kind);
}

std::string text_at(const AvroJson& json, const char* name) {
  return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
}

// Of a logical type, or of the name that Kafka Connect gave.
ConnectField meaning_of(const AvroJson& json) {
  using MeaningKind = ConnectField::Kind;
  const std::string logical = text_at(json, "logicalType");
  const int scale =
      json.contains("scale") && json["scale"].is_number_integer() ? json["scale"].get<int>() : 0;
  if (logical == "date") return {MeaningKind::kDays, TimeUnit::kMilliseconds, 0};
  if (logical == "decimal") return {MeaningKind::kDecimal, TimeUnit::kMilliseconds, scale};
  if (logical.ends_with("timestamp-millis"))
    return {MeaningKind::kTime, TimeUnit::kMilliseconds, 0};
  if (logical.ends_with("timestamp-micros"))
    return {MeaningKind::kTime, TimeUnit::kMicroseconds, 0};
  if (logical.ends_with("timestamp-nanos")) return {MeaningKind::kTime, TimeUnit::kNanoseconds, 0};
  return connect_field(text_at(json, "connect.name"), "", scale);
}

}  // namespace

// Resource. Makes one schema.
class AvroSchemaParser final {
 public:
  explicit AvroSchemaParser(AvroSchema& schema) : schema_(schema) {}

  // NOLINTNEXTLINE(misc-no-recursion): to kSchemaDepthMax
  Result<const AvroType*> type_of(const AvroJson& json, const std::string& space, int depth) {
    if (depth > kSchemaDepthMax) return invalid("it nests too deep");
    if (json.is_string()) return named(json.get<std::string>(), space);
    if (json.is_array()) return union_of(json, space, depth);
    if (!json.is_object() || !json.contains("type")) return invalid("a part of it has no type");
    const AvroJson& type = json["type"];
    if (!type.is_string()) return type_of(type, space, depth + 1);
    const std::string name = type.get<std::string>();
    if (const std::optional<AvroKind> kind = primitive_of(name)) {
      AvroType& made = add(*kind);
      made.meaning = meaning_of(json);
      return &made;
    }
    if (name == "record" || name == "error") return record_of(json, space, depth);
    if (name == "enum") return enum_of(json, space);
    if (name == "fixed") return fixed_of(json, space);
    if (name == "array" || name == "map") {
      const char* const inner = name == "array" ? "items" : "values";
      if (!json.contains(inner)) return invalid(fmt::format("an {} has no {}", name, inner));
      AvroType& made = add(name == "array" ? AvroKind::kArray : AvroKind::kMap);
      made.parts.push_back(TRY(type_of(json[inner], space, depth + 1)));
      return &made;
    }
    return named(name, space);
  }

 private:
  AvroType& add(AvroKind kind) {
    schema_.types_.push_back(std::make_unique<AvroType>());
    schema_.types_.back()->kind = kind;
    return *schema_.types_.back();
  }

  Result<const AvroType*> named(const std::string& name, const std::string& space) {
    if (const std::optional<AvroKind> kind = primitive_of(name)) return &add(*kind);
    const bool is_full = name.find('.') != std::string::npos || space.empty();
    auto found = named_.find(is_full ? name : space + "." + name);
    if (found == named_.end()) found = named_.find(name);
    if (found != named_.end()) return found->second;
    return invalid(fmt::format("it has no type '{}'", name));
  }

  // The namespace of what is within.
  std::string remember(const AvroJson& json, const std::string& space, const AvroType& type) {
    std::string name = text_at(json, "name");
    std::string inner = json.contains("namespace") ? text_at(json, "namespace") : space;
    if (const std::size_t dot = name.rfind('.'); dot != std::string::npos)
      inner = name.substr(0, dot);
    else if (!inner.empty())
      name = inner + "." + name;
    named_[name] = &type;
    return inner;
  }

  // NOLINTNEXTLINE(misc-no-recursion): to kSchemaDepthMax
  Result<const AvroType*> union_of(const AvroJson& json, const std::string& space, int depth) {
    AvroType& made = add(AvroKind::kUnion);
    for (const AvroJson& branch : json)
      made.parts.push_back(TRY(type_of(branch, space, depth + 1)));
    return &made;
  }

  // NOLINTNEXTLINE(misc-no-recursion): to kSchemaDepthMax
  Result<const AvroType*> record_of(const AvroJson& json, const std::string& space, int depth) {
    if (!json.contains("fields") || !json["fields"].is_array())
      return invalid("a record has no fields");
    AvroType& made = add(AvroKind::kRecord);
    const std::string inner = remember(json, space, made);
    for (const AvroJson& field : json["fields"]) {
      if (!field.is_object() || text_at(field, "name").empty() || !field.contains("type"))
        return invalid("a field of a record has no name, or no type");
      made.names.push_back(text_at(field, "name"));
      made.parts.push_back(TRY(type_of(field["type"], inner, depth + 1)));
    }
    return &made;
  }

  Result<const AvroType*> enum_of(const AvroJson& json, const std::string& space) {
    if (!json.contains("symbols") || !json["symbols"].is_array())
      return invalid("an enum has no symbols");
    AvroType& made = add(AvroKind::kEnum);
    remember(json, space, made);
    for (const AvroJson& symbol : json["symbols"]) {
      if (!symbol.is_string()) return invalid("an enum has a symbol that is no text");
      made.names.push_back(symbol.get<std::string>());
    }
    return &made;
  }

  Result<const AvroType*> fixed_of(const AvroJson& json, const std::string& space) {
    if (!json.contains("size") || !json["size"].is_number_unsigned())
      return invalid("a fixed has no size");
    AvroType& made = add(AvroKind::kFixed);
    remember(json, space, made);
    made.size = json["size"].get<std::size_t>();
    made.meaning = meaning_of(json);
    return &made;
  }

  AvroSchema& schema_;
  std::map<std::string, const AvroType*> named_;
};

Result<std::shared_ptr<const AvroSchema>> AvroSchema::parse(std::string_view text) {
  const AvroJson json = AvroJson::parse(text, nullptr, false);
  // A primitive may stand without quotes.
  const AvroJson whole = json.is_discarded() ? AvroJson(std::string(text)) : json;
  auto schema = std::make_shared<AvroSchema>();
  schema->root_ = TRY_IN(AvroSchemaParser(*schema).type_of(whole, "", 0), "the schema of Avro");
  return std::shared_ptr<const AvroSchema>(std::move(schema));
}

bool AvroSchema::is_envelope() const {
  if (root_->kind != AvroKind::kRecord) return false;
  constexpr std::array<std::string_view, 3> kFields = {"before", "after", "op"};
  return std::ranges::all_of(kFields, [&](std::string_view name) {
    return std::ranges::find(root_->names, name) != root_->names.end();
  });
}

}  // namespace lockstep
