#include "hub/late_records.h"

namespace lockstep {

Result<void> LateRecords::tell(RecordStore& records) {
  for (const auto& [place, record] : positions_)
    TRY(records.put_position(record));
  for (const auto& [model, state] : states_)
    TRY(records.put_model_state(state));
  clear();
  return {};
}

void LateRecords::clear() {
  positions_.clear();
  states_.clear();
}

}  // namespace lockstep
