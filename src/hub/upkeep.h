// What keeping a hub compact and bounded is asked for, what it says that it did, and whose turn it
// is.
#pragma once

#include "base/result.h"
#include "hub/table_definition.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct CompactionLimits {
  std::int64_t rows_min = 1'000;  // inlined rows of a table that are worth a file
  std::int64_t rows_max = 1'000;  // rows that one transaction moves
  // Earlier versions of rows cannot lie in one file with the later ones. Fewer than these stay
  // inlined.
  std::int64_t older_rows_min = 100;
  // Data files of a table of about one size that are worth to become one; 0: none are.
  std::int64_t files_min = 10;
  bool background = false;  // prepare in a thread: a call begins, one after it is done finishes
};

enum class CompactionState {
  kNothing,   // nothing is worth moving
  kUnderway,  // the thread is at work: call again
  kDone,      // something was moved, or looked at and left: there may be more
};

struct CompactionStep {
  CompactionState state = CompactionState::kNothing;
  TableName table;
  std::int64_t rows = 0;   // that moved: from the catalog, or from one file to another
  std::int64_t files = 0;  // that were written
};

// Which snapshots stay. Pinned ones always do: the newest, a tag's, those of versions under an
// alias, of each model's newest version, and of learner states.
struct RetentionPolicy {
  std::int64_t keep_us = std::int64_t{7} * 24 * 3'600 * 1'000'000;  // all that are younger,
  std::int64_t snapshots_max = 50'000;                              // but not more than these;
  std::int64_t then_us = std::int64_t{3'600} * 1'000'000;  // then the last of each period; 0: none
};

struct CollectionLimits {
  RetentionPolicy policy = {};
  // Between a file's leaving the catalog and its deletion: for readers that hold no lease.
  std::int64_t grace_us = std::int64_t{24} * 3'600 * 1'000'000;
  bool background = false;  // look for files without an owner in a thread
};

struct CollectionStep {
  bool more = false;  // false: the round is over
  std::int64_t snapshots = 0;
  std::int64_t rows = 0;     // dead inlined rows, and what a dropped table left
  std::int64_t files = 0;    // that left the catalog
  std::int64_t deleted = 0;  // files that were deleted
};

// What a round of collect() would do now.
struct CollectionPlan {
  std::vector<std::int64_t> snapshots;
  std::vector<std::string> files;    // that would leave the catalog, and those that wait already
  std::vector<std::string> orphans;  // files that no row names
};

struct InlinedUse {
  TableName table;
  std::int64_t rows = 0;  // in the catalog, those of earlier snapshots too
};

// What takes turns: a step of each, of a few milliseconds at most.
struct UpkeepWork {
  std::function<Result<CompactionStep>()> compact;
  std::function<Result<CollectionStep>()> collect;
};

// Value. What a step was: compaction's, or collection's.
struct UpkeepStep {
  CompactionStep compaction;
  std::optional<CollectionStep> collection;
  std::optional<CollectionStep> round;  // with the last step of a round: what its steps removed
};

// Value. Compaction comes first. But a fast stream always has something to compact, so that behind
// each of its pieces a round of collection has a step, as long as one is due: once a minute, and at
// once behind a round that had much to remove.
class UpkeepTurns final {
 public:
  // `now_us`: of a clock that only runs on.
  Result<UpkeepStep> step(const UpkeepWork& work, std::int64_t now_us);

 private:
  Result<void> collect(const UpkeepWork& work, std::int64_t now_us, UpkeepStep& step);

  bool collection_is_next_ = false;
  std::int64_t next_round_us_ = 0;
  CollectionStep round_;
};

}  // namespace lockstep
