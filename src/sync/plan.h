// What a changed lockstep.yaml asks of a hub: compared with the configuration that the hub has in
// force.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "sync/configuration.h"
#include "sync/dataset_flow.h"

#include <string>
#include <vector>

namespace lockstep {

struct PlanItem {
  enum class Action {
    kAddDataset,
    kAlterDataset,   // its columns, in place
    kLayOutDataset,  // its files
    kRebuildDataset,
    kDropDataset,
    kAddModel,
    kRecalibrateModel,
    kDropModel,
    kOther
  };

  Action action = Action::kOther;
  std::string name;
  std::string text;          // "rebuild clean, train and rejected of vitals from raw"
  bool needs_apply = false;  // it rebuilds or loses
};

// Value.
struct Plan {
  std::vector<PlanItem> items;

  bool needs_apply() const;
  bool has(PlanItem::Action action, const std::string& name) const;
  bool has_alterations() const;
  std::string text() const;  // one line an item
};

// kUnsupported: a change that a hub cannot take, with the way out (another key, another type, a
// source taken away). With an empty hub the plan adds everything.
Result<Plan> make_plan(Hub& hub, const Configuration& configuration);

// The dataset's columns: as raw has them and the configuration changes them, in that order;
// declared, when there is no raw yet; empty when neither is known.
Result<Schema> known_columns(Hub& hub, const DatasetConfiguration& dataset);

}  // namespace lockstep
