#include "source/files/reading_io.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {

Error only_reads(std::string_view path) {
  return make_error(Code::kUnsupported, fmt::format("cannot change {}: a source only reads", path));
}

Result<void> ReadingFile::write_at(std::uint64_t, std::span<const std::byte>) {
  return only_reads(path_);
}

Result<void> ReadingFile::truncate(std::uint64_t) {
  return only_reads(path_);
}

Result<void> ReadingFile::sync() {
  return only_reads(path_);
}

Result<std::unique_ptr<File>> ReadingIo::open(const std::string& path, OpenMode mode) {
  if (mode != OpenMode::kRead) return only_reads(path);
  return io_.open(path, mode);
}

Result<FileInfo> ReadingIo::info(const std::string& path) {
  return io_.info(path);
}

Result<std::vector<FileInfo>> ReadingIo::list(const std::string& directory) {
  return io_.list(directory);
}

Result<std::string> ReadingIo::absolute(const std::string& path) {
  return io_.absolute(path);
}

Result<std::unique_ptr<DirectoryWatch>> ReadingIo::watch(
    const std::vector<std::string>& directories) {
  return io_.watch(directories);
}

Result<void> ReadingIo::make_directories(const std::string& path) {
  return only_reads(path);
}

Result<void> ReadingIo::rename(const std::string& from, const std::string&) {
  return only_reads(from);
}

Result<void> ReadingIo::remove(const std::string& path) {
  return only_reads(path);
}

Result<void> ReadingIo::sync_directory(const std::string& path) {
  return only_reads(path);
}

Result<std::uint64_t> ReadingIo::free_bytes(const std::string& path) {
  return io_.free_bytes(path);
}

Result<std::unique_ptr<FileLock>> ReadingIo::lock(const std::string& path) {
  return only_reads(path);
}

std::int64_t ReadingIo::now_us() {
  return io_.now_us();
}

std::int64_t ReadingIo::monotonic_us() {
  return io_.monotonic_us();
}

void ReadingIo::sleep_us(std::int64_t duration_us) {
  io_.sleep_us(duration_us);
}

void ReadingIo::random_bytes(std::span<std::byte> bytes) {
  io_.random_bytes(bytes);
}

std::optional<std::string> ReadingIo::environment(const std::string& name) {
  return io_.environment(name);
}

std::int64_t ReadingIo::process_id() {
  return io_.process_id();
}

Result<std::unique_ptr<Listener>> ReadingIo::listen_local(const std::string& path) {
  return only_reads(path);
}

Result<std::unique_ptr<Connection>> ReadingIo::connect_local(const std::string& path) {
  return only_reads(path);
}

void ReadingIo::observe(IoObserver observer) {
  io_.observe(std::move(observer));
}

Result<void> ReadingIo::before(IoOperation operation, std::string_view path) {
  return io_.before(operation, path);
}

}  // namespace lockstep
