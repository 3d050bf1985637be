// Where the current row of each key lies. A cache (hub-7): built from the table's rows, kept by the
// writer.
#pragma once

#include "base/hash.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lockstep {

// Value. Where a current row lies: in the inlined table under its row id, or at a position of a
// data file.
struct RowPlace {
  static constexpr std::int64_t kInlined = -1;

  std::int64_t row_id = 0;
  std::int64_t file_id = kInlined;
  std::int64_t position = 0;  // in the file

  bool is_inlined() const { return file_id == kInlined; }

  bool operator==(const RowPlace&) const = default;
};

// Resource. Keys are the bytes of encode_key. Never iterated: its order is nobody's business.
class KeyIndex final {
 public:
  KeyIndex() = default;
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  void reserve(std::int64_t key_count) { places_.reserve(static_cast<std::size_t>(key_count)); }

  // nullptr: no current row.
  const RowPlace* find(std::string_view key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second;
  }

  // false: the key had a row already, which stays.
  bool insert(std::string key, const RowPlace& place) {
    return places_.emplace(std::move(key), place).second;
  }

  void set(std::string_view key, const RowPlace& place) {
    places_.insert_or_assign(std::string(key), place);
  }

  void erase(std::string_view key) {
    const auto found = places_.find(key);
    if (found != places_.end()) places_.erase(found);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(places_.size()); }

 private:
  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view key) const { return hash64(key); }
  };

  std::unordered_map<std::string, RowPlace, Hash, std::equal_to<>> places_;
};

}  // namespace lockstep
