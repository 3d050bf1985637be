#include "hub/retention.h"

#include "hub/lake_tables.h"

namespace lockstep {

namespace {

// What holds a snapshot, each as a query for snapshot ids. An alias that follows names the newest
// ready version; the version in its event stays pinned too, since it may be a floor. Models are
// found from one name to the next by the index, and their newest versions too: to group would read
// every version there is.
constexpr const char* kPins[] = {
    "SELECT max(snapshot_id) FROM ducklake_snapshot",
    "SELECT snapshot_id FROM lockstep_commit WHERE snapshot_id IS NOT NULL AND kind <> "
    "'maintenance' "
    "ORDER BY snapshot_id DESC LIMIT 1",
    "SELECT snapshot_id FROM lockstep_tag",
    "SELECT snapshot_id FROM lockstep_checkpoint",
    "WITH RECURSIVE names(model) AS (SELECT min(model) FROM lockstep_model_version UNION ALL "
    "SELECT (SELECT min(v.model) FROM lockstep_model_version v WHERE v.model > names.model) FROM "
    "names WHERE names.model IS NOT NULL), newest(snapshot_id) AS (SELECT (SELECT v.snapshot_id "
    "FROM "
    "lockstep_model_version v WHERE v.model = names.model ORDER BY v.version DESC LIMIT 1) FROM "
    "names UNION ALL SELECT (SELECT v.snapshot_id FROM lockstep_model_version v WHERE v.model = "
    "names.model AND v.status = 'ready' ORDER BY v.version DESC LIMIT 1) FROM names) "
    "SELECT snapshot_id FROM newest WHERE snapshot_id IS NOT NULL",
    "SELECT v.snapshot_id FROM lockstep_alias_event e JOIN (SELECT max(event_id) AS event_id FROM "
    "lockstep_alias_event GROUP BY model, alias) n ON n.event_id = e.event_id JOIN "
    "lockstep_model_version v ON v.model = e.model AND v.version = e.version",
};

struct SnapshotRow {
  std::int64_t id = 0;
  Timestamp time;
  bool maintenance = false;
};

Result<std::vector<SnapshotRow>> snapshot_rows(Catalog& catalog,
                                               std::int64_t from,
                                               std::int64_t count_max) {
  Statement* row = TRY(catalog.cached(
      "SELECT s.snapshot_id, s.snapshot_time, c.kind = 'maintenance' FROM ducklake_snapshot s LEFT "
      "JOIN lockstep_commit c ON c.snapshot_id = s.snapshot_id WHERE s.snapshot_id >= ? ORDER BY "
      "s.snapshot_id LIMIT ?"));
  row->bind_integer(0, from);
  row->bind_integer(1, count_max);
  std::vector<SnapshotRow> rows;
  while (TRY(row->step())) {
    const Value time =
        TRY_IN(parse_value(row->text(1), Type::kTimestamp), "the time of a snapshot: ");
    rows.push_back({.id = row->integer(0),
                    .time = std::get<Timestamp>(time),
                    .maintenance = !row->is_null(2) && row->integer(2) != 0});
  }
  row->reset();
  return rows;
}

}  // namespace

Result<std::set<std::int64_t>> pinned_snapshots(Catalog& catalog) {
  std::set<std::int64_t> pinned;
  const bool has_tags = catalog.table_exists("lockstep_tag");  // not in a hub of format 1
  for (const char* query : kPins) {
    if (!has_tags && std::string_view(query).ends_with("lockstep_tag")) continue;
    Statement* row = TRY(catalog.cached(query));
    while (TRY(row->step()))
      pinned.insert(row->integer(0));
    row->reset();
  }
  return pinned;
}

Result<ExpiredSnapshots> find_expired(Catalog& catalog,
                                      const RetentionPolicy& policy,
                                      const std::set<std::int64_t>& pinned,
                                      const ExpiryScan& scan) {
  LOCKSTEP_ASSERT(!pinned.empty(), "hub: nothing is pinned, not even the newest snapshot");
  ExpiredSnapshots out;
  out.next = scan.from;
  const std::vector<SnapshotRow> rows =
      TRY(snapshot_rows(catalog, scan.from, scan.snapshots_max + 1));
  // Numbers run on among the newest, so that the count is a number. The newest is always pinned.
  const std::int64_t by_count = *pinned.rbegin() - policy.snapshots_max + 1;
  const Timestamp by_age{scan.now.us - policy.keep_us};
  for (std::size_t index = 0; index < rows.size(); ++index) {
    const SnapshotRow& row = rows[index];
    out.next = row.id;
    if (row.id >= by_count && row.time >= by_age) {
      out.reached_kept = true;
      return out;
    }
    // The last of a period is known by the next one with rows.
    std::size_t next = index + 1;
    while (next < rows.size() && rows[next].maintenance)
      ++next;
    const bool known = next < rows.size();
    out.reached_kept = !known && static_cast<std::int64_t>(rows.size()) <= scan.snapshots_max;
    // What follows is looked at together with this one, the next time.
    if (!known && !row.maintenance && (out.reached_kept || index > 0)) return out;
    const bool last_of_period =
        !row.maintenance && policy.then_us > 0 &&
        (!known || rows[next].time.us / policy.then_us != row.time.us / policy.then_us);
    if (!last_of_period && !pinned.contains(row.id)) out.ids.push_back(row.id);
  }
  return out;
}

}  // namespace lockstep
