// The pieces of the machine's own Io, one source file each. Only io_system*.cpp includes this.
#pragma once

#include "base/io.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// Resource. A file descriptor, closed when it goes.
class Descriptor final {
 public:
  explicit Descriptor(int number) : number_(number) {}

  ~Descriptor();

  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  int number() const { return number_; }

  bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

// `io` must outlive what these return; its observer is told of each operation.
Result<std::unique_ptr<File>> open_system_file(Io& io, const std::string& path, OpenMode mode);
Result<std::unique_ptr<FileLock>> lock_system_file(Io& io, const std::string& path);
Result<void> sync_system_directory(const std::string& path);

Result<std::unique_ptr<Listener>> listen_system_socket(const std::string& path);
Result<std::unique_ptr<Connection>> connect_system_socket(const std::string& path);
Result<std::unique_ptr<DirectoryWatch>> watch_system_directories(
    const std::vector<std::string>& directories);

enum class Ready { kYes, kTimedOut, kSignalled };

// Waits until `descriptor` can be read, at most timeout_us.
Result<Ready> wait_readable(int descriptor, std::int64_t timeout_us, const std::string& path);

}  // namespace lockstep
