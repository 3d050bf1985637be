// A source gives all that a table holds, in many batches: what it did not name leaves at the end,
// so that what did not change is no change.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "source/source.h"
#include "sync/dataset_flow.h"

#include <array>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lockstep {

// Value. The keys that came, by 128 bits of a hash each: of a million keys two are alike with a
// chance of one in 10^26.
class Sweep final {
 public:
  explicit Sweep(std::string origin) : origin_(std::move(origin)) {}

  // Rows that came for the origin.
  Result<void> add(const DatasetFlow& flow, const std::string& source, const SourceBatch& batch);
  // Deletes of what the newest snapshot has of source and origin and nobody named, in batches.
  Result<std::vector<SourceBatch>> rest(Hub& hub,
                                        const DatasetFlow& flow,
                                        const std::string& source,
                                        int target) const;

 private:
  using Hash = std::array<std::uint64_t, 2>;

  struct Spread {
    std::size_t operator()(const Hash& hash) const { return static_cast<std::size_t>(hash[0]); }
  };

  std::string origin_;
  std::unordered_set<Hash, Spread> seen_;
};

}  // namespace lockstep
