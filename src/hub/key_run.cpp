#include "hub/key_run.h"

#include "base/assert.h"
#include "base/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace lockstep {

namespace {

static_assert(std::endian::native == std::endian::little,
              "entries are stored as they lie in memory");
static_assert(sizeof(KeyEntry) == 32 && std::is_trivially_copyable_v<KeyEntry>);

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kWriteBytes = 16 * kPageBytes;
constexpr std::size_t kFilterBytes = 160;
constexpr std::uint32_t kFilterBits = kFilterBytes * 8;
constexpr std::uint32_t kFilterProbes = 7;  // about ln 2 times ten bits an entry: 1 % pass wrongly
constexpr std::int64_t kFilterPagesMax = std::int64_t{1} << 17U;
constexpr std::int64_t kEntries = KeyPage::kEntriesMax;
static_assert(kChecksumBytes + KeyPage::kEntriesMax * sizeof(KeyEntry) <= kPageBytes);

constexpr std::uint64_t kPlaceMask = (std::uint64_t{1} << 40U) - 1;
constexpr std::uint64_t kLowMask = (std::uint64_t{1} << 24U) - 1;
constexpr std::uint64_t kInlinedPlace = 1;
constexpr std::int64_t kFirstFilePlace = 2;

std::uint64_t checksum_of(std::string_view bytes, std::uint64_t id, std::int64_t page) {
  return hash64(bytes, id + static_cast<std::uint64_t>(page) * 0x9E3779B97F4A7C15U);
}

void append_word(std::string& out, std::uint64_t word) {
  std::array<char, 8> bytes{};
  std::memcpy(bytes.data(), &word, bytes.size());
  out.append(bytes.data(), bytes.size());
}

std::uint64_t word_at(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

std::size_t filters_bytes(std::int64_t pages) {
  return pages > kFilterPagesMax ? 0 : static_cast<std::size_t>(pages) * kFilterBytes;
}

// Where a key's bits are in its page's filter, by double hashing (Kirsch and Mitzenmacher, "Less
// hashing, same performance", 2006). The high word tells the page, the low one is free.
template <typename Probe>
bool all_probes(const KeyHash& key, const Probe& probe) {
  auto at = static_cast<std::uint32_t>(key.low);
  const auto step = static_cast<std::uint32_t>(key.low >> 32U) | 1U;
  for (std::uint32_t count = 0; count < kFilterProbes; ++count, at += step) {
    if (!probe(static_cast<std::uint32_t>(std::uint64_t{at} * kFilterBits >> 32U))) return false;
  }
  return true;
}

void add_to_filter(const KeyHash& key, char* filter) {
  all_probes(key, [filter](std::uint32_t bit) {
    filter[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(filter[bit / 8]) | 1U << bit % 8);
    return true;
  });
}

bool passes_filter(const KeyHash& key, const char* filter) {
  return all_probes(key, [filter](std::uint32_t bit) {
    return (static_cast<unsigned char>(filter[bit / 8]) >> bit % 8 & 1U) != 0;
  });
}

std::int64_t pages_for(std::int64_t entry_count) {
  return (entry_count + kEntries - 1) / kEntries;
}

// Reads exactly so many bytes; fewer are kCorrupt.
Result<void> read_exactly(const File& file,
                          const std::string& path,
                          std::uint64_t offset,
                          std::span<char> bytes) {
  const std::size_t count = TRY(file.read_at(offset, std::as_writable_bytes(bytes)));
  if (count == bytes.size()) return {};
  return make_error(Code::kCorrupt, fmt::format("the key index's file {} is cut short", path));
}

Error damaged(const std::string& path) {
  return make_error(Code::kCorrupt,
                    fmt::format("the key index's file {} does not match its checksum", path));
}

}  // namespace

RowPlace KeyEntry::place() const {
  LOCKSTEP_ASSERT(!is_gone(), "hub: the place of a key whose row is gone");
  const std::uint64_t place = second & kPlaceMask;
  return {.row_id = static_cast<std::int64_t>(first >> 16U),
          .file_id = place == kInlinedPlace ? RowPlace::kInlined
                                            : static_cast<std::int64_t>(place) - kFirstFilePlace,
          .position = static_cast<std::int64_t>((first & 0xFFFFU) << 24U | second >> 40U)};
}

bool fits_entry(const RowPlace& place) {
  const auto fits = [](std::int64_t number, unsigned bits) {
    return number >= 0 && static_cast<std::uint64_t>(number) >> bits == 0;
  };
  return fits(place.row_id, 48) && fits(place.position, 40) &&
         fits(place.file_id + kFirstFilePlace, 40);
}

KeyEntry entry_of(const KeyHash& key, const RowPlace& place) {
  LOCKSTEP_ASSERT(fits_entry(place), "hub: a row's place does not fit the key index");
  const auto position = static_cast<std::uint64_t>(place.position);
  return {.key = key,
          .first = static_cast<std::uint64_t>(place.row_id) << 16U | position >> 24U,
          .second = (position & kLowMask) << 40U |
                    static_cast<std::uint64_t>(place.file_id + kFirstFilePlace)};
}

KeyEntry gone_entry(const KeyHash& key) {
  return {.key = key};
}

const KeyEntry* KeyPage::find(const KeyHash& key) const {
  const auto* const end = entries.data() + count;
  const auto* const found =
      std::lower_bound(entries.data(), end, key, [](const KeyEntry& entry, const KeyHash& asked) {
        return entry.key < asked;
      });
  return found != end && found->key == key ? found : nullptr;
}

KeyRunWriter::KeyRunWriter(std::unique_ptr<File> file, std::uint64_t id)
    : file_(std::move(file)), info_{.id = id} {
}

Result<void> KeyRunWriter::add(const KeyEntry& entry) {
  LOCKSTEP_ASSERT(info_.entry_count == 0 || last_ < entry.key, "hub: keys of a run do not rise");
  if (page_.empty()) {
    append_word(fences_, entry.key.high);
    if (page_count_ < kFilterPagesMax) filters_.resize(filters_.size() + kFilterBytes, '\0');
  }
  if (page_count_ < kFilterPagesMax)
    add_to_filter(entry.key, filters_.data() + filters_.size() - kFilterBytes);
  std::array<char, sizeof(KeyEntry)> bytes{};
  std::memcpy(bytes.data(), &entry, bytes.size());
  page_.append(bytes.data(), bytes.size());
  last_ = entry.key;
  ++info_.entry_count;
  if (info_.entry_count % kEntries == 0) end_page();
  return ready_.size() < kWriteBytes ? Result<void>{} : write_out();
}

void KeyRunWriter::end_page() {
  page_.resize(kPageBytes - kChecksumBytes, '\0');
  append_word(ready_, checksum_of(page_, info_.id, page_count_));
  ready_ += page_;
  page_.clear();
  ++page_count_;
}

Result<void> KeyRunWriter::write_out() {
  TRY(file_->write_at(written_bytes_, std::as_bytes(std::span(ready_))));
  written_bytes_ += ready_.size();
  ready_.clear();
  return {};
}

Result<KeyRunInfo> KeyRunWriter::finish() {
  if (!page_.empty()) end_page();
  LOCKSTEP_ASSERT(page_count_ == pages_for(info_.entry_count), "hub: a run misses a page");
  std::string end = std::move(fences_);
  filters_.resize(filters_bytes(page_count_));
  end += filters_;
  append_word(end, checksum_of(end, info_.id, page_count_));
  ready_ += end;
  TRY(write_out());
  return info_;
}

Result<std::shared_ptr<const KeyRun>> KeyRun::open(Io& io,
                                                   const std::string& path,
                                                   const KeyRunInfo& info) {
  auto run = std::make_shared<KeyRun>(TRY(io.open(path, OpenMode::kRead)), path, info);
  TRY(run->read_fences());
  return std::shared_ptr<const KeyRun>(std::move(run));
}

KeyRun::KeyRun(std::unique_ptr<File> file, std::string path, const KeyRunInfo& info)
    : file_(std::move(file)), path_(std::move(path)), info_(info) {
}

std::int64_t KeyRun::page_count() const {
  return pages_for(info_.entry_count);
}

Result<void> KeyRun::read_fences() {
  if (info_.entry_count < 0) return damaged(path_);
  const std::int64_t pages = page_count();
  const auto fences_size = static_cast<std::size_t>(pages) * sizeof(std::uint64_t);
  const std::uint64_t start = static_cast<std::uint64_t>(pages) * kPageBytes;
  const std::size_t size = fences_size + filters_bytes(pages) + kChecksumBytes;
  // The size first: a wrong number of entries must not become a wrong number of bytes.
  if (TRY(file_->size_bytes()) != start + size) return damaged(path_);
  std::string bytes(size, '\0');
  TRY(read_exactly(*file_, path_, start, bytes));
  const std::string_view content(bytes.data(), size - kChecksumBytes);
  if (word_at(bytes.data() + content.size()) != checksum_of(content, info_.id, pages))
    return damaged(path_);
  fences_.resize(static_cast<std::size_t>(pages));
  if (pages > 0) std::memcpy(fences_.data(), content.data(), fences_size);
  filters_ = content.substr(fences_size);
  return {};
}

Result<void> KeyRun::read_page(std::int64_t page, KeyPage& out) const {
  LOCKSTEP_ASSERT(page >= 0, "hub: a page below zero");
  LOCKSTEP_ASSERT(page < page_count(), "hub: no such page in a run");
  out.count = 0;
  std::array<char, kPageBytes> bytes{};
  TRY(read_exactly(*file_, path_, static_cast<std::uint64_t>(page) * kPageBytes, bytes));
  const std::string_view content(bytes.data() + kChecksumBytes, kPageBytes - kChecksumBytes);
  if (word_at(bytes.data()) != checksum_of(content, info_.id, page)) return damaged(path_);
  const std::int64_t count = std::min(kEntries, info_.entry_count - page * kEntries);
  std::memcpy(
      out.entries.data(), content.data(), static_cast<std::size_t>(count) * sizeof(KeyEntry));
  out.count = static_cast<std::size_t>(count);
  return {};
}

bool KeyRun::may_have(std::int64_t page, const KeyHash& key) const {
  return filters_.empty() ||
         passes_filter(key, filters_.data() + static_cast<std::size_t>(page) * kFilterBytes);
}

// The page that begins last at or below the key, and those before it that begin with its very word.
Result<const KeyEntry*> KeyRun::find(const KeyHash& key, KeyPage& page) const {
  const KeyEntry* none = nullptr;
  if (page.spans(key)) return page.find(key);
  // The last page that may have it, and those before while they begin with as high a word.
  for (std::int64_t at = std::ranges::upper_bound(fences_, key.high) - fences_.begin() - 1; at >= 0;
       --at) {
    if (may_have(at, key)) {
      TRY(read_page(at, page));
      if (const KeyEntry* found = page.find(key); found != nullptr) return found;
    }
    if (fences_[static_cast<std::size_t>(at)] != key.high) break;
  }
  return none;
}

Result<const KeyEntry*> KeyRunCursor::entry() {
  if (index_ >= page_.count) {
    const KeyEntry* end = nullptr;
    if (next_page_ >= run_->page_count()) return end;
    TRY(run_->read_page(next_page_, page_));
    ++next_page_;
    index_ = 0;
  }
  const KeyEntry* entry = &page_.entries[index_];
  return entry;
}

}  // namespace lockstep
