// Where the current row of each key lies. A cache (hub-7): built from the table's rows, kept by the
// writer.
#pragma once

#include "base/hash.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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

// Value. Rows that stand one after another in a data file, the first of them at first_position.
struct FileRows {
  std::int64_t file_id = 0;
  std::int64_t first_position = 0;
  std::span<const std::string> keys;
  std::span<const std::int64_t> row_ids;  // as many
};

using FoundPlaces = std::vector<std::optional<RowPlace>>;

// Resource. Keys are the bytes of encode_key. What tells of a commit cannot fail, since the commit
// is durable by then: an index that cannot follow is made again at the next look-up.
class KeyIndex final {
 public:
  KeyIndex() = default;
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // nullopt: no current row.
  Result<std::optional<RowPlace>> find(std::string_view key) const {
    const auto found = places_.find(key);
    if (found == places_.end()) return std::optional<RowPlace>{};
    return std::optional<RowPlace>(found->second);
  }

  // The same for each of many keys, in their order. Costs less a key than find().
  Result<FoundPlaces> find_all(std::span<const std::string> keys) const {
    FoundPlaces places;
    places.reserve(keys.size());
    for (const std::string& key : keys)
      places.push_back(TRY(find(key)));
    return places;
  }

  // The key's row lies here now, whether it had one or not.
  void set(std::string_view key, const RowPlace& place) {
    places_.insert_or_assign(std::string(key), place);
  }

  // set() for many rows of a file, at a cost that suits bulk loads and compaction.
  void add_file(const FileRows& rows) {
    places_.reserve(places_.size() + rows.keys.size());
    for (std::size_t row = 0; row < rows.keys.size(); ++row) {
      set(rows.keys[row],
          {rows.row_ids[row], rows.file_id, rows.first_position + static_cast<std::int64_t>(row)});
    }
  }

  void erase(std::string_view key) {
    const auto found = places_.find(key);
    if (found != places_.end()) places_.erase(found);
  }

  void clear() { places_.clear(); }

 private:
  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view key) const { return hash64(key); }
  };

  std::unordered_map<std::string, RowPlace, Hash, std::equal_to<>> places_;
};

}  // namespace lockstep
