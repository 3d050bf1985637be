// Schemas by the number that messages carry: from a registry over HTTP, or from a folder.
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lockstep {

// Resource.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;
  // The schema's text; none: there is no such number. An error: it cannot be known now.
  virtual Result<std::optional<std::string>> schema(std::uint32_t id) = 0;
};

// The files 1.avsc, 2.avsc ... of a folder.
std::unique_ptr<SchemaRegistry> make_folder_registry(Io& io, std::string folder);

// `url`: http://user:password@host:8081. No error of it tells the password.
std::unique_ptr<SchemaRegistry> make_http_registry(std::string url);

// What a registry answered to GET /schemas/ids/7: the schema's text. kUnsupported: it is not Avro,
// or refers to others.
Result<std::string> schema_of_answer(const std::string& answer);

}  // namespace lockstep
