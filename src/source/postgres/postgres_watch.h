// What is asked of the server beside the stream, now and then: how far its log is, how the slot
// stands, whether the tables are as they were. No answer is no failure of the stream.
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_catalog.h"
#include "source/postgres/postgres_slot.h"
#include "source/source.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// What endangers a slot; nullopt: nothing does.
std::optional<SourceFinding> slot_danger(const std::string& name, const PostgresSlot& slot);

// Resource. It keeps its connection.
class PostgresWatch final {
 public:
  void look_at_slot(const PostgresOpening& opening);
  // The tables that are not as they were when they were copied; empty where nobody answers. An
  // error is one of the tables.
  Result<std::set<std::string>> look_at_tables(const PostgresOpening& opening,
                                               const std::map<std::string, CopiedTable>& copied);

  // As they were seen last; 0 and none before.
  Lsn log_end() const { return slot_ ? slot_->log_end : 0; }

  std::optional<std::int64_t> safe_bytes() const {
    return slot_ ? slot_->safe_bytes : std::nullopt;
  }

  std::vector<SourceFinding> warnings(const std::string& slot_name) const;

 private:
  Result<PostgresLink*> link(const PostgresOpening& opening);
  Result<void> ask_of_slot(const PostgresOpening& opening);
  void note(const Result<void>& asked);

  std::unique_ptr<PostgresLink> link_;
  std::optional<PostgresSlot> slot_;
  std::optional<Error> silence_;  // why nobody answered
};

}  // namespace lockstep
