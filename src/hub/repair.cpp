#include "hub/format.h"
#include "hub/inspect.h"
#include "hub/inspection.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {

namespace {

Finding mended(const char* what, std::string message) {
  return {FindingLevel::kOk, what, std::move(message), ""};
}

// Everything that is to go, and what is told of it.
struct Mending {
  std::vector<BadState> states;
  std::vector<Orphan> files;
  std::vector<BadIndex> indexes;
};

Result<Mending> look(Io& io, const HubPaths& paths, Catalog& catalog) {
  std::vector<Orphan> listed = TRY(files_below(io, paths.data));
  Mending mending;
  mending.states = TRY(bad_states(io, paths, catalog));
  mending.files = TRY(orphans(paths, catalog, std::move(listed)));
  TRY(take_of_load(io, paths, mending.files));  // what sync goes on with is no garbage
  mending.indexes = TRY(bad_indexes(io, paths, catalog));
  return mending;
}

// The epoch too, so that a writer which lost its lock does not go on beside us.
Result<void> mend_catalog(Catalog& catalog, const Mending& mending) {
  const auto transaction = TRY(catalog.begin());
  TRY(upgrade_hub_format(catalog));
  RecordStore records(catalog);
  TRY(records.put_epoch(TRY(records.epoch()) + 1));
  for (const BadState& state : mending.states) {
    Statement* const forget = TRY(catalog.cached("DELETE FROM lockstep_checkpoint WHERE path = ?"));
    TRY(forget->run({state.path}));
  }
  return transaction->commit();
}

// After the catalog no longer names them.
Result<void> remove_files(Io& io, const HubPaths& paths, const Mending& mending) {
  std::vector<std::string> gone;
  for (const BadState& state : mending.states)
    gone.push_back(paths.data + state.path);
  for (const Orphan& file : mending.files)
    gone.push_back(file.path);
  for (const std::string& path : gone) {
    const Result<void> removed = io.remove(path);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  }
  return {};
}

}  // namespace

Result<std::vector<Finding>> repair_hub(Io& io,
                                        const HubPlace& place,
                                        const RepairOptions& options) {
  const HubPaths paths = TRY(resolve_place(io, place));
  const Result<FileInfo> info = io.info(paths.catalog);
  if (!info.ok() && info.error().code == Code::kNotFound) {
    return make_error(Code::kNoHub,
                      fmt::format("there is no hub at {}", paths.catalog),
                      "make one: lockstep sync");
  }
  const auto lock =
      TRY_IN(io.lock(paths.catalog + ".lock"), fmt::format("repairing {}: ", paths.catalog));
  const auto catalog = TRY(open_sqlite(io, paths.catalog, CatalogMode::kWrite));
  TRY(hub_format(*catalog));
  TRY(check_lake_version(*catalog));
  if (!TRY(page_damage(*catalog)).empty()) {
    return make_error(Code::kRefused,
                      fmt::format("the catalog {} is damaged, and it is no cache", paths.catalog),
                      "restore a back-up: lockstep restore");
  }
  const Mending mending = TRY(look(io, paths, *catalog));
  std::vector<Finding> out;
  for (const BadState& state : mending.states)
    out.push_back(mended("states", fmt::format("{}{} {}", paths.data, state.path, state.why)));
  for (const Orphan& file : mending.files)
    out.push_back(mended("orphans", fmt::format("{}, {} bytes", file.path, file.size_bytes)));
  for (const BadIndex& index : mending.indexes)
    out.push_back(mended("indexes", fmt::format("{}: {}", index.of, index.why)));
  if (options.dry_run || out.empty()) return out;
  TRY(mend_catalog(*catalog, mending));
  TRY(remove_files(io, paths, mending));
  TRY(forget_indexes(io, paths, *catalog, mending.indexes));
  return out;
}

}  // namespace lockstep
