// A disk in memory that tells what is durable from what is not. Only io_simulated*.cpp includes
// this.
#pragma once

#include "base/io.h"
#include "base/shared_bytes.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// The pseudo-random numbers of a simulation: SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", 2014). Written here so that a seed means the same everywhere.
class SeededNumbers final {
 public:
  explicit SeededNumbers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();

  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

// One file's bytes, or a directory.
struct DiskEntry {
  bool is_directory = false;
  bool sync_failed = false;  // what is durable may lack bytes for good
  std::int64_t modified_us = 0;
  SharedBytes live;     // what readers see
  SharedBytes durable;  // what a crash leaves for certain

  struct Change {
    std::uint64_t offset = 0;
    std::string bytes;
    std::optional<std::uint64_t> truncated_to;
  };

  std::vector<std::shared_ptr<const Change>> unsynced;  // in order
};

// Resource. Safe from many threads. Paths are absolute and normal: "/a/b". Each call is one
// operation of the file system. A file's bytes become durable by sync_file, its name by
// sync_directory of the directory that it stands in; a new directory's own name likewise.
class SimulatedDisk final {
 public:
  using Entry = std::shared_ptr<DiskEntry>;

  explicit SimulatedDisk(std::uint64_t seed);
  SimulatedDisk(const SimulatedDisk& other, std::uint64_t seed);

  Result<Entry> open(const std::string& path, OpenMode mode, std::int64_t now_us);
  Result<FileInfo> info(const std::string& path) const;
  Result<std::vector<FileInfo>> list(const std::string& directory) const;
  Result<void> make_directory(const std::string& path, std::int64_t now_us);
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& path);
  Result<void> sync_directory(const std::string& path);
  void fail_to_sync_directory(const std::string& path);

  std::size_t read(const DiskEntry& entry, std::uint64_t offset, std::span<std::byte> buffer) const;
  Result<void> write(DiskEntry& entry,
                     std::uint64_t offset,
                     std::span<const std::byte> bytes,
                     std::int64_t now_us);
  Result<void> truncate(DiskEntry& entry, std::uint64_t size_bytes, std::int64_t now_us);
  void sync_file(DiskEntry& entry);
  void fail_to_sync_file(DiskEntry& entry);
  std::uint64_t size_of(const DiskEntry& entry) const;

  void crash();
  std::uint64_t crash_count() const;
  std::uint64_t change_count() const;  // grows with every change of names or bytes
  std::uint64_t free_bytes() const;
  void set_free_bytes(std::uint64_t bytes);
  std::uint64_t content_hash() const;

 private:
  using Names = std::map<std::string, Entry>;

  // A name that now stands for `entry`, or for nothing. A rename sets one name and clears another
  // together.
  struct NameChange {
    std::string cleared;  // empty: none
    std::string set;      // empty: none
    Entry entry;
  };

  // What becomes of unsynced changes.
  enum class Survival { kNone, kFirst, kSome };

  static void apply(const NameChange& change, Names& names);
  static bool belongs(const NameChange& change, const std::string& directory);
  Survival draw_survival();
  void record(NameChange change);
  Result<Entry> find(const std::string& path, std::string_view verb) const;
  Result<void> check_parent(const std::string& path, std::string_view verb) const;
  bool has_children(const std::string& path) const;
  void settle(DiskEntry& entry, Survival survival);
  void tear(const DiskEntry::Change& change, SharedBytes& bytes);
  void drop_orphans();

  mutable std::mutex mutex_;
  // Below: guarded by mutex_.
  Names live_;
  Names durable_;
  std::vector<NameChange> unsynced_;  // in order
  SeededNumbers numbers_;
  std::uint64_t free_bytes_ = std::uint64_t{1} << 40U;
  std::uint64_t crash_count_ = 0;
  std::uint64_t change_count_ = 0;
};

}  // namespace lockstep
