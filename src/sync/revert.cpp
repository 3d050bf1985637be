#include "sync/revert.h"

#include "sync/winner.h"

#include <map>

namespace lockstep {
namespace {

struct Sides {
  std::int64_t before = -1;  // rows of the snapshot's change
  std::int64_t after = -1;
};

Result<Batch> change_of_snapshot(Hub& hub, const TableName& raw, SnapshotId snapshot) {
  const SnapshotId before{number(snapshot) - 1};
  const auto table = TRY(hub.table(raw, snapshot));
  if (!table) return Batch();  // the dataset came later
  if (!TRY(hub.table(raw, before))) return Batch::empty(table->schema);
  // What it put there is undone in the columns of today.
  return hub.changes_in_newest_columns(raw, before, snapshot);
}

// The current row of each key, in the order of `sides`.
Result<Lookup> current_rows(Hub& hub,
                            const TableName& raw,
                            const Batch& change,
                            std::span<const int> key,
                            const std::map<std::string, Sides>& sides) {
  std::vector<std::int64_t> rows;
  for (const auto& [bytes, side] : sides)
    rows.push_back(side.after >= 0 ? side.after : side.before);
  return hub.lookup(raw, change.select_rows(rows).select_columns(key));
}

bool same(const Batch& left, std::int64_t left_row, const Batch& right, std::int64_t right_row) {
  if (left_row < 0 || right_row < 0) return left_row < 0 && right_row < 0;
  return rows_equal(left, left_row, right, right_row);
}

}  // namespace

Result<RevertDelta> revert_delta(Hub& hub,
                                 const DatasetFlow& flow,
                                 SnapshotId snapshot,
                                 RevertConflicts conflicts) {
  const TableName raw = flow.table(Layer::kRaw);
  const Batch change = TRY(change_of_snapshot(hub, raw, snapshot));
  RevertDelta out;
  out.raw = Batch::empty(flow.raw_schema());
  if (change.row_count() == 0) return out;
  const std::vector<int> key = TRY(change.schema().require_all(raw_key(flow.key())));
  std::map<std::string, Sides> sides;
  for (std::int64_t row = 0; row < change.row_count(); ++row) {
    Sides& side = sides[encode_key(change, key, row)];
    (change.sign(row) > 0 ? side.after : side.before) = row;
  }
  const Lookup current = TRY(current_rows(hub, raw, change, key, sides));
  BatchBuilder delta(flow.raw_schema());
  std::size_t index = 0;
  for (const auto& [bytes, side] : sides) {
    const std::int64_t now = current.row_of_key[index++];
    if (same(current.rows, now, change, side.before)) continue;
    if (!same(current.rows, now, change, side.after)) {
      out.conflicts.push_back(key_text(change, key, side.after >= 0 ? side.after : side.before));
      if (conflicts != RevertConflicts::kOverwrite) continue;
    }
    if (now >= 0) delta.append_row_from(current.rows, now, -1);
    if (side.before >= 0) delta.append_row_from(change, side.before, 1);
    const std::string hash = side.after >= 0 ? row_hash(change, side.after) : std::string();
    out.overrides.push_back({flow.dataset().name, bytes, hash});
  }
  out.raw = TRY(delta.finish());
  return out;
}

}  // namespace lockstep
