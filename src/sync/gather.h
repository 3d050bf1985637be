// How much goes into one snapshot, and how much waits for one sync of the disk: little when little
// comes, much when much does.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/source.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lockstep {

// Work for about so long is made durable at once: what came first waits no longer than that for
// what came with it.
inline constexpr std::int64_t kGroupUs = 50'000;

// So many wait for each other however long they take: fewer are inlined, which costs several times
// as much a row as a file does.
inline constexpr std::int64_t kPaceRowsMin = 600;

// Value. How many rows make one snapshot of about kGroupUs, learned from those before.
class Pace final {
 public:
  std::int64_t rows() const { return rows_; }

  void took(std::int64_t row_count, std::int64_t us);

 private:
  std::int64_t rows_ = 1'000;
};

// Value. Commits that are durable together.
struct Group {
  bool open = false;
  std::int64_t started_us = 0;
  std::int64_t row_count = 0;
};

// Value. What a source gave, in order, and how it ended.
struct Gathered {
  std::vector<SourceBatch> batches;
  std::optional<Error> error;  // after them
};

struct GatherLimits {
  std::int64_t row_count_max = 0;  // that a commit may have
  std::int64_t enough_rows = 0;    // then no more are asked for
};

// What waits at a source now. A batch is never split; whatever comes takes no wait. A transaction
// is read to its end, unless it has more rows than a commit may have, or they are still to come.
Gathered gather(Io& io, Source& source, const GatherLimits& limits);

// How many at the front belong together: those of one transaction, or one.
std::size_t front_unit(std::span<const SourceBatch> batches);

// The batches at the front that may be one snapshot: one that replaces its origin stands alone.
std::span<SourceBatch> front_run(std::span<SourceBatch> batches);

std::int64_t row_count_of(std::span<const SourceBatch> batches);

// "a.csv", or "a.csv and 3 more".
std::string origins_text(std::span<const SourceBatch> batches);

// The same as a commit's message, which marks a snapshot that is none of the source's.
std::string commit_message(std::string origins, bool schema_pending);

}  // namespace lockstep
