// What only the newest commit of a group decides: the catalog is told once, at the group's end.
#pragma once

#include "hub/record_store.h"

#include <map>
#include <string>
#include <utility>

namespace lockstep {

// Value. Nobody outside a group's transaction can see what it leaves out.
class LateRecords final {
 public:
  void put(PositionRecord record) {
    std::pair place(record.source, record.part);
    positions_.insert_or_assign(std::move(place), std::move(record));
  }

  void put(ModelStateRecord record) {
    std::string model = record.model;
    states_.insert_or_assign(std::move(model), std::move(record));
  }

  Result<void> tell(RecordStore& records);
  void clear();

 private:
  std::map<std::pair<std::string, std::string>, PositionRecord> positions_;
  std::map<std::string, ModelStateRecord> states_;
};

}  // namespace lockstep
