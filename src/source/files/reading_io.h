// An Io that only reads, through another one: what those that change how files look begin from.
#pragma once

#include "base/io.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// kUnsupported: nothing is changed through a source's Io.
Error only_reads(std::string_view path);

// Resource. A file that cannot be written.
class ReadingFile : public File {
 public:
  explicit ReadingFile(std::string path) : path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) final;
  Result<void> truncate(std::uint64_t size_bytes) final;
  Result<void> sync() final;

 protected:
  const std::string path_;
};

// Gives everything on to `io`, but for what would change something.
class ReadingIo : public Io {
 public:
  explicit ReadingIo(Io& io) : io_(io) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<std::vector<FileInfo>> list(const std::string& directory) override;
  Result<std::string> absolute(const std::string& path) override;
  Result<std::unique_ptr<DirectoryWatch>> watch(
      const std::vector<std::string>& directories) override;

  Result<void> make_directories(const std::string& path) final;
  Result<void> rename(const std::string& from, const std::string& to) final;
  Result<void> remove(const std::string& path) final;
  Result<void> sync_directory(const std::string& path) final;
  Result<std::uint64_t> free_bytes(const std::string& path) final;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) final;
  std::int64_t now_us() final;
  std::int64_t monotonic_us() final;
  void sleep_us(std::int64_t duration_us) final;
  void random_bytes(std::span<std::byte> bytes) final;
  std::optional<std::string> environment(const std::string& name) final;
  std::int64_t process_id() final;
  Result<std::unique_ptr<Listener>> listen_local(const std::string& path) final;
  Result<std::unique_ptr<Connection>> connect_local(const std::string& path) final;
  void observe(IoObserver observer) final;
  Result<void> before(IoOperation operation, std::string_view path) final;

 protected:
  Io& io_;
};

}  // namespace lockstep
