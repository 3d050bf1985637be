#include "hub/key_index_folder.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

namespace lockstep {

namespace {

constexpr std::string_view kMagic = "LOCKIDX1";
constexpr std::uint64_t kRecordBytesMax = 1U << 20U;
constexpr std::size_t kRunsMax = 10'000;

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 8> bytes{};
  std::memcpy(bytes.data(), &number, bytes.size());
  out.append(bytes.data(), bytes.size());
}

std::string record_text(const std::string& hub_id,
                        std::int64_t table_id,
                        const IndexRecord& record) {
  std::string text(kMagic);
  append_number(text, record.number);
  text += hub_id;
  const IndexStamp& stamp = record.stamp;
  for (const std::int64_t number : {table_id,
                                    stamp.snapshot,
                                    stamp.time_us,
                                    stamp.next_file_id,
                                    stamp.row_count,
                                    static_cast<std::int64_t>(record.runs.size())}) {
    append_number(text, static_cast<std::uint64_t>(number));
  }
  for (const KeyRunInfo& run : record.runs) {
    append_number(text, run.id);
    append_number(text, static_cast<std::uint64_t>(run.entry_count));
  }
  append_number(text, hash64(text));
  return text;
}

// Takes pieces off the front of a text; after the end everything is empty or 0, and ok() is false.
class Pieces final {
 public:
  explicit Pieces(std::string_view text) : rest_(text) {}

  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view piece = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return piece;
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view piece = bytes(sizeof value);
    if (piece.size() == sizeof value) std::memcpy(&value, piece.data(), sizeof value);
    return value;
  }

  std::int64_t integer() { return static_cast<std::int64_t>(number()); }

  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// What stands behind it is left from a longer one.
std::optional<IndexRecord> parse_record(std::string_view text,
                                        std::string_view hub_id,
                                        std::int64_t table_id) {
  Pieces pieces(text);
  IndexRecord record;
  if (pieces.bytes(kMagic.size()) != kMagic) return std::nullopt;
  record.number = pieces.number();
  if (pieces.bytes(hub_id.size()) != hub_id) return std::nullopt;
  if (pieces.integer() != table_id) return std::nullopt;
  record.stamp.snapshot = pieces.integer();
  record.stamp.time_us = pieces.integer();
  record.stamp.next_file_id = pieces.integer();
  record.stamp.row_count = pieces.integer();
  const std::uint64_t run_count = pieces.number();
  if (run_count > kRunsMax) return std::nullopt;
  std::size_t size = kMagic.size() + hub_id.size() + 7 * sizeof(std::uint64_t);
  for (std::uint64_t run = 0; run < run_count; ++run) {
    const std::uint64_t id = pieces.number();
    record.runs.push_back({id, pieces.integer()});
    size += 2 * sizeof(std::uint64_t);
  }
  const std::uint64_t checksum = pieces.number();
  if (!pieces.ok() || checksum != hash64(text.substr(0, size))) return std::nullopt;
  return record;
}

// nullopt: no file of a key index.
std::optional<std::int64_t> table_of_name(std::string_view name) {
  if (name.find(kOrderedEnding) != std::string_view::npos) return std::nullopt;
  std::int64_t table_id = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), table_id);
  if (failure != std::errc() || end == name.data() + name.size()) return std::nullopt;
  return *end == '-' || *end == '.' ? std::optional<std::int64_t>(table_id) : std::nullopt;
}

std::string run_name(std::int64_t table_id, std::uint64_t run) {
  return fmt::format("{}-{:016x}.run", table_id, run);
}

}  // namespace

KeyIndexFolder::KeyIndexFolder(Io& io,
                               std::string path,
                               std::string hub_id,
                               std::string_view fingerprint_key)
    : io_(io), path_(std::move(path)), hub_id_(std::move(hub_id)), hash_(fingerprint_key) {
}

KeyHash KeyIndexFolder::hash(std::string_view key) const {
  const std::array<std::uint64_t, 2> words = hash_.hash128(key);
  return {.high = words[1], .low = words[0]};
}

std::string KeyIndexFolder::run_path(std::int64_t table_id, std::uint64_t run) const {
  return join_path(path_, run_name(table_id, run));
}

std::string KeyIndexFolder::record_path(std::int64_t table_id, std::uint64_t number) const {
  return join_path(path_, fmt::format("{}.{}", table_id, number % 2));
}

// An index is a cache: a record that cannot be read is as good as none, since the index is then
// made from the rows, and what hinders that is told.
std::optional<IndexRecord> KeyIndexFolder::read_record_file(std::int64_t table_id,
                                                            std::uint64_t number) const {
  const auto text = read_file(io_, record_path(table_id, number), kRecordBytesMax);
  if (!text.ok()) return std::nullopt;
  return parse_record(text.value(), hub_id_, table_id);
}

std::optional<IndexRecord> KeyIndexFolder::read_record(std::int64_t table_id) const {
  std::optional<IndexRecord> even = read_record_file(table_id, 0);
  std::optional<IndexRecord> odd = read_record_file(table_id, 1);
  if (!even || (odd && odd->number > even->number)) return odd;
  return even;
}

Result<void> KeyIndexFolder::write_record(std::int64_t table_id, const IndexRecord& record) {
  const auto file = TRY(io_.open(record_path(table_id, record.number), OpenMode::kReadWrite));
  const std::string text = record_text(hub_id_, table_id, record);
  return file->write_at(0, std::as_bytes(std::span(text)));
}

Result<std::unique_ptr<KeyRunWriter>> KeyIndexFolder::create_run(std::int64_t table_id) {
  std::uint64_t id = 0;
  io_.random_bytes(std::as_writable_bytes(std::span(&id, 1)));
  auto file = io_.open(run_path(table_id, id), OpenMode::kCreateNew);
  if (!file.ok() && file.error().code == Code::kNotFound) {
    TRY(io_.make_directories(path_));
    file = io_.open(run_path(table_id, id), OpenMode::kCreateNew);
  }
  return std::make_unique<KeyRunWriter>(TRY(std::move(file)), id);
}

Result<std::shared_ptr<const KeyRun>> KeyIndexFolder::open_run(std::int64_t table_id,
                                                               const KeyRunInfo& run) {
  return KeyRun::open(io_, run_path(table_id, run.id), run);
}

void KeyIndexFolder::remove_run(std::int64_t table_id, std::uint64_t run) {
  // What stays behind costs space, and goes when the index is next opened.
  static_cast<void>(io_.remove(run_path(table_id, run)));
}

void KeyIndexFolder::clean(std::int64_t table_id, const std::optional<IndexRecord>& record) {
  std::set<std::string> kept;
  if (record) {
    for (const KeyRunInfo& run : record->runs)
      kept.insert(run_name(table_id, run.id));
  }
  remove_where([&](std::string_view name) {
    if (table_of_name(name) != table_id) return false;
    const bool is_run = name.ends_with(".run");
    return is_run ? !kept.contains(std::string(name)) : !record.has_value();
  });
}

void KeyIndexFolder::keep_tables(const std::set<std::int64_t>& table_ids) {
  remove_where([&](std::string_view name) {
    const auto table_id = table_of_name(name);
    return table_id && !table_ids.contains(*table_id);
  });
}

void KeyIndexFolder::remove_where(const std::function<bool(std::string_view name)>& chosen) {
  const auto files = io_.list(path_);
  // No folder, no files; and one that cannot be listed only keeps what nobody needs.
  if (!files.ok()) return;
  for (const FileInfo& file : files.value()) {
    // As in remove_run().
    if (chosen(file_name(file.path))) static_cast<void>(io_.remove(file.path));
  }
}

}  // namespace lockstep
