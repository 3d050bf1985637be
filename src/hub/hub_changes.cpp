// The difference between two snapshots of a table: whole, or a batch at a time.
#include "hub/change_scan.h"
#include "hub/hub_over_ducklake.h"
#include "hub/table_scan.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

// All rows of a table with one sign.
Result<void> each_row(Scan& scan,
                      std::span<const int> key,
                      int sign,
                      const WantedRows& wanted,
                      const TakeRows& take) {
  while (const auto batch = TRY(scan.next())) {
    const std::vector<std::int64_t> chosen = wanted(batch->select_columns(key));
    if (!chosen.empty()) TRY(take(batch->select_rows(chosen).with_all_signs(sign)));
  }
  return {};
}

Result<Batch> read_all(BatchStream& scan, const Schema& schema) {
  std::vector<Batch> batches;
  while (auto batch = TRY(scan.next()))
    batches.push_back(std::move(*batch));
  if (batches.size() == 1) return batches.front();
  return concatenate(schema, batches);
}

Error never_there(const TableName& name, SnapshotId from, SnapshotId to) {
  return make_error(Code::kNotFound,
                    fmt::format("there is no table {} at the snapshots {} and {}",
                                table_text(name),
                                number(from),
                                number(to)));
}

}  // namespace

// `table`: the same at both snapshots; its columns are those of the rows.
std::unique_ptr<BatchStream> HubOverDuckLake::scan_changes_of(const LakeTable& table,
                                                              std::int64_t from,
                                                              std::int64_t to) {
  ChangePass pass = [this, table, from, to](const WantedRows& wanted, const TakeRows& take) {
    return ChangedRows(*catalog_, *files_, table, from, to).for_each(wanted, take);
  };
  return open_change_scan(table.definition.schema,
                          table.key,
                          std::move(pass),
                          {.window_bytes = options_.change_window_bytes});
}

Result<Batch> HubOverDuckLake::changes_of(const LakeTable& table,
                                          std::int64_t from,
                                          std::int64_t to) {
  return read_all(*scan_changes_of(table, from, to), table.definition.schema);
}

Result<Batch> HubOverDuckLake::changes(const TableName& name, SnapshotId from, SnapshotId to) {
  const auto before = TRY(find_table(name, from));
  const auto after = TRY(find_table(name, to));
  if (!before && !after) return never_there(name, from, to);
  const bool from_is_later = before && after && before->id == after->id && from > to;
  const LakeTable& shape = after && !from_is_later ? *after : *before;
  return read_all(*TRY(scan_changes(name, from, to)), shape.definition.schema);
}

Result<Batch> HubOverDuckLake::changes_in_newest_columns(const TableName& name,
                                                         SnapshotId from,
                                                         SnapshotId to) {
  const auto newest = TRY(find_table(name, latest_snapshot()));
  bool same = newest.has_value();
  for (const SnapshotId end : {from, to}) {
    const auto then = TRY(find_table(name, end));
    same = same && then && then->id == newest->id;
  }
  if (!same) return changes(name, from, to);
  return changes_of(*newest, number(from), number(to));
}

Result<std::unique_ptr<BatchStream>> HubOverDuckLake::scan_changes(const TableName& name,
                                                                   SnapshotId from,
                                                                   SnapshotId to) {
  const auto before = TRY(find_table(name, from));
  const auto after = TRY(find_table(name, to));
  if (!before && !after) return never_there(name, from, to);
  if (before && after && before->id == after->id)
    return scan_changes_of(from > to ? *before : *after, number(from), number(to));
  if (before && after && before->definition != after->definition) {
    return make_error(Code::kUnsupported,
                      fmt::format("{} has other columns or another key at snapshot {} than at {}",
                                  table_text(name),
                                  number(from),
                                  number(to)));
  }
  // A table that is another one at each end, or is missing at one: all of it goes, all of it comes.
  const LakeTable table = after ? *after : *before;
  ChangePass pass = [this, before, after, from, to](const WantedRows& wanted,
                                                    const TakeRows& take) -> Result<void> {
    if (before) {
      const auto rows = TRY(open_scan(*catalog_, *files_, *before, number(from), {}));
      TRY(each_row(*rows, before->key, -1, wanted, take));
    }
    if (!after) return {};
    const auto rows = TRY(open_scan(*catalog_, *files_, *after, number(to), {}));
    return each_row(*rows, after->key, 1, wanted, take);
  };
  return open_change_scan(table.definition.schema,
                          table.key,
                          std::move(pass),
                          {.window_bytes = options_.change_window_bytes});
}

}  // namespace lockstep
