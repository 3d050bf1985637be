// One line of NDJSON as names and scalar values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct JsonMember {
  enum class Kind { kNull, kBool, kInt, kNumber, kText, kNested };

  std::string name;
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t whole = 0;  // kInt
  double number = 0;       // kInt, kNumber
  std::string text;        // kText; else its spelling, for messages
};

// The members of the object that `line` is, in its order. False: it is no object, is not JSON, or
// names a member twice; `reason` says which. Nested values are kept as kNested, without what is in
// them.
bool read_json_row(std::string_view line, std::vector<JsonMember>& members, std::string& reason);

}  // namespace lockstep
