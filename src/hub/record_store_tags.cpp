// Tags: names that keep snapshots.
#include "hub/record_store.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>

namespace lockstep {

Result<void> RecordStore::set_tag(const TagRecord& tag) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_tag(name, snapshot_id, created_time, who, message) VALUES "
                   "(?, ?, ?, ?, '') ON CONFLICT(name) DO UPDATE SET snapshot_id = "
                   "excluded.snapshot_id, created_time = excluded.created_time, who = excluded.who",
                   {tag.name, number(tag.snapshot), tag.time.us, tag.who});
}

Result<void> RecordStore::delete_tag(const std::string& name) {
  const Cell there = TRY(catalog_.single("SELECT 1 FROM lockstep_tag WHERE name = ?", {name}));
  if (std::holds_alternative<std::monostate>(there)) {
    return make_error(
        Code::kNotFound, fmt::format("there is no tag '{}'", name), "lockstep tag --list");
  }
  return write_row(catalog_, "DELETE FROM lockstep_tag WHERE name = ?", {name});
}

Result<std::vector<TagRecord>> RecordStore::tags() {
  // A reader of an older hub finds no table: it has no tags.
  if (!catalog_.table_exists("lockstep_tag")) return std::vector<TagRecord>{};
  const auto read = [](const Statement& row) -> Result<TagRecord> {
    return TagRecord{.name = std::string(row.text(0)),
                     .snapshot = SnapshotId{row.integer(1)},
                     .time = Timestamp{row.integer(2)},
                     .who = std::string(row.text(3))};
  };
  return read_rows(catalog_,
                   "SELECT name, snapshot_id, created_time, who FROM lockstep_tag ORDER BY name",
                   {},
                   read);
}

}  // namespace lockstep
