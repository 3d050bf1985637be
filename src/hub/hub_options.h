// How a hub is opened: where it lies, and what only tests change.
#pragma once

#include "hub/hub.h"
#include "hub/key_index.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

// Settings of a hub that only tests change.
struct HubOptions {
  std::int64_t inline_rows_max = 500;  // of one table in one commit
  // Then the write-ahead log is moved into the database. What it costs is the pages that changed,
  // each once, and two syncs: the longer the log, the less a commit pays for it.
  std::uint64_t log_bytes_max = std::uint64_t{64} << 20;
  std::int64_t inlined_deletes_max = 1'000;  // of one file: compaction moves them to a file then
  KeyIndexLimits index = {};
  std::size_t change_window_bytes = std::size_t{64} << 20;  // of changed rows in memory at a time
};

// Value. A HubPlace with its catalog's prefix taken off and both paths made absolute; the data path
// ends in a slash.
struct HubPaths {
  std::string catalog;
  std::string data;
  ForeignCommits foreign = ForeignCommits::kRefuse;
  SqliteFiles files = SqliteFiles::kSystem;
};

// Beside "sqlite:PATH" it knows "sqlite-on-io:PATH", for tests: the catalog's files are Io's, so
// that all of the hub is on a disk in memory. A configuration cannot say so.
Result<HubPaths> resolve_place(Io& io, const HubPlace& place);
Result<std::unique_ptr<Hub>> open_hub(Io& io,
                                      const HubPlace& place,
                                      HubMode mode,
                                      const HubOptions& options);

}  // namespace lockstep
