// The gate: whether a new version may become the champion. Pure: evidence in, decision out.
#pragma once

#include "base/result.h"
#include "learn/learn.h"
#include "sync/configuration.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. What the gate remembers of a model between commits; kept in the catalog as JSON.
struct GateMemory {
  struct Errors {
    double rows = 0;
    std::vector<double> absolute;     // [target] sum
    std::vector<double> counts = {};  // [target] rows that have it; empty: all rows have all
    bool operator==(const Errors&) const = default;
  };

  Errors usual;               // the champion's errors on honest batches, older ones fading
  Errors pending;             // of commits that made no version yet
  std::deque<Errors> recent;  // the newest small batches, to judge the next small one with
  bool latched = false;
  std::int64_t latched_at = 0;  // the version that was blocked first
  std::string why;
  std::int64_t reference = 0;        // version of the last calibration
  std::int64_t calibrated_rows = 0;  // rows it was calibrated with
  std::int64_t pending_changes = 0;  // changed train rows since the last version
  std::int64_t last_version_us = 0;

  bool operator==(const GateMemory&) const = default;
};

std::string gate_memory_json(const GateMemory& memory);
Result<GateMemory> parse_gate_memory(const std::string& json);

struct GateEvidence {
  GateMemory::Errors batch;         // the champion on the rows that came in
  Metrics challenger;               // on the test rows from before the batch
  std::optional<Metrics> champion;  // the same rows
  std::optional<Metrics> reference;
};

struct GateDecision {
  bool blocked = false;
  std::string why;
};

GateMemory::Errors errors_of_batch(const BatchErrors& batch);
void add_errors(GateMemory::Errors& into, const GateMemory::Errors& from);

// Does not look at the latch: whoever latches asks for it.
GateDecision judge(const GateConfiguration& gate,
                   const GateMemory& memory,
                   const GateEvidence& evidence);
// Takes an honest batch into the usual errors.
void remember(const GateConfiguration& gate, GateMemory& memory, const GateMemory::Errors& batch);
// What the champion's errors usually are, before any batch: from its test rows.
void remember_start(GateMemory& memory,
                    const std::vector<double>& mean_absolute_error,
                    std::int64_t row_count);

}  // namespace lockstep
