// How the files of a dataset's tables are laid out: partition and sort order of lockstep.yaml, for
// those tables that have the columns.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/configuration.h"

#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Gives the table what it can take of the dataset's layout.
void lay_out(const DatasetConfiguration& dataset, TableDefinition& table);
// kInvalid: no table can take one of its keys. `tables`: those that are laid out.
Result<void> check_layout(const DatasetConfiguration& dataset,
                          std::span<const TableDefinition> tables);

// Value. Tables of the hub that are laid out in another way than the configuration wants.
struct LayoutChange {
  std::vector<TableAlteration> alter;
  bool rewrites = false;  // rows that are there, too

  std::string text(const std::string& dataset) const;
};

Result<LayoutChange> layout_change(Hub& hub, std::span<const TableDefinition> wanted);

}  // namespace lockstep
