#include "sync/care.h"

#include "hub/backup.h"
#include "hub/inspect.h"
#include "sync/report_values.h"

namespace lockstep {
namespace {

ByteProgress as_bytes(const char* what, const ShowProgress& progress) {
  if (!progress) return {};
  return [what, &progress](std::uint64_t done, std::uint64_t total) {
    progress({.what = what, .done = done, .total = total, .unit = "bytes"});
  };
}

void add_info(const BackupInfo& info, Json& out) {
  out["snapshot"] = number(info.snapshot);
  out["commit"] = number(info.commit);
  out["time"] = rfc3339(info.time);
  out["files"] = info.file_count;
  out["bytes"] = info.size_bytes;
}

const char* level_name(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "ok";
    case FindingLevel::kWarn:
      return "warn";
    case FindingLevel::kFail:
      return "fail";
  }
  return "fail";
}

}  // namespace

Result<Json> report_backup(Io& io,
                           const HubPlace& place,
                           const std::string& folder,
                           const ShowProgress& progress) {
  const BackupInfo info = TRY(backup_hub(io, place, folder, as_bytes("backup", progress)));
  Json out;
  out["backup"] = folder;
  add_info(info, out);
  return out;
}

Result<Json> report_restore(Io& io, const RestoreRequest& request, const ShowProgress& progress) {
  const RestoreOptions options{.force = request.force, .progress = as_bytes("restore", progress)};
  const BackupInfo info = TRY(restore_hub(io, request.backup, request.place, options));
  Json out;
  out["backup"] = request.backup;
  out["catalog"] = request.place.catalog;
  out["data"] = request.place.data;
  add_info(info, out);
  return out;
}

Result<Json> report_doctor(Io& io, const HubPlace& place) {
  Json out = Json::array();
  for (const Finding& finding : TRY(inspect_hub(io, place))) {
    out.push_back({{"level", level_name(finding.level)},
                   {"what", finding.what},
                   {"message", finding.message},
                   {"hint", finding.hint}});
  }
  return out;
}

Result<Json> report_repair(Io& io, const HubPlace& place, bool dry_run) {
  Json out = Json::array();
  for (const Finding& finding : TRY(repair_hub(io, place, {.dry_run = dry_run})))
    out.push_back({{"what", finding.what}, {"message", finding.message}});
  return out;
}

}  // namespace lockstep
