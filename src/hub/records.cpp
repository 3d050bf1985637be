#include "hub/records.h"

#include "base/assert.h"

namespace lockstep {

const char* commit_kind_name(CommitKind kind) {
  switch (kind) {
    case CommitKind::kInit:
      return "init";
    case CommitKind::kChanges:
      return "changes";
    case CommitKind::kRevert:
      return "revert";
    case CommitKind::kRecalibration:
      return "recalibration";
    case CommitKind::kAlias:
      return "alias";
    case CommitKind::kConfiguration:
      return "configuration";
    case CommitKind::kMaintenance:
      return "maintenance";
    case CommitKind::kForeign:
      return "foreign";
  }
  assertion_failed("CommitKind", "a commit kind has no name", __FILE__, __LINE__);
}

const char* version_kind_name(VersionKind kind) {
  switch (kind) {
    case VersionKind::kCalibration:
      return "calibration";
    case VersionKind::kIncrement:
      return "increment";
    case VersionKind::kRecalibration:
      return "recalibration";
    case VersionKind::kRevert:
      return "revert";
  }
  assertion_failed("VersionKind", "a version kind has no name", __FILE__, __LINE__);
}

const char* version_status_name(VersionStatus status) {
  switch (status) {
    case VersionStatus::kReady:
      return "ready";
    case VersionStatus::kBlocked:
      return "blocked";
    case VersionStatus::kUnsolved:
      return "unsolved";
  }
  assertion_failed("VersionStatus", "a version status has no name", __FILE__, __LINE__);
}

}  // namespace lockstep
