// Questions for the rows of groups, in their order: what steps ask that see a row beside its
// neighbours (lag, lead, rolling). Answered by ordered indexes, which the first question makes.
//
//   const GroupOrder by_hour{{"patient"}, {"hour"}};
//   GroupedRows found = TRY(hub->lookup_groups(vitals, by_hour, {.groups = patients,
//                                                                .rows_max = 10'000}));
#pragma once

#include "table/batch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. By which columns rows form groups, and in which order they stand in each. Rows of equal
// places stand in the order of the table's key.
struct GroupOrder {
  std::vector<std::string> group;
  std::vector<std::string> order;  // none: by the key alone
};

// Value. Counted in rows.
struct GroupReach {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

// Value.
struct GroupQuestion {
  Batch groups;               // the group columns, by name, a group each
  std::int64_t rows_max = 0;  // that the answer may have of one group
  // Then `groups` has the order columns too, and the answer the rows at that place, whether there
  // are any, and so many before and behind them.
  std::optional<GroupReach> reach = std::nullopt;
};

// Value.
struct GroupedRows {
  Batch rows;  // group after group, as asked
  // Of each group its first row, and at the end the number of rows.
  std::vector<std::int64_t> first_row_of;
};

}  // namespace lockstep
