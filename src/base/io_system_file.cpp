#include "base/io_error.h"
#include "base/io_system_parts.h"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr mode_t kFileMode = 0666;  // less the user's umask

// Repeats a system call that a signal cut short.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR)
    result = call();
  return result;
}

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kReadWrite:
      return O_RDWR | O_CREAT;
  }
  LOCKSTEP_ASSERT(false, "an open mode has no flags");
  return 0;
}

class SystemFile final : public File {
 public:
  SystemFile(Io& io, std::string path, Descriptor descriptor)
      : io_(io), path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    TRY(io_.before(IoOperation::kRead, path_));
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t count = retry([&] {
        return ::pread(descriptor_.number(),
                       buffer.data() + done,
                       buffer.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (count < 0) return system_error(errno, "read", path_);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    TRY(io_.before(IoOperation::kWrite, path_));
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = retry([&] {
        return ::pwrite(descriptor_.number(),
                        bytes.data() + done,
                        bytes.size() - done,
                        static_cast<off_t>(offset + done));
      });
      if (count < 0) return system_error(errno, "write to", path_);
      if (count == 0) return system_error(ENOSPC, "write to", path_);
      done += static_cast<std::size_t>(count);
    }
    return {};
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    TRY(io_.before(IoOperation::kTruncate, path_));
    const int status =
        retry([&] { return ::ftruncate(descriptor_.number(), static_cast<off_t>(size_bytes)); });
    if (status < 0) return system_error(errno, "change the size of", path_);
    return {};
  }

  Result<void> sync() override {
    TRY(io_.before(IoOperation::kSync, path_));
    // Not fsync: the time of change need not be durable, and the size is part of fdatasync.
    if (::fdatasync(descriptor_.number()) < 0) return system_error(errno, "make durable", path_);
    return {};
  }

  Result<std::uint64_t> size_bytes() const override {
    struct stat status = {};
    if (::fstat(descriptor_.number(), &status) < 0) return system_error(errno, "look at", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  Io& io_;
  const std::string path_;
  const Descriptor descriptor_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

}  // namespace

Descriptor::~Descriptor() {
  // A failed close tells nothing that sync() did not: what had to be durable was synced before.
  if (number_ >= 0) ::close(number_);
}

Result<std::unique_ptr<File>> open_system_file(Io& io, const std::string& path, OpenMode mode) {
  TRY(io.before(IoOperation::kOpen, path));
  Descriptor descriptor(
      retry([&] { return ::open(path.c_str(), open_flags(mode) | O_CLOEXEC, kFileMode); }));
  if (!descriptor.ok()) {
    return system_error(errno, mode == OpenMode::kCreateNew ? "create" : "open", path);
  }
  struct stat status = {};
  if (::fstat(descriptor.number(), &status) < 0) return system_error(errno, "look at", path);
  if (S_ISDIR(status.st_mode)) return system_error(EISDIR, "open", path);
  return std::unique_ptr<File>(std::make_unique<SystemFile>(io, path, std::move(descriptor)));
}

// An open-file-description lock: unlike a plain fcntl lock it also excludes this process's other
// locks, and does not vanish when some other descriptor of the file is closed.
Result<std::unique_ptr<FileLock>> lock_system_file(Io& io, const std::string& path) {
  TRY(io.before(IoOperation::kLock, path));
  Descriptor descriptor(
      retry([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); }));
  if (!descriptor.ok()) return system_error(errno, "lock", path);
  struct flock request = {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  if (retry([&] { return ::fcntl(descriptor.number(), F_OFD_SETLK, &request); }) < 0) {
    if (errno != EAGAIN && errno != EACCES) return system_error(errno, "lock", path);
    return make_error(Code::kLocked,
                      fmt::format("cannot lock {}: another process holds it", path),
                      "wait until it is done, or stop it");
  }
  return std::unique_ptr<FileLock>(std::make_unique<SystemLock>(std::move(descriptor)));
}

Result<void> sync_system_directory(const std::string& path) {
  const Descriptor descriptor(
      retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!descriptor.ok()) return system_error(errno, "open the folder", path);
  if (::fsync(descriptor.number()) < 0) return system_error(errno, "make durable", path);
  return {};
}

}  // namespace lockstep
