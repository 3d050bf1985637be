#include "source/files/object_store_io.h"

#include "base/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;
constexpr std::int64_t kYoungUs = 60'000'000;
constexpr std::int64_t kStoreTickUs = 1'000'000;

std::string key_of_path(const std::string& path) {
  return path.starts_with('/') ? path.substr(1) : path;
}

// Reads by whole blocks, and keeps the last one: requests cost more than bytes.
class ObjectFile final : public ReadingFile {
 public:
  ObjectFile(ObjectStore& store, std::string path, std::string etag, std::uint64_t size_bytes)
      : ReadingFile(std::move(path)),
        store_(store),
        etag_(std::move(etag)),
        size_bytes_(size_bytes) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    const std::lock_guard lock(mutex_);
    std::size_t done = 0;
    while (done < buffer.size() && offset + done < size_bytes_) {
      const std::uint64_t from = offset + done;
      const std::uint64_t block = from / kBlockBytes * kBlockBytes;
      if (block_.empty() || block != block_offset_) TRY(fetch(block));
      const auto skip = static_cast<std::size_t>(from - block);
      if (skip >= block_.size()) break;
      const std::size_t count = std::min(block_.size() - skip, buffer.size() - done);
      std::memcpy(buffer.data() + done, block_.data() + skip, count);
      done += count;
    }
    return done;
  }

  Result<std::uint64_t> size_bytes() const override { return size_bytes_; }

 private:
  Result<void> fetch(std::uint64_t block) const {
    const std::string key = key_of_path(path_);
    block_.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, size_bytes_ - block)));
    const Result<std::size_t> count = store_.read(key, block, block_);
    if (!count.ok()) block_.clear();
    const std::size_t wanted = block_.size();
    if (TRY(count) == wanted && TRY(store_.etag(key)) == etag_) {
      block_offset_ = block;
      return {};
    }
    block_.clear();
    return make_error(Code::kIo,
                      fmt::format("{} changed while it was read", path_),
                      "it is read again as it is now");
  }

  ObjectStore& store_;
  const std::string etag_;
  const std::uint64_t size_bytes_;
  mutable std::mutex mutex_;
  mutable std::vector<std::byte> block_;
  mutable std::uint64_t block_offset_ = 0;
};

class SystemObjectStoreIo final : public ObjectStoreIo {
 public:
  SystemObjectStoreIo(Io& io, std::unique_ptr<ObjectStore> store)
      : ObjectStoreIo(io), store_(std::move(store)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode != OpenMode::kRead) return only_reads(path);
    TRY(io_.before(IoOperation::kOpen, path));
    // In this order: a size of newer content than the ETag's is noticed by the first read.
    std::string etag = TRY(store_->etag(key_of_path(path)));
    const FileInfo found = TRY(store_->info(key_of_path(path)));
    return std::unique_ptr<File>(
        std::make_unique<ObjectFile>(*store_, path, std::move(etag), found.size_bytes));
  }

  Result<FileInfo> info(const std::string& path) override {
    if (path == "/") return FileInfo{.path = path, .is_directory = true};
    return identify(TRY(store_->info(key_of_path(path))));
  }

  Result<FileInfo> info_by_etag(const std::string& path) override {
    FileInfo info = TRY(store_->info(key_of_path(path)));
    const std::lock_guard lock(mutex_);
    return with_etag(std::move(info));
  }

  Result<std::vector<FileInfo>> list(const std::string& directory) override {
    TRY(io_.before(IoOperation::kList, directory));
    std::vector<FileInfo> entries = TRY(store_->list(key_of_path(directory)));
    for (FileInfo& entry : entries) {
      Result<FileInfo> identified = identify(entry);
      if (identified.ok()) {
        entry = std::move(identified).value();
      } else if (identified.error().code != Code::kNotFound) {
        return identified.error();  // not found: gone since it was listed, and found gone later
      } else {
        entry.path = "/" + entry.path;
      }
    }
    return entries;
  }

  Result<std::string> absolute(const std::string& path) override { return path; }

  Result<std::unique_ptr<DirectoryWatch>> watch(const std::vector<std::string>&) override {
    return make_error(Code::kUnsupported, "a bucket is looked at now and then, not watched");
  }

 private:
  // The time by which an object is known.
  struct Seen {
    std::int64_t modified_us = 0;  // as the store says
    std::int64_t known_us = 0;
    bool is_settled = false;  // its ETag was asked for when its second was long over
  };

  bool is_young(const FileInfo& info) const { return io_.now_us() - info.modified_us <= kYoungUs; }

  Result<FileInfo> identify(FileInfo info) {
    if (!info.is_directory) {
      const std::lock_guard lock(mutex_);
      const auto found = seen_.find(info.path);
      const bool is_known = found != seen_.end() && found->second.modified_us == info.modified_us;
      if (is_young(info) || (is_known && !found->second.is_settled))
        return with_etag(std::move(info));
      if (is_known) info.modified_us = found->second.known_us;
    }
    info.path.insert(0, "/");
    return info;
  }

  // Under the mutex. `info` as the store tells it.
  Result<FileInfo> with_etag(FileInfo info) {
    const std::uint64_t hash = hash64(TRY(store_->etag(info.path)));
    const std::int64_t second_us = whole_second(info.modified_us);
    const auto offset_us = static_cast<std::int64_t>(1 + hash % (kStoreTickUs - 1));
    seen_[info.path] = {.modified_us = info.modified_us,
                        .known_us = second_us + offset_us,
                        .is_settled = !is_young(info)};
    info.modified_us = second_us + offset_us;
    info.path.insert(0, "/");
    return info;
  }

  const std::unique_ptr<ObjectStore> store_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;
};

}  // namespace

std::unique_ptr<ObjectStoreIo> make_object_store_io(Io& io, std::unique_ptr<ObjectStore> store) {
  return std::make_unique<SystemObjectStoreIo>(io, std::move(store));
}

std::int64_t whole_second(std::int64_t modified_us) {
  return modified_us - modified_us % kStoreTickUs;
}

}  // namespace lockstep
