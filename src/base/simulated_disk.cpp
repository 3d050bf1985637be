#include "base/simulated_disk.h"

#include "base/hash.h"
#include "base/io_error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unordered_map>

namespace lockstep {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

using Change = DiskEntry::Change;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

void apply_change(const Change& change, SharedBytes& bytes) {
  if (change.truncated_to) {
    bytes.resize(*change.truncated_to);
  } else {
    bytes.write(change.offset, bytes_of(change.bytes));
  }
}

}  // namespace

std::uint64_t SeededNumbers::next() {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t value = state_;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

SimulatedDisk::SimulatedDisk(std::uint64_t seed) : numbers_(seed) {
  const auto root = std::make_shared<DiskEntry>();
  root->is_directory = true;
  live_["/"] = root;
  durable_["/"] = root;
}

// Entries that several names or changes share are shared in the copy too.
SimulatedDisk::SimulatedDisk(const SimulatedDisk& other, std::uint64_t seed) : numbers_(seed) {
  const std::scoped_lock lock(other.mutex_);
  std::unordered_map<const DiskEntry*, Entry> copies;
  const auto copy_of = [&](const Entry& entry) -> Entry {
    if (entry == nullptr) return nullptr;
    Entry& copy = copies[entry.get()];
    if (copy == nullptr) copy = std::make_shared<DiskEntry>(*entry);
    return copy;
  };
  for (const auto& [path, entry] : other.live_)
    live_.emplace_hint(live_.end(), path, copy_of(entry));
  for (const auto& [path, entry] : other.durable_)
    durable_.emplace_hint(durable_.end(), path, copy_of(entry));
  for (const NameChange& change : other.unsynced_)
    unsynced_.push_back({change.cleared, change.set, copy_of(change.entry)});
  free_bytes_ = other.free_bytes_;
}

Result<SimulatedDisk::Entry> SimulatedDisk::open(const std::string& path,
                                                 OpenMode mode,
                                                 std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  const char* verb = mode == OpenMode::kCreateNew ? "create" : "open";
  const auto found = live_.find(path);
  if (found != live_.end()) {
    if (mode == OpenMode::kCreateNew) return system_error(EEXIST, verb, path);
    if (found->second->is_directory) return system_error(EISDIR, verb, path);
    return found->second;
  }
  if (mode == OpenMode::kRead) return system_error(ENOENT, verb, path);
  TRY(check_parent(path, verb));
  auto entry = std::make_shared<DiskEntry>();
  entry->modified_us = now_us;
  record({"", path, entry});
  return entry;
}

Result<FileInfo> SimulatedDisk::info(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const Entry entry = TRY(find(path, "look at"));
  return FileInfo{path, entry->live.size(), entry->modified_us, entry->is_directory};
}

Result<std::vector<FileInfo>> SimulatedDisk::list(const std::string& directory) const {
  const std::scoped_lock lock(mutex_);
  const Entry parent = TRY(find(directory, "list"));
  if (!parent->is_directory) return system_error(ENOTDIR, "list", directory);
  std::vector<FileInfo> files;
  for (const auto& [path, entry] : live_) {
    if (path == "/" || parent_path(path) != directory) continue;
    files.push_back({path, entry->live.size(), entry->modified_us, entry->is_directory});
  }
  return files;
}

Result<void> SimulatedDisk::make_directory(const std::string& path, std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  const auto found = live_.find(path);
  if (found != live_.end() && found->second->is_directory) return {};
  if (found != live_.end()) return system_error(ENOTDIR, "make the folder", path);
  TRY(check_parent(path, "make the folder"));
  auto entry = std::make_shared<DiskEntry>();
  entry->is_directory = true;
  entry->modified_us = now_us;
  record({"", path, std::move(entry)});
  return {};
}

Result<void> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::scoped_lock lock(mutex_);
  const Entry entry = TRY(find(from, "rename"));
  TRY(check_parent(to, "rename to"));
  if (entry->is_directory) return system_error(EISDIR, "rename", from);
  const auto target = live_.find(to);
  if (target != live_.end() && target->second->is_directory) {
    return system_error(EISDIR, "rename to", to);
  }
  if (from == to) return {};
  if (target != live_.end()) free_bytes_ += target->second->live.size();
  record({from, to, entry});
  return {};
}

Result<void> SimulatedDisk::remove(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  const Entry entry = TRY(find(path, "remove"));
  if (entry->is_directory && has_children(path)) return system_error(ENOTEMPTY, "remove", path);
  free_bytes_ += entry->live.size();
  record({path, "", nullptr});
  return {};
}

Result<void> SimulatedDisk::sync_directory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  const Entry entry = TRY(find(path, "open the folder"));
  if (!entry->is_directory) return system_error(ENOTDIR, "open the folder", path);
  std::erase_if(unsynced_, [&](const NameChange& change) {
    const bool found = belongs(change, path);
    if (found) apply(change, durable_);
    return found;
  });
  return {};
}

void SimulatedDisk::fail_to_sync_directory(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(unsynced_, [&](const NameChange& change) {
    const bool found = belongs(change, path);
    if (found && numbers_.below(2) == 0) apply(change, durable_);
    return found;
  });
}

std::size_t SimulatedDisk::read(const DiskEntry& entry,
                                std::uint64_t offset,
                                std::span<std::byte> buffer) const {
  const std::scoped_lock lock(mutex_);
  return entry.live.read(offset, buffer);
}

Result<void> SimulatedDisk::write(DiskEntry& entry,
                                  std::uint64_t offset,
                                  std::span<const std::byte> bytes,
                                  std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  if (bytes.empty()) return {};
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t growth = end > entry.live.size() ? end - entry.live.size() : 0;
  const bool fits = growth <= free_bytes_;
  if (!fits) {
    const std::uint64_t missing = std::min<std::uint64_t>(growth - free_bytes_, bytes.size());
    bytes = bytes.first(bytes.size() - static_cast<std::size_t>(missing));
  }
  if (!bytes.empty()) {
    const std::uint64_t before = entry.live.size();
    auto change = std::make_shared<Change>();
    change->offset = offset;
    change->bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    apply_change(*change, entry.live);
    entry.unsynced.push_back(std::move(change));
    free_bytes_ -= entry.live.size() - before;
    entry.modified_us = now_us;
    change_count_ += 1;
  }
  if (!fits) return system_error(ENOSPC, "write to", "the simulated disk");
  return {};
}

Result<void> SimulatedDisk::truncate(DiskEntry& entry,
                                     std::uint64_t size_bytes,
                                     std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t before = entry.live.size();
  if (size_bytes > before && size_bytes - before > free_bytes_) {
    return system_error(ENOSPC, "change the size of", "a file on the simulated disk");
  }
  free_bytes_ = free_bytes_ + before - size_bytes;
  auto change = std::make_shared<Change>();
  change->truncated_to = size_bytes;
  apply_change(*change, entry.live);
  entry.unsynced.push_back(std::move(change));
  entry.modified_us = now_us;
  change_count_ += 1;
  return {};
}

void SimulatedDisk::sync_file(DiskEntry& entry) {
  const std::scoped_lock lock(mutex_);
  for (const auto& change : entry.unsynced)
    apply_change(*change, entry.durable);
  entry.unsynced.clear();
  LOCKSTEP_ASSERT(entry.sync_failed || entry.durable.size() == entry.live.size(),
                  "a sync lost bytes");
}

void SimulatedDisk::fail_to_sync_file(DiskEntry& entry) {
  const std::scoped_lock lock(mutex_);
  settle(entry, Survival::kSome);
  entry.sync_failed = true;
}

std::uint64_t SimulatedDisk::size_of(const DiskEntry& entry) const {
  const std::scoped_lock lock(mutex_);
  return entry.live.size();
}

void SimulatedDisk::crash() {
  const std::scoped_lock lock(mutex_);
  const Survival survival = draw_survival();
  const std::uint64_t kept = numbers_.below(unsynced_.size() + 1);
  for (std::size_t index = 0; index < unsynced_.size(); ++index) {
    const bool survives = survival == Survival::kSome    ? numbers_.below(2) == 0
                          : survival == Survival::kFirst ? index < kept
                                                         : false;
    if (survives) apply(unsynced_[index], durable_);
  }
  unsynced_.clear();
  drop_orphans();
  live_.clear();
  std::uint64_t used_before = 0;
  std::uint64_t used_after = 0;
  for (auto& [path, entry] : durable_) {
    // A copy: what was open keeps the old bytes and cannot reach the new ones.
    auto survivor = std::make_shared<DiskEntry>(*entry);
    used_before += survivor->live.size();
    settle(*survivor, survival);
    survivor->live = survivor->durable;
    survivor->sync_failed = false;
    used_after += survivor->live.size();
    entry = survivor;
    live_[path] = survivor;
  }
  free_bytes_ = free_bytes_ + used_before > used_after ? free_bytes_ + used_before - used_after : 0;
  crash_count_ += 1;
  change_count_ += 1;
}

std::uint64_t SimulatedDisk::crash_count() const {
  const std::scoped_lock lock(mutex_);
  return crash_count_;
}

std::uint64_t SimulatedDisk::change_count() const {
  const std::scoped_lock lock(mutex_);
  return change_count_;
}

std::uint64_t SimulatedDisk::free_bytes() const {
  const std::scoped_lock lock(mutex_);
  return free_bytes_;
}

void SimulatedDisk::set_free_bytes(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  free_bytes_ = bytes;
}

std::uint64_t SimulatedDisk::content_hash() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t hash = 0;
  for (const auto& [path, entry] : live_) {
    hash = hash64(path, hash ^ entry->live.hash());
  }
  return hash;
}

bool SimulatedDisk::belongs(const NameChange& change, const std::string& directory) {
  const bool sets = !change.set.empty() && parent_path(change.set) == directory;
  const bool clears = !change.cleared.empty() && parent_path(change.cleared) == directory;
  return sets || clears;
}

void SimulatedDisk::apply(const NameChange& change, Names& names) {
  if (!change.cleared.empty()) names.erase(change.cleared);
  if (!change.set.empty()) names[change.set] = change.entry;
}

void SimulatedDisk::record(NameChange change) {
  apply(change, live_);
  unsynced_.push_back(std::move(change));
  change_count_ += 1;
}

Result<SimulatedDisk::Entry> SimulatedDisk::find(const std::string& path,
                                                 std::string_view verb) const {
  const auto found = live_.find(path);
  if (found == live_.end()) return system_error(ENOENT, verb, path);
  return found->second;
}

Result<void> SimulatedDisk::check_parent(const std::string& path, std::string_view verb) const {
  const auto parent = live_.find(parent_path(path));
  if (parent == live_.end()) return system_error(ENOENT, verb, path);
  if (!parent->second->is_directory) return system_error(ENOTDIR, verb, path);
  return {};
}

bool SimulatedDisk::has_children(const std::string& path) const {
  for (const auto& [name, entry] : live_) {
    if (name != "/" && parent_path(name) == path) return true;
  }
  return false;
}

SimulatedDisk::Survival SimulatedDisk::draw_survival() {
  constexpr std::array kDrawn = {
      Survival::kNone, Survival::kFirst, Survival::kSome, Survival::kSome};
  return kDrawn[numbers_.below(kDrawn.size())];
}

void SimulatedDisk::settle(DiskEntry& entry, Survival survival) {
  const std::uint64_t kept =
      survival == Survival::kFirst ? numbers_.below(entry.unsynced.size() + 1) : 0;
  for (std::size_t index = 0; index < entry.unsynced.size(); ++index) {
    const Change& change = *entry.unsynced[index];
    // Kept, lost, or torn: then each of its sectors is kept or lost on its own.
    const std::uint64_t fate = survival == Survival::kSome ? numbers_.below(3) : index < kept;
    if (fate == 1 || (fate == 2 && change.truncated_to)) apply_change(change, entry.durable);
    if (fate == 2 && !change.truncated_to) tear(change, entry.durable);
  }
  entry.unsynced.clear();
}

void SimulatedDisk::tear(const Change& change, SharedBytes& bytes) {
  const std::string_view whole = change.bytes;
  for (std::uint64_t done = 0; done < whole.size();) {
    const std::uint64_t offset = change.offset + done;
    const std::uint64_t room = kSectorBytes - offset % kSectorBytes;
    const std::uint64_t count = std::min<std::uint64_t>(room, whole.size() - done);
    if (numbers_.below(2) == 0) bytes.write(offset, bytes_of(whole.substr(done, count)));
    done += count;
  }
}

// A directory whose own name was lost takes with it what stood in it. Names come in order, so a
// parent is judged before its children.
void SimulatedDisk::drop_orphans() {
  for (auto name = durable_.begin(); name != durable_.end();) {
    const bool is_orphan = name->first != "/" && !durable_.contains(parent_path(name->first));
    name = is_orphan ? durable_.erase(name) : std::next(name);
  }
}

}  // namespace lockstep
