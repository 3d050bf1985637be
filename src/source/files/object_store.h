// A bucket of objects, as far as a source of files needs one: an interface, and S3 by Arrow.
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Where a bucket is. Credentials come from where S3's own tools take them: the environment
// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE ...), the files of ~/.aws, or the
// machine's role.
struct BucketPlace {
  std::string bucket;
  std::string region;    // empty: what the environment says
  std::string endpoint;  // "http://127.0.0.1:9000"; empty: Amazon's
};

// Interface; safe from many threads. Keys have no slash in front; a "folder" is what stands
// before a slash of some key.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // What lies in a folder, by name, each with its key as `path`; empty: the bucket's top. A folder
  // without an object is empty.
  virtual Result<std::vector<FileInfo>> list(const std::string& folder) = 0;
  virtual Result<FileInfo> info(const std::string& key) = 0;  // kNotFound when missing
  // The store's name for the content: another one for other content.
  virtual Result<std::string> etag(const std::string& key) = 0;
  // Fewer bytes only at the end.
  virtual Result<std::size_t> read(const std::string& key,
                                   std::uint64_t offset,
                                   std::span<std::byte> buffer) = 0;
};

// kUnsupported: Arrow's S3 library is not beside Arrow's own.
Result<std::unique_ptr<ObjectStore>> make_s3_store(const BucketPlace& place);

}  // namespace lockstep
