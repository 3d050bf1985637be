// The parts of an inspection. Internal to the hub.
#pragma once

#include "hub/catalog_files.h"
#include "hub/hub_over_ducklake.h"
#include "hub/inspect.h"

#include <string>
#include <vector>

namespace lockstep {

inline constexpr const char* kRestore = "restore a back-up: lockstep restore";

// Value. A state whose file is not what the catalog says.
struct BadState {
  std::string path;  // below the data path
  std::string why;
};

// Value. A file below the data path that the catalog does not name.
struct Orphan {
  std::string path;  // whole
  std::uint64_t size_bytes = 0;
  std::int64_t modified_us = 0;
};

// Value. An index of a table whose files are not what they were written as.
struct BadIndex {
  std::int64_t table_id = 0;
  std::string of;  // "the keys of clean.vitals"
  std::string why;
};

// What SQLite finds wrong with the database's pages and indexes, a text each; the first few.
Result<std::vector<std::string>> page_damage(Catalog& catalog);
Result<std::vector<BadState>> bad_states(Io& io, const HubPaths& paths, Catalog& catalog);
// List the folder before the catalog is read: what is committed in between is then named.
Result<std::vector<Orphan>> files_below(Io& io, const std::string& data);
Result<std::vector<Orphan>> orphans(const HubPaths& paths,
                                    Catalog& catalog,
                                    std::vector<Orphan> files);
// Moves those of a load that somebody goes on with out of `files`.
Result<std::vector<Orphan>> take_of_load(Io& io, const HubPaths& paths, std::vector<Orphan>& files);
Result<std::vector<BadIndex>> bad_indexes(Io& io, const HubPaths& paths, Catalog& catalog);
// While nobody writes: their files go.
Result<void> forget_indexes(Io& io,
                            const HubPaths& paths,
                            Catalog& catalog,
                            const std::vector<BadIndex>& indexes);

// What stands in the catalog, looked at by SQL: snapshots, tables, models, tags.
Result<std::vector<Finding>> inspect_catalog(Catalog& catalog);

}  // namespace lockstep
