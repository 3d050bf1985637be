#include "base/io.h"
#include "base/io_error.h"
#include "base/io_system_parts.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <thread>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr mode_t kDirectoryMode = 0777;  // less the user's umask

FileInfo info_of(const std::string& path, const struct stat& status) {
  FileInfo info;
  info.path = path;
  info.is_directory = S_ISDIR(status.st_mode);
  info.size_bytes = info.is_directory ? 0 : static_cast<std::uint64_t>(status.st_size);
  info.modified_us = static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000 +
                     static_cast<std::int64_t>(status.st_mtim.tv_nsec) / 1000;
  return info;
}

template <typename Clock>
std::int64_t clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

class SystemIo final : public Io {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return open_system_file(*this, path, mode);
  }

  Result<FileInfo> info(const std::string& path) override {
    struct stat status = {};
    if (::stat(path.c_str(), &status) < 0) return system_error(errno, "look at", path);
    return info_of(path, status);
  }

  Result<std::vector<FileInfo>> list(const std::string& directory) override {
    TRY(before(IoOperation::kList, directory));
    std::error_code failure;
    std::filesystem::directory_iterator entries(directory, failure);
    std::vector<FileInfo> files;
    while (!failure && entries != std::filesystem::directory_iterator()) {
      const std::string path = join_path(directory, entries->path().filename().string());
      // What vanished since, and a link to nowhere, is not there.
      if (const Result<FileInfo> file = info(path); file.ok()) files.push_back(file.value());
      entries.increment(failure);
    }
    if (failure) return system_error(failure.value(), "list", directory);
    std::sort(files.begin(), files.end(), [](const FileInfo& left, const FileInfo& right) {
      return left.path < right.path;
    });
    return files;
  }

  Result<void> make_directories(const std::string& path) override {
    std::vector<std::string> missing;
    std::string there = path;
    for (;; there = parent_path(there)) {
      struct stat status = {};
      if (::stat(there.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode)) return system_error(ENOTDIR, "make the folder", path);
        break;
      }
      if (errno != ENOENT || parent_path(there) == there) {
        return system_error(errno, "make the folder", path);
      }
      missing.push_back(there);
    }
    // A process that made the last one may have died before its name was durable. Who may not open
    // the folder that it stands in has not made it.
    const Result<void> synced = sync_directory(parent_path(there));
    if (!synced.ok() && synced.error().code != Code::kDenied) return synced;
    for (auto part = missing.rbegin(); part != missing.rend(); ++part)
      TRY(make_directory(*part));
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(before(IoOperation::kRename, to));
    if (std::rename(from.c_str(), to.c_str()) < 0) {
      return system_error(errno, "rename", from).with_context("renaming to " + to);
    }
    TRY(sync_directory(parent_path(to)));
    if (parent_path(from) != parent_path(to)) TRY(sync_directory(parent_path(from)));
    return {};
  }

  Result<void> remove(const std::string& path) override {
    TRY(before(IoOperation::kRemove, path));
    if (std::remove(path.c_str()) < 0) return system_error(errno, "remove", path);
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    TRY(before(IoOperation::kSync, path));
    return sync_system_directory(path);
  }

  Result<std::string> absolute(const std::string& path) override {
    std::error_code failure;
    const auto canonical = std::filesystem::weakly_canonical(path, failure);
    if (failure) return system_error(failure.value(), "find", path);
    const auto whole = std::filesystem::absolute(canonical, failure);
    if (failure) return system_error(failure.value(), "find", path);
    const std::string text = whole.lexically_normal().string();
    return text.size() > 1 && text.back() == '/' ? text.substr(0, text.size() - 1) : text;
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status = {};
    if (::statvfs(path.c_str(), &status) < 0) return system_error(errno, "look at", path);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return lock_system_file(*this, path);
  }

  std::int64_t now_us() override { return clock_us<std::chrono::system_clock>(); }

  std::int64_t monotonic_us() override { return clock_us<std::chrono::steady_clock>(); }

  void sleep_us(std::int64_t duration_us) override {
    std::this_thread::sleep_for(std::chrono::microseconds(duration_us));
  }

  void random_bytes(std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      LOCKSTEP_ASSERT(count > 0, "the kernel gives no random bytes");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  std::optional<std::string> environment(const std::string& name) override {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  }

  std::int64_t process_id() override { return ::getpid(); }

  Result<std::unique_ptr<Listener>> listen_local(const std::string& path) override {
    return listen_system_socket(path);
  }

  Result<std::unique_ptr<Connection>> connect_local(const std::string& path) override {
    return connect_system_socket(path);
  }

  Result<std::unique_ptr<DirectoryWatch>> watch(
      const std::vector<std::string>& directories) override {
    return watch_system_directories(directories);
  }

  void observe(IoObserver observer) override { observer_ = std::move(observer); }

  Result<void> before(IoOperation operation, std::string_view path) override {
    if (!observer_) return {};
    return observer_(operation, path);
  }

 private:
  Result<void> make_directory(const std::string& path) {
    TRY(before(IoOperation::kMakeDirectory, path));
    if (::mkdir(path.c_str(), kDirectoryMode) < 0 && errno != EEXIST) {
      return system_error(errno, "make the folder", path);
    }
    Result<void> synced = sync_directory(parent_path(path));
    // Made anew at the next attempt, so that nobody takes for durable what is not. A folder that
    // stays all the same is synced again then.
    if (!synced.ok()) static_cast<void>(::rmdir(path.c_str()));
    return synced;
  }

  IoObserver observer_;  // constant once the Io is shared
};

}  // namespace

std::unique_ptr<Io> make_system_io() {
  return std::make_unique<SystemIo>();
}

}  // namespace lockstep
