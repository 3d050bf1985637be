#include "source/snapshot_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

Error only_reads(std::string_view path) {
  return make_error(Code::kUnsupported, fmt::format("cannot change {}: a source only reads", path));
}

class SnapshotFile final : public File {
 public:
  SnapshotFile(std::unique_ptr<File> file, FileInfo info)
      : file_(std::move(file)), info_(std::move(info)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    if (offset >= info_.size_bytes) return std::size_t{0};
    const std::uint64_t rest = info_.size_bytes - offset;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer.size()));
    return file_->read_at(offset, buffer.first(count));
  }

  Result<std::uint64_t> size_bytes() const override {
    return std::min(info_.size_bytes, TRY(file_->size_bytes()));
  }

  Result<void> write_at(std::uint64_t, std::span<const std::byte>) override {
    return only_reads(info_.path);
  }

  Result<void> truncate(std::uint64_t) override { return only_reads(info_.path); }

  Result<void> sync() override { return only_reads(info_.path); }

 private:
  const std::unique_ptr<File> file_;
  const FileInfo info_;
};

class SnapshotIo final : public Io {
 public:
  SnapshotIo(Io& io, FileInfo file) : io_(io), file_(std::move(file)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode != OpenMode::kRead) return only_reads(path);
    std::unique_ptr<File> file = TRY(io_.open(path, mode));
    if (path != file_.path) return file;
    return std::unique_ptr<File>(std::make_unique<SnapshotFile>(std::move(file), file_));
  }

  Result<FileInfo> info(const std::string& path) override {
    if (path == file_.path) return file_;
    return io_.info(path);
  }

  Result<std::vector<FileInfo>> list(const std::string& directory) override {
    return io_.list(directory);
  }

  Result<void> make_directories(const std::string& path) override { return only_reads(path); }

  Result<void> rename(const std::string& from, const std::string&) override {
    return only_reads(from);
  }

  Result<void> remove(const std::string& path) override { return only_reads(path); }

  Result<void> sync_directory(const std::string& path) override { return only_reads(path); }

  Result<std::string> absolute(const std::string& path) override { return io_.absolute(path); }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    return io_.free_bytes(path);
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return only_reads(path);
  }

  std::int64_t now_us() override { return io_.now_us(); }

  std::int64_t monotonic_us() override { return io_.monotonic_us(); }

  void sleep_us(std::int64_t duration_us) override { io_.sleep_us(duration_us); }

  void random_bytes(std::span<std::byte> bytes) override { io_.random_bytes(bytes); }

  std::optional<std::string> environment(const std::string& name) override {
    return io_.environment(name);
  }

  std::int64_t process_id() override { return io_.process_id(); }

  Result<std::unique_ptr<Listener>> listen_local(const std::string& path) override {
    return only_reads(path);
  }

  Result<std::unique_ptr<Connection>> connect_local(const std::string& path) override {
    return only_reads(path);
  }

  Result<std::unique_ptr<DirectoryWatch>> watch(
      const std::vector<std::string>& directories) override {
    return io_.watch(directories);
  }

  void observe(IoObserver observer) override { io_.observe(std::move(observer)); }

  Result<void> before(IoOperation operation, std::string_view path) override {
    return io_.before(operation, path);
  }

 private:
  Io& io_;
  const FileInfo file_;
};

}  // namespace

std::unique_ptr<Io> make_snapshot_io(Io& io, const FileInfo& file) {
  return std::make_unique<SnapshotIo>(io, file);
}

}  // namespace lockstep
