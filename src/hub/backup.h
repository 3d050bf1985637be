// Copies of a hub that can be put back.
//
// A back-up is a folder: catalog.sqlite, data/ with every file that the catalog names, and
// manifest.json with their sizes and SHA-256, written last. It is what one reader saw at one
// moment, while others went on committing. Files never change once they are written, so that they
// are copied after the catalog. What is a cache and lies outside the catalog is left out, but for
// the states, without which the first start would fold all rows anew.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "hub/hub.h"

#include <cstdint>
#include <functional>
#include <string>

namespace lockstep {

// Value. What a manifest says of its back-up as a whole.
struct BackupInfo {
  std::string hub_id;
  std::int64_t hub_format = 0;
  SnapshotId snapshot{};  // the newest in it
  CommitId commit{};
  Timestamp time;  // when it was taken
  std::int64_t file_count = 0;
  std::uint64_t size_bytes = 0;  // with the catalog
};

// Told the bytes that are done, and all there are.
using ByteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Into a new or empty folder (kRefused). Writes nothing to the hub.
Result<BackupInfo> backup_hub(Io& io,
                              const HubPlace& place,
                              const std::string& folder,
                              const ByteProgress& progress);

struct RestoreOptions {
  bool force = false;  // replace the hub that is there
  ByteProgress progress = {};
};

// Checks every byte of the back-up first (kCorrupt, and nothing is done), then makes a hub of it at
// `place`, whose data path DuckDB is told. kRefused where a hub is, unless forced; kLocked while
// somebody writes to that one.
Result<BackupInfo> restore_hub(Io& io,
                               const std::string& folder,
                               const HubPlace& place,
                               const RestoreOptions& options);

}  // namespace lockstep
