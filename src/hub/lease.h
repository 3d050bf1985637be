// A reader's hold on the files that it may open: a locked file beside the catalog. The operating
// system ends the lock with the process, so that one that died holds nothing, and a reader writes
// nothing into the catalog.
#pragma once

#include "base/io.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lockstep {

// Resource. Ends with the object.
class Lease final {
 public:
  // Before the reader looks at the catalog. nullptr: the folder may not be written; then the grace
  // time of deleted files is all that the reader has.
  static std::unique_ptr<Lease> take(Io& io, const std::string& catalog);

  Lease(Io& io, std::string path, std::unique_ptr<FileLock> lock)
      : io_(io), path_(std::move(path)), lock_(std::move(lock)) {}

  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  Io& io_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
};

// When the oldest lease was taken, in microseconds since 1970; nullopt: there is none. Removes what
// dead readers left.
Result<std::optional<std::int64_t>> oldest_lease(Io& io, const std::string& catalog);

}  // namespace lockstep
