// Lockstep's own tables in the catalog, as values. What each holds: docs/reference/tables.md.
#pragma once

#include "table/types.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

enum class SnapshotId : std::int64_t {};
enum class CommitId : std::int64_t {};

inline std::int64_t number(SnapshotId id) {
  return static_cast<std::int64_t>(id);
}

inline std::int64_t number(CommitId id) {
  return static_cast<std::int64_t>(id);
}

enum class CommitKind {
  kInit,
  kChanges,
  kRevert,
  kRecalibration,
  kAlias,
  kConfiguration,
  kMaintenance,
  kForeign  // a snapshot of another program, and the commit that adopts it
};

const char* commit_kind_name(CommitKind kind);

struct CommitRecord {
  CommitId id{};
  std::optional<SnapshotId> snapshot;  // none: a commit without rows
  CommitKind kind = CommitKind::kChanges;
  Timestamp time;                        // strictly rising over the hub's life
  std::optional<Timestamp> source_time;  // the newest source commit in it
  std::int64_t inserted = 0;             // raw rows that entered without one of their key leaving
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t rejected = 0;  // rows that entered `rejected`, net of those that left it
  std::string message;
};

// Value. Which commits are asked for: so many of the newest, or of those up to a time.
struct CommitRange {
  std::int64_t count = 0;
  std::optional<Timestamp> until = std::nullopt;
  bool with_rows = false;  // only those that may have changed rows, and whose snapshot is kept
};

// The definition that a model version was made under.
struct DefinitionRecord {
  std::string sha256;  // 64 hex digits
  std::string model;
  std::string json;  // in full: steps with pinned fits, scales, learner settings
};

enum class VersionKind { kCalibration, kIncrement, kRecalibration, kRevert };
enum class VersionStatus { kReady, kBlocked, kUnsolved };

const char* version_kind_name(VersionKind kind);
const char* version_status_name(VersionStatus status);

struct ModelVersionRecord {
  std::string model;
  std::int64_t version = 0;  // from 1, rising by 1 within the model
  SnapshotId snapshot{};
  std::string definition;  // sha256
  VersionKind kind = VersionKind::kIncrement;
  VersionStatus status = VersionStatus::kReady;
  std::string reason;           // why blocked or unsolved; else empty
  std::int64_t folded = 0;      // rows in the training sums
  std::int64_t tested = 0;      // rows in the test sums
  std::int64_t refused = 0;     // rows outside the pinned ranges, under `outside: reject`
  std::int64_t unlabelled = 0;  // rows without a target
  std::string fingerprint;      // 32 hex digits of the row multiset, train and test
  std::string weights;          // bytes, as learn writes them; empty when unsolved
  std::string weights_sha256;
  std::string metrics;                 // JSON object
  std::optional<std::int64_t> parent;  // the version that this one follows
  std::int64_t duration_us = 0;        // fold and solve
};

// What an alias names from then on. follow: the newest ready version; else exactly `version`.
struct AliasEvent {
  std::int64_t id = 0;
  std::string model;
  std::string alias;
  bool follow = false;
  std::optional<std::int64_t> version;
  Timestamp time;
  std::string who;  // "gate", "revert", or the user's name
  std::string why;
};

// The gate's latch and rolling errors of a model, and whatever else sync keeps between commits: one
// JSON a model.
struct ModelStateRecord {
  std::string model;
  std::string json;
};

// One part of how far a source has been read: a file, a partition, a table.
struct PositionRecord {
  std::string source;
  std::string part;
  std::string position;  // opaque to all but the source; empty: the part is gone
  CommitId commit{};
};

// part -> position
using PositionParts = std::map<std::string, std::string>;

// How long answers to requests are kept, and how many at most.
inline constexpr std::int64_t kRequestKeptUs = std::int64_t{24} * 3'600 * 1'000'000;
inline constexpr std::int64_t kRequestsKept = 500'000;

// The answer to a request, kept in the commit that it tells of: a request that comes again is given
// it instead of being done twice.
struct RequestRecord {
  std::string token;  // of the request, from who took it
  std::string dataset;
  std::string key;          // the sender's own name for it; empty: none
  std::string body_sha256;  // of all that it asked for
  Timestamp time;
  std::string answer;
};

// A snapshot's name, which keeps it.
struct TagRecord {
  std::string name;
  SnapshotId snapshot{};
  Timestamp time;
  std::string who;
};

// A learner's state in a file under the data path, named by its SHA-256: a cache.
struct CheckpointRecord {
  std::string model;
  std::string definition;
  SnapshotId snapshot{};
  std::string path;  // relative to the data path
  std::string sha256;
  std::int64_t size_bytes = 0;
};

// A reverted change that its source must not bring back: the row that was taken out, by hash.
struct OverrideRecord {
  std::string dataset;
  std::string key;       // encode_key of (source, key columns)
  std::string row_hash;  // of the source's row that was reverted; empty: a reverted delete
};

}  // namespace lockstep
