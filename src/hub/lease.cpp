#include "hub/lease.h"

#include <algorithm>

namespace lockstep {

namespace {

std::string folder_of(const std::string& catalog) {
  return catalog + ".readers";
}

}  // namespace

std::unique_ptr<Lease> Lease::take(Io& io, const std::string& catalog) {
  constexpr int kTries = 3;
  const std::string folder = folder_of(catalog);
  if (!io.make_directories(folder).ok()) return nullptr;
  for (int tries = 0; tries < kTries; ++tries) {
    const std::string path = join_path(folder, random_uuid(io));
    auto lock = io.lock(path);
    if (!lock.ok()) continue;
    // Who looked for dead leases in between took it for one.
    if (io.info(path).ok()) return std::make_unique<Lease>(io, path, std::move(lock).value());
  }
  return nullptr;
}

Lease::~Lease() {
  // What stays behind is unlocked, and the next look removes it.
  static_cast<void>(io_.remove(path_));
}

Result<std::optional<std::int64_t>> oldest_lease(Io& io, const std::string& catalog) {
  std::optional<std::int64_t> oldest;
  const auto files = io.list(folder_of(catalog));
  if (!files.ok() && files.error().code == Code::kNotFound) return oldest;
  for (const FileInfo& file : TRY(files)) {
    const auto lock = io.lock(file.path);
    if (lock.ok()) {
      const auto removed = io.remove(file.path);
      if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    } else if (lock.error().code == Code::kLocked) {
      oldest = std::min(oldest.value_or(file.modified_us), file.modified_us);
    } else {
      return lock.error();
    }
  }
  return oldest;
}

}  // namespace lockstep
