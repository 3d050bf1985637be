#include "source/files/object_store_io.h"

#include "source/files/reading_io.h"

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

class ObjectStoreIo final : public ReadingIo {
 public:
  ObjectStoreIo(Io& io, std::unique_ptr<ObjectStore> store)
      : ReadingIo(io), store_(std::move(store)) {}

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
  // What was seen of a young object.
  struct Seen {
    std::int64_t modified_us = 0;  // as the store says
    std::string etag;
    std::int64_t moved_us = 0;  // how often only the ETag changed
  };

  Result<FileInfo> identify(FileInfo info) {
    const std::string key = info.path;
    info.path = "/" + key;
    if (info.is_directory) return info;
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(key);
    if (io_.now_us() - info.modified_us > kYoungUs) {
      // It keeps the time that it was known by, until it is written again.
      if (found == seen_.end()) return info;
      const Seen& seen = found->second;
      if (seen.moved_us > 0 && seen.modified_us == info.modified_us) {
        info.modified_us += seen.moved_us;
      } else {
        seen_.erase(found);
      }
      return info;
    }
    std::string etag = TRY(store_->etag(key));
    Seen& seen = seen_[key];
    if (seen.modified_us != info.modified_us) {
      seen = {.modified_us = info.modified_us, .etag = std::move(etag)};
    } else if (seen.etag != etag) {
      seen.etag = std::move(etag);
      ++seen.moved_us;
    }
    info.modified_us += seen.moved_us;
    return info;
  }

  const std::unique_ptr<ObjectStore> store_;
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;
};

}  // namespace

std::unique_ptr<Io> make_object_store_io(Io& io, std::unique_ptr<ObjectStore> store) {
  return std::make_unique<ObjectStoreIo>(io, std::move(store));
}

}  // namespace lockstep
