#include "source/files/snapshot_io.h"

#include "source/files/reading_io.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

class SnapshotFile final : public ReadingFile {
 public:
  SnapshotFile(std::unique_ptr<File> file, const FileInfo& info)
      : ReadingFile(info.path), file_(std::move(file)), size_bytes_(info.size_bytes) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    if (offset >= size_bytes_) return std::size_t{0};
    const std::uint64_t rest = size_bytes_ - offset;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer.size()));
    return file_->read_at(offset, buffer.first(count));
  }

  Result<std::uint64_t> size_bytes() const override {
    return std::min(size_bytes_, TRY(file_->size_bytes()));
  }

 private:
  const std::unique_ptr<File> file_;
  const std::uint64_t size_bytes_;
};

class SnapshotIo final : public ReadingIo {
 public:
  SnapshotIo(Io& io, FileInfo file) : ReadingIo(io), file_(std::move(file)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    std::unique_ptr<File> file = TRY(ReadingIo::open(path, mode));
    if (path != file_.path) return file;
    return std::unique_ptr<File>(std::make_unique<SnapshotFile>(std::move(file), file_));
  }

  Result<FileInfo> info(const std::string& path) override {
    if (path == file_.path) return file_;
    return io_.info(path);
  }

 private:
  const FileInfo file_;
};

}  // namespace

std::unique_ptr<Io> make_snapshot_io(Io& io, const FileInfo& file) {
  return std::make_unique<SnapshotIo>(io, file);
}

}  // namespace lockstep
