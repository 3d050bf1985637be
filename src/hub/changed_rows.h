// The rows that only one of two snapshots has, read as they lie: in no order, and not netted, so
// that a row which only moved shows with both signs. Each pass reads them anew and keeps none.
#pragma once

#include "catalog/catalog.h"
#include "hub/data_files.h"
#include "hub/lake_tables.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lockstep {

// Which rows of a batch are wanted, by their keys alone, rising: the other columns of those that
// are not are left unread where that is possible.
using WantedRows = std::function<std::vector<std::int64_t>(const Batch& keys)>;
using TakeRows = std::function<Result<void>(const Batch& rows)>;

// Resource. Borrows everything. One table, the same at both snapshots.
class ChangedRows final {
 public:
  ChangedRows(Catalog& catalog,
              DataFiles& files,
              const LakeTable& table,
              std::int64_t from,
              std::int64_t to);

  Result<void> for_each(const WantedRows& wanted, const TakeRows& take);

 private:
  // Positions of one file, rising, and the sign of the rows there.
  struct Places {
    const DataFile& file;
    std::span<const std::int64_t> positions;
    int sign = 1;
  };

  Result<void> each_of_file(const Places& places, const WantedRows& wanted, const TakeRows& take);
  Result<void> each_of_group(const Places& places,
                             int group,
                             const WantedRows& wanted,
                             const TakeRows& take);
  Result<void> each_of_few(const Places& places, const WantedRows& wanted, const TakeRows& take);
  Result<void> each_of_inlined(const InlinedTable& inlined,
                               int sign,
                               const WantedRows& wanted,
                               const TakeRows& take);

  Catalog& catalog_;
  DataFiles& files_;
  const LakeTable& table_;
  const std::int64_t from_;  // the earlier one
  const std::int64_t to_;
  const int direction_;  // -1: asked for backwards
};

}  // namespace lockstep
