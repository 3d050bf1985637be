// The columns of a dataset when lockstep.yaml names others than the hub has: what becomes of each,
// and which of them a model reads.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/configuration.h"
#include "sync/dataset_flow.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// Value. From the columns that raw has to those that the configuration names.
struct ColumnsChange {
  Schema after;  // in the order of raw; new ones last
  std::vector<Field> added;
  std::vector<std::string> dropped;
  std::vector<std::string> widened;            // from int to float; by their new names
  std::map<std::string, std::string> renamed;  // new name -> old name

  bool empty() const {
    return added.empty() && dropped.empty() && widened.empty() && renamed.empty();
  }

  // Rows are written anew, or a column leaves the newest snapshot.
  bool needs_apply() const { return !dropped.empty() || !widened.empty(); }

  // "alter vitals: add bmi (float), drop age"
  std::string text(const std::string& dataset) const;
};

// Nothing, when the configuration leaves the columns to the hub. kUnsupported: a type or a key that
// the dataset cannot take, with the way out. `raw`: as it stands.
Result<ColumnsChange> columns_change(const TableDefinition& raw,
                                     const DatasetConfiguration& dataset);

// How a table of the dataset follows: a column of an old name that only the old columns have is the
// renamed one.
TableAlteration layer_alteration(const TableDefinition& before,
                                 const TableDefinition& after,
                                 const ColumnsChange& change);
// Rows of the table as it was, in the columns that it is to have.
Result<Batch> in_columns(const Batch& rows, const TableAlteration& alteration);

// The columns of the dataset without which its steps and the model could not be, or would be
// others. The rest may come, go and change, and the model's versions mean what they meant.
Result<std::set<std::string>> columns_needed(const DatasetFlow& flow,
                                             const ModelConfiguration& model);
// Whether the steps of a definition are those of the flow, as far as these columns go.
Result<bool> same_steps(const std::string& steps_json,
                        const DatasetFlow& flow,
                        const std::set<std::string>& needed);
// Whether a definition is still what the configuration asks for.
Result<bool> definition_holds(const std::string& definition_json,
                              const DatasetFlow& flow,
                              const ModelConfiguration& model);

// The steps of a definition, over the columns that raw has at the snapshot: of a version that was
// made there.
Result<std::unique_ptr<DatasetFlow>> flow_of_definition(Hub& hub,
                                                        const std::string& definition_json,
                                                        SnapshotId at);

}  // namespace lockstep
