// A source gives all that a table holds, in many batches: what it did not name leaves at the end,
// so that what did not change is no change.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "source/source.h"
#include "sync/dataset_flow.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

// Value. The keys that came, by 128 bits of a hash each: of a million keys two are alike with a
// chance of one in 10^26.
class Sweep final {
 public:
  // `max_delete`: the share of the source's rows that may leave; none: all of them.
  explicit Sweep(std::string origin, std::optional<double> max_delete = std::nullopt)
      : origin_(std::move(origin)), max_delete_(max_delete) {}

  // Rows that came for the origin.
  Result<void> add(const DatasetFlow& flow, const std::string& source, const SourceBatch& batch);
  // Deletes of what the newest snapshot has of source and origin and nobody named, in batches.
  // kRefused: they are too many.
  Result<std::vector<SourceBatch>> rest(Hub& hub,
                                        const DatasetFlow& flow,
                                        const std::string& source,
                                        int target);

 private:
  using Hash = std::array<std::uint64_t, 2>;

  // Columns of the rows that are scanned.
  struct Columns {
    std::vector<int> key;
    int origin = 0;
  };

  using EachRows = std::function<Result<void>(const Batch& rows, const Columns& columns)>;
  static Result<void> scan_keys(Hub& hub, const DatasetFlow& flow, const EachRows& each);
  bool is_gone(const Batch& rows, const Columns& columns, std::int64_t row) const;
  Result<void> check_count(Hub& hub, const DatasetFlow& flow, const std::string& source) const;

  std::string origin_;
  std::optional<double> max_delete_;
  std::vector<Hash> seen_;  // in order, once rest() is asked
};

}  // namespace lockstep
