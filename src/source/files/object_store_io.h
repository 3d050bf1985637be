// A bucket as a disk that is only read: the bucket's objects are the files below /, by their keys.
#pragma once

#include "base/io.h"
#include "source/files/object_store.h"
#include "source/files/reading_io.h"

#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

// Resource. A store tells times by the second, so an object that is written twice within one could
// look unchanged: the time of one that is younger than a minute has microseconds that are a hash of
// its ETag, and it keeps that time for as long as this lives. A file that is read notices when its
// object is replaced: the read fails, and the object is read again as it is then.
class ObjectStoreIo : public ReadingIo {
 public:
  using ReadingIo::ReadingIo;
  // With the time that it would have if it were young: for one that was, when it was seen last.
  virtual Result<FileInfo> info_by_etag(const std::string& path) = 0;
};

std::unique_ptr<ObjectStoreIo> make_object_store_io(Io& io, std::unique_ptr<ObjectStore> store);

// A time without the microseconds that come from an ETag.
std::int64_t whole_second(std::int64_t modified_us);

}  // namespace lockstep
