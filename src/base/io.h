// The outside world: files, clock, random numbers, processes' locks and local sockets. Everything
// above reaches the world through an Io, so that a test can be the disk and the time.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// What an observer is told before it happens; the unit in which tests fail or kill.
enum class IoOperation {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kRename,
  kRemove,
  kMakeDirectory,
  kList,
  kLock
};

const char* io_operation_name(IoOperation operation);

// Called before each operation, from any thread. An error makes the operation fail with it; a test
// may also end the process here. The catalog's SQLite files pass through the same observer
// (catalog/vfs.cpp).
using IoObserver = std::function<Result<void>(IoOperation operation, std::string_view path)>;

struct FileInfo {
  std::string path;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_us = 0;  // microseconds since 1970, UTC
  bool is_directory = false;
};

enum class OpenMode {
  kRead,       // must exist
  kCreateNew,  // must not exist
  kReadWrite,  // created when missing
};

// Resource. One open file. Not safe from several threads at once, but for read_at.
class File {
 public:
  virtual ~File() = default;
  // Reads up to buffer.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const = 0;
  virtual Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Result<void> truncate(std::uint64_t size_bytes) = 0;
  virtual Result<void>
  sync() = 0;  // durable when it returns. After a failure: stop and recover, never retry.
  virtual Result<std::uint64_t> size_bytes() const = 0;
};

// Resource. Releases the lock when it goes; the operating system does so when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Resource. A local stream socket.
class Connection {
 public:
  virtual ~Connection() = default;
  // Up to buffer.size() bytes; 0: the other side closed. kInterrupted after timeout_us without a
  // byte.
  virtual Result<std::size_t> read(std::span<std::byte> buffer, std::int64_t timeout_us) = 0;
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // nullptr after timeout_us without a caller.
  virtual Result<std::unique_ptr<Connection>> accept(std::int64_t timeout_us) = 0;
};

// Resource. Tells when something under a set of directories may have changed.
class DirectoryWatch {
 public:
  virtual ~DirectoryWatch() = default;
  // true: something changed (or may have); false: nothing within timeout_us.
  virtual Result<bool> wait(std::int64_t timeout_us) = 0;
};

// Interface. Safe from many threads.
class Io {
 public:
  virtual ~Io() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;  // kNotFound when missing
  virtual Result<std::vector<FileInfo>> list(
      const std::string& directory) = 0;                               // by name, without . and ..
  virtual Result<void> make_directories(const std::string& path) = 0;  // and their parents; durable
  virtual Result<void> rename(const std::string& from,
                              const std::string& to) = 0;    // replaces; syncs the directory
  virtual Result<void> remove(const std::string& path) = 0;  // kNotFound when missing
  virtual Result<void> sync_directory(const std::string& path) = 0;
  virtual Result<std::string> absolute(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;

  // kLocked when another process (or another lock of this one) holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  virtual std::int64_t now_us() = 0;        // wall clock, microseconds since 1970, UTC
  virtual std::int64_t monotonic_us() = 0;  // never goes back
  virtual void sleep_us(std::int64_t duration_us) = 0;
  virtual void random_bytes(std::span<std::byte> bytes) = 0;  // cryptographic
  virtual std::optional<std::string> environment(const std::string& name) = 0;
  virtual std::int64_t process_id() = 0;

  virtual Result<std::unique_ptr<Listener>> listen_local(const std::string& path) = 0;  // mode 0600
  virtual Result<std::unique_ptr<Connection>> connect_local(const std::string& path) = 0;
  virtual Result<std::unique_ptr<DirectoryWatch>> watch(
      const std::vector<std::string>& directories) = 0;

  // Told before every operation. Set before the Io is shared between threads; an empty function:
  // nobody.
  virtual void observe(IoObserver observer) = 0;
  virtual Result<void> before(IoOperation operation,
                              std::string_view path) = 0;  // calls the observer
};

// The machine's own.
std::unique_ptr<Io> make_system_io();

// A disk in memory, for tests: tells synced from unsynced bytes, so that `crash()` can lose what
// was not synced. Clock and random numbers come from the seed; sleeping moves the clock.
class SimulatedIo : public Io {
 public:
  // Loses what was not synced: for each unsynced write, kept, dropped or torn at a 512-byte sector,
  // by the seed. Files that are open become invalid.
  virtual void crash() = 0;
  virtual void set_free_bytes(std::uint64_t bytes) = 0;
};

std::unique_ptr<SimulatedIo> make_simulated_io(std::uint64_t seed);

// Convenience over an Io.
Result<std::string> read_file(Io& io, const std::string& path, std::uint64_t size_limit_bytes);
// Whole or not at all: writes beside, syncs, renames.
Result<void> write_file_atomically(Io& io, const std::string& path, std::string_view bytes);
std::string random_uuid(Io& io);  // version 4
std::string join_path(std::string_view directory, std::string_view name);
std::string parent_path(std::string_view path);
std::string file_name(std::string_view path);

}  // namespace lockstep
