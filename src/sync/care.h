// Reports about the hub as a store: back-ups, damage, repair.
#pragma once

#include "hub/hub.h"
#include "sync/sync.h"

#include <functional>
#include <string>

namespace lockstep {

using ShowProgress = std::function<void(const Progress&)>;

// {backup, snapshot, commit, time, files, bytes}
Result<Json> report_backup(Io& io,
                           const HubPlace& place,
                           const std::string& folder,
                           const ShowProgress& progress);

struct RestoreRequest {
  std::string backup;  // the folder
  HubPlace place;
  bool force = false;
};

// {backup, catalog, data, snapshot, commit, time, files, bytes}
Result<Json> report_restore(Io& io, const RestoreRequest& request, const ShowProgress& progress);

// [{level: ok|warn|fail, what, message, hint}]
Result<Json> report_doctor(Io& io, const HubPlace& place);
// [{what, message}]: what was mended, or under dry_run would be.
Result<Json> report_repair(Io& io, const HubPlace& place, bool dry_run);

}  // namespace lockstep
