#include "source/files/object_store.h"
#include "table/arrow_status.h"

#include <arrow/filesystem/filesystem.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string_view>
#include <utility>

namespace lockstep {
namespace {

constexpr const char* kS3Hint =
    "check the bucket, 'endpoint' and 'region', and the credentials in the environment";

bool says(const arrow::Status& status, std::string_view word) {
  return status.message().find(word) != std::string::npos;
}

Error store_error(const arrow::Status& status, const std::string& place) {
  const Code code = says(status, "ACCESS_DENIED") || says(status, "INVALID_ACCESS_KEY_ID") ||
                            says(status, "SIGNATURE_DOES_NOT_MATCH")
                        ? Code::kDenied
                        : Code::kIo;
  return make_error(code, fmt::format("{}: {}", place, status.message()), kS3Hint);
}

FileInfo file_info_of(const arrow::fs::FileInfo& found, const std::string& bucket) {
  FileInfo info;
  info.path = found.path().substr(std::min(found.path().size(), bucket.size() + 1));
  info.is_directory = found.IsDirectory();
  if (info.is_directory) return info;
  info.size_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(found.size(), 0));
  info.modified_us =
      std::chrono::duration_cast<std::chrono::microseconds>(found.mtime().time_since_epoch())
          .count();
  return info;
}

class S3Store final : public ObjectStore {
 public:
  S3Store(std::shared_ptr<arrow::fs::FileSystem> files, std::string bucket)
      : files_(std::move(files)), bucket_(std::move(bucket)) {}

  Result<std::vector<FileInfo>> list(const std::string& folder) override {
    arrow::fs::FileSelector selector;
    selector.base_dir = whole_path(folder);
    selector.allow_not_found = true;
    auto found = files_->GetFileInfo(selector);
    if (!found.ok()) return store_error(found.status(), shown_place(folder));
    if (found->empty()) TRY(check_bucket());
    std::vector<FileInfo> entries;
    entries.reserve(found->size());
    for (const arrow::fs::FileInfo& entry : *found)
      entries.push_back(file_info_of(entry, bucket_));
    std::sort(entries.begin(), entries.end(), [](const FileInfo& left, const FileInfo& right) {
      return left.path < right.path;
    });
    return entries;
  }

  Result<FileInfo> info(const std::string& key) override {
    auto found = files_->GetFileInfo(whole_path(key));
    if (!found.ok()) return store_error(found.status(), shown_place(key));
    if (found->IsFile() || found->IsDirectory()) return file_info_of(*found, bucket_);
    TRY(check_bucket());
    return make_error(Code::kNotFound, fmt::format("{} is missing", shown_place(key)));
  }

  Result<std::string> etag(const std::string& key) override {
    auto file = files_->OpenInputFile(whole_path(key));
    if (!file.ok()) return missing_or(file.status(), key);
    auto metadata = (*file)->ReadMetadata();
    if (!metadata.ok()) return store_error(metadata.status(), shown_place(key));
    auto tag =
        *metadata == nullptr ? arrow::Result<std::string>(std::string()) : (*metadata)->Get("ETag");
    return tag.ok() ? *tag : std::string();
  }

  Result<std::size_t> read(const std::string& key,
                           std::uint64_t offset,
                           std::span<std::byte> buffer) override {
    auto file = files_->OpenInputFile(whole_path(key));
    if (!file.ok()) return missing_or(file.status(), key);
    auto count = (*file)->ReadAt(
        static_cast<std::int64_t>(offset), static_cast<std::int64_t>(buffer.size()), buffer.data());
    if (!count.ok()) return store_error(count.status(), shown_place(key));
    return static_cast<std::size_t>(*count);
  }

 private:
  // Nothing in a bucket that is not there is an error, not an empty folder.
  Result<void> check_bucket() {
    if (has_bucket_) return {};
    auto found = files_->GetFileInfo(bucket_);
    if (!found.ok()) return store_error(found.status(), shown_place(""));
    has_bucket_ = found->IsDirectory();
    if (has_bucket_) return {};
    return make_error(Code::kIo, fmt::format("there is no bucket {}", shown_place("")), kS3Hint);
  }

  std::string whole_path(const std::string& key) const {
    return key.empty() ? bucket_ : bucket_ + "/" + key;
  }

  std::string shown_place(const std::string& key) const { return "s3://" + whole_path(key); }

  Error missing_or(const arrow::Status& status, const std::string& key) const {
    if (!says(status, "does not exist") && !says(status, "NOT_FOUND"))
      return store_error(status, shown_place(key));
    return make_error(Code::kNotFound, fmt::format("{} is missing", shown_place(key)));
  }

  const std::shared_ptr<arrow::fs::FileSystem> files_;
  const std::string bucket_;
  std::atomic<bool> has_bucket_ = false;
};

// Arrow's S3 must be told that the process ends, or crashes in it. To be told in time, this must be
// made after what the library makes for itself at its first file system.
struct S3End {
  S3End() = default;

  ~S3End() { arrow::fs::EnsureFinalized(); }

  S3End(const S3End&) = delete;
  S3End& operator=(const S3End&) = delete;
};

// "s3://bucket?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9000"
std::string s3_uri(const BucketPlace& place) {
  std::string uri = "s3://" + place.bucket;
  char separator = '?';
  const auto add_option = [&uri, &separator](std::string_view name, std::string_view value) {
    uri += fmt::format("{}{}={}", separator, name, value);
    separator = '&';
  };
  if (!place.region.empty()) add_option("region", place.region);
  if (!place.endpoint.empty()) {
    const std::size_t end = place.endpoint.find("://");
    add_option("scheme", place.endpoint.substr(0, end));
    add_option("endpoint_override", place.endpoint.substr(end + 3));
  }
  return uri;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> make_s3_store(const BucketPlace& place) {
  static const arrow::Status kLoaded = arrow::fs::LoadFileSystemFactories(LOCKSTEP_ARROW_S3);
  if (!kLoaded.ok()) {
    return make_error(Code::kUnsupported,
                      fmt::format("cannot read from S3: {}", kLoaded.message()),
                      fmt::format("put {} beside Arrow's other libraries", LOCKSTEP_ARROW_S3));
  }
  auto files = arrow::fs::FileSystemFromUri(s3_uri(place));
  static const S3End kEnd;
  if (!files.ok()) return store_error(files.status(), "s3://" + place.bucket);
  return std::unique_ptr<ObjectStore>(std::make_unique<S3Store>(*std::move(files), place.bucket));
}

}  // namespace lockstep
