#include "base/simulated_disk.h"

#include "base/io_error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lockstep {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

using Change = DiskEntry::Change;

void apply_change(const Change& change, std::string& bytes) {
  if (change.truncated_to) {
    bytes.resize(*change.truncated_to, '\0');
    return;
  }
  const std::uint64_t end = change.offset + change.bytes.size();
  if (bytes.size() < end) bytes.resize(end, '\0');
  bytes.replace(change.offset, change.bytes.size(), change.bytes);
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
  const auto belongs = [&](const NameChange& change) {
    const bool sets = !change.set.empty() && parent_path(change.set) == path;
    const bool clears = !change.cleared.empty() && parent_path(change.cleared) == path;
    return sets || clears;
  };
  std::vector<NameChange> rest;
  for (NameChange& change : unsynced_) {
    if (belongs(change)) {
      apply(change, durable_);
    } else {
      rest.push_back(std::move(change));
    }
  }
  unsynced_ = std::move(rest);
  return {};
}

std::size_t SimulatedDisk::read(const DiskEntry& entry,
                                std::uint64_t offset,
                                std::span<std::byte> buffer) const {
  const std::scoped_lock lock(mutex_);
  if (offset >= entry.live.size()) return 0;
  const std::size_t count = std::min<std::size_t>(buffer.size(), entry.live.size() - offset);
  std::memcpy(buffer.data(), entry.live.data() + offset, count);
  return count;
}

Result<void> SimulatedDisk::write(DiskEntry& entry,
                                  std::uint64_t offset,
                                  std::span<const std::byte> bytes,
                                  std::int64_t now_us) {
  const std::scoped_lock lock(mutex_);
  if (bytes.empty()) return {};
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t growth = end > entry.live.size() ? end - entry.live.size() : 0;
  if (growth > free_bytes_) return system_error(ENOSPC, "write to", "the simulated disk");
  free_bytes_ -= growth;
  Change change;
  change.offset = offset;
  for (const std::byte byte : bytes)
    change.bytes += static_cast<char>(byte);
  apply_change(change, entry.live);
  entry.unsynced.push_back(std::move(change));
  entry.modified_us = now_us;
  change_count_ += 1;
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
  Change change;
  change.truncated_to = size_bytes;
  apply_change(change, entry.live);
  entry.unsynced.push_back(std::move(change));
  entry.modified_us = now_us;
  change_count_ += 1;
  return {};
}

void SimulatedDisk::sync_file(DiskEntry& entry) {
  const std::scoped_lock lock(mutex_);
  for (const Change& change : entry.unsynced)
    apply_change(change, entry.durable);
  entry.unsynced.clear();
  LOCKSTEP_ASSERT(entry.durable.size() == entry.live.size(), "a sync lost bytes");
}

std::uint64_t SimulatedDisk::size_of(const DiskEntry& entry) const {
  const std::scoped_lock lock(mutex_);
  return entry.live.size();
}

void SimulatedDisk::crash() {
  const std::scoped_lock lock(mutex_);
  for (const NameChange& change : unsynced_) {
    if (numbers_.below(2) == 0) apply(change, durable_);
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
    recover(*survivor);
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

// Each unsynced change is kept, lost, or torn: then each of its sectors is kept or lost on its own.
void SimulatedDisk::recover(DiskEntry& entry) {
  for (const Change& change : entry.unsynced) {
    const std::uint64_t fate = numbers_.below(3);
    if (fate == 0) continue;
    if (fate == 1 || change.truncated_to) {
      apply_change(change, entry.durable);
      continue;
    }
    for (std::uint64_t done = 0; done < change.bytes.size();) {
      const std::uint64_t offset = change.offset + done;
      const std::uint64_t room = kSectorBytes - offset % kSectorBytes;
      const std::uint64_t count = std::min<std::uint64_t>(room, change.bytes.size() - done);
      const Change sector = {offset, change.bytes.substr(done, count), std::nullopt};
      if (numbers_.below(2) == 0) apply_change(sector, entry.durable);
      done += count;
    }
  }
  entry.unsynced.clear();
  entry.live = entry.durable;
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
