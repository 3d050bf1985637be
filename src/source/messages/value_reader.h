// The bytes of a message's value or key as a list of values: from JSON, Avro or Protobuf.
#pragma once

#include "base/result.h"
#include "source/messages/avro_schema.h"
#include "source/messages/schema_registry.h"
#include "table/json_document.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

// Resource.
class ValueReader {
 public:
  virtual ~ValueReader() = default;
  // false: the bytes are none; `reason` says why, with `what` for them. An error: it cannot be
  // known now.
  virtual Result<bool> read(std::string_view bytes,
                            std::string_view what,
                            JsonDocument& out,
                            std::string& reason) = 0;
  // Whether a text may be of any type: the bytes' schema made it one.
  virtual bool spells() const = 0;
};

std::unique_ptr<ValueReader> make_json_reader();

// Resource. The schemas that were asked for, parsed; each is asked for once.
class AvroSchemas final {
 public:
  explicit AvroSchemas(SchemaRegistry& registry) : registry_(registry) {}

  // nullptr: there is none, or it is none; `reason` says so.
  Result<const AvroSchema*> find(std::uint32_t id, std::string& reason);

 private:
  SchemaRegistry& registry_;
  std::map<std::uint32_t, std::shared_ptr<const AvroSchema>> schemas_;
  // The last that was not there: many messages may name it in a row.
  std::optional<std::pair<std::uint32_t, std::string>> unknown_;
};

// Bytes as registries have them: a zero, the schema's number, and the value.
std::unique_ptr<ValueReader> make_avro_reader(AvroSchemas& schemas);

// By the descriptors in the file `path`, as protoc --descriptor_set_out writes them; `name`: of the
// message, with its package. Bytes may begin as registries have them. kInvalid: there is none.
Result<std::unique_ptr<ValueReader>> make_protobuf_reader(Io& io,
                                                          const std::string& path,
                                                          const std::string& name);

// The schema's number in front of `bytes`, which it leaves out; false: there is none.
bool take_schema_id(std::string_view& bytes, std::uint32_t& id);

}  // namespace lockstep
