// A JSON text as a list of its values, without an allocation for each of them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// Value. What is within an object or an array follows it; `end` is where its next sibling stands.
struct JsonValue {
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kNumber, kText, kObject, kArray };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::uint32_t end = 0;
  std::int64_t whole = 0;  // kInt
  double number = 0;       // kInt, kNumber
  std::string_view name = {};
  std::string_view text = {};  // kText; of a number only what no double spells

  std::string spelling() const;  // for messages: "{...}" for an object
};

// Resource. What it read is good until it reads again.
class JsonDocument final {
 public:
  JsonDocument();
  ~JsonDocument();

  // false: it is not JSON, or nests deeper than a thousand; `reason` says so, with `what` for the
  // text: "the line".
  bool read(std::string_view text, std::string_view what, std::string& reason);

  // The same of an object with no name twice, at its outermost.
  bool read_object(std::string_view text, std::string_view what, std::string& reason);

  // What read_object() asks of what was read.
  bool check_object(std::string_view what, std::string& reason);

  // Of a text in another notation: the list, empty, and texts that it owns.
  std::vector<JsonValue>& begin_values();

  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  const JsonValue& root() const { return values_.front(); }

  std::span<const JsonValue> values() const { return values_; }

  // The member of an object; nullptr: it has none of that name, or is none.
  const JsonValue* find(const JsonValue& object, std::string_view name) const;

  // Calls `visit` for each member of an object, or element of an array.
  template <typename Visit>
  void for_each(const JsonValue& parent, const Visit& visit) const {
    const std::size_t first = static_cast<std::size_t>(&parent - values_.data()) + 1;
    for (std::size_t at = first; at < parent.end; at = values_[at].end)
      visit(values_[at]);
  }

 private:
  struct Parser;

  bool read_slowly(std::string_view text, std::string_view what, std::string& reason);
  bool has_name_twice(std::string_view& name);

  std::unique_ptr<Parser> parser_;
  std::vector<JsonValue> values_;
  std::deque<std::string> texts_;        // of a text that only the slow way reads
  std::vector<std::string> last_names_;  // of the last object: most texts have the same
};

}  // namespace lockstep
