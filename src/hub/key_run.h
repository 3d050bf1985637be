// A run: one file of the key index, written once. Its entries rise by hash, so that a key is found
// in one page; and most keys that are not there without reading any.
//
//   page    4096 bytes: checksum (8), then up to 127 entries of 32 bytes, then zeros
//   entry   hash, high and low word (8 + 8); row id (48 bits), position (40), place (40)
//   place   0: the key's row is gone; 1: inlined; else the file's id + 2
//   fences  after the last page: the high word of each page's first entry (8 each)
//   filters a Bloom filter for each page (160 bytes: ten bits an entry), unless there are more than
//           2^17 pages, whose filters would fill the memory
//   end     a checksum (8) of fences and filters
//
// Integers are little-endian. Every checksum is XXH3 seeded by the run's random id and the page's
// number: a page that was lost, torn, or is another file's does not pass. So nothing is synced.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "hub/row_place.h"

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

// Value. A key in the index: 128 bits under the hub's own secret. That two keys of a hub share them
// has a chance of 2^-90 at a hundred million rows.
struct KeyHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const KeyHash&) const = default;
};

// Value. As it stands in the file.
struct KeyEntry {
  KeyHash key;
  std::uint64_t first = 0;   // row id, and the upper 16 bits of the position
  std::uint64_t second = 0;  // the lower 24 bits of the position, and the place

  bool is_gone() const { return (second & ((std::uint64_t{1} << 40U) - 1)) == 0; }

  RowPlace place() const;  // not of one that is gone
};

// Whether an entry can hold the place: all that a hub of less than 2^40 files can have.
bool fits_entry(const RowPlace& place);
KeyEntry entry_of(const KeyHash& key, const RowPlace& place);
KeyEntry gone_entry(const KeyHash& key);

// Value. What the index remembers of a run.
struct KeyRunInfo {
  std::uint64_t id = 0;
  std::int64_t entry_count = 0;

  bool operator==(const KeyRunInfo&) const = default;
};

// Value. A page's entries, read and checked.
struct KeyPage {
  static constexpr std::size_t kEntriesMax = 127;

  std::array<KeyEntry, kEntriesMax> entries;
  std::size_t count = 0;

  bool spans(const KeyHash& key) const {
    return count > 0 && entries[0].key <= key && key <= entries[count - 1].key;
  }

  // nullptr: not in this page.
  const KeyEntry* find(const KeyHash& key) const;
};

// Resource. Writes one run.
class KeyRunWriter final {
 public:
  KeyRunWriter(std::unique_ptr<File> file, std::uint64_t id);
  KeyRunWriter(const KeyRunWriter&) = delete;
  KeyRunWriter& operator=(const KeyRunWriter&) = delete;

  Result<void> add(const KeyEntry& entry);  // keys rise
  Result<KeyRunInfo> finish();              // of a run with entries or without

 private:
  void end_page();
  Result<void> write_out();

  const std::unique_ptr<File> file_;
  KeyRunInfo info_;
  KeyHash last_;
  std::string page_;   // entries of the page that is being filled
  std::string ready_;  // pages to be written
  std::uint64_t written_bytes_ = 0;
  std::int64_t page_count_ = 0;
  std::string fences_;
  std::string filters_;
};

// Resource. A run that is there. Errors are kCorrupt, or those of the file.
class KeyRun final {
 public:
  static Result<std::shared_ptr<const KeyRun>> open(Io& io,
                                                    const std::string& path,
                                                    const KeyRunInfo& info);

  KeyRun(std::unique_ptr<File> file, std::string path, const KeyRunInfo& info);
  KeyRun(const KeyRun&) = delete;
  KeyRun& operator=(const KeyRun&) = delete;

  const KeyRunInfo& info() const { return info_; }

  const std::string& path() const { return path_; }

  std::int64_t page_count() const;
  Result<void> read_page(std::int64_t page, KeyPage& out) const;
  // The page that spans the key is read into `page`, unless it is there already. nullptr: the key
  // is not in this run.
  Result<const KeyEntry*> find(const KeyHash& key, KeyPage& page) const;

 private:
  Result<void> read_fences();
  bool may_have(std::int64_t page, const KeyHash& key) const;

  const std::unique_ptr<File> file_;
  const std::string path_;
  const KeyRunInfo info_;
  std::vector<std::uint64_t> fences_;
  std::string filters_;  // empty: there are none
};

// Resource. The entries of a run in order.
class KeyRunCursor final {
 public:
  explicit KeyRunCursor(std::shared_ptr<const KeyRun> run) : run_(std::move(run)) {}

  // nullptr: the end. Valid until next().
  Result<const KeyEntry*> entry();

  void next() { ++index_; }

 private:
  std::shared_ptr<const KeyRun> run_;
  KeyPage page_;
  std::size_t index_ = 0;
  std::int64_t next_page_ = 0;
};

}  // namespace lockstep
