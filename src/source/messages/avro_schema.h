// A schema of Avro, as far as its values are told apart.
#pragma once

#include "base/result.h"
#include "source/messages/connect_values.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value, but for its parts, which the schema owns.
struct AvroType {
  enum class Kind : std::uint8_t {
    kNull,
    kBool,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kRecord,
    kEnum,
    kArray,
    kMap,
    kUnion,
    kFixed,
  };
  Kind kind = Kind::kNull;
  ConnectField meaning = {};                // of dates, times and decimals
  std::size_t size = 0;                     // of a fixed
  std::vector<std::string> names = {};      // of a record's fields, or an enum's symbols
  std::vector<const AvroType*> parts = {};  // of fields, branches, or the one of the items
};

// Resource, immutable.
class AvroSchema final {
 public:
  // kInvalid: it is none.
  static Result<std::shared_ptr<const AvroSchema>> parse(std::string_view text);

  const AvroType& root() const { return *root_; }

  // A record with the fields of Debezium's envelope.
  bool is_envelope() const;

 private:
  friend class AvroSchemaParser;

  std::vector<std::unique_ptr<AvroType>> types_;
  const AvroType* root_ = nullptr;
};

}  // namespace lockstep
