// The difference between two snapshots.
#include "hub/hub.h"
#include "sync/report_values.h"
#include "sync/table_difference.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

// A batch at a time, in key order. A table whose columns are others than before comes as a whole.
Result<std::unique_ptr<BatchStream>> changes_of(Hub& hub,
                                                const TableDefinition& table,
                                                SnapshotId from,
                                                SnapshotId to) {
  const auto before = TRY(hub.table(table.name, from));
  const auto after = TRY(hub.table(table.name, to));
  if (!after || !before || before->schema == after->schema)
    return hub.scan_changes(table.name, from, to);
  return Result<std::unique_ptr<BatchStream>>(TRY(hub.scan(table.name, to, {})));
}

// The tables of either snapshot, each as it is at the later one that has it.
Result<std::vector<TableDefinition>> tables_of_either(Hub& hub, SnapshotId from, SnapshotId to) {
  std::vector<TableDefinition> tables = TRY(hub.tables(to));
  for (TableDefinition& table : TRY(hub.tables(from))) {
    if (!TRY(hub.table(table.name, to))) tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace

Result<Json> report_diff(Hub& hub,
                         const std::string& from_text,
                         const std::string& to_text,
                         const DiffOptions& options) {
  const SnapshotId from{TRY(resolve_snapshot(hub, from_text))};
  const SnapshotId to{TRY(resolve_snapshot(hub, to_text))};
  if (from > to) {
    return make_error(Code::kUsage,
                      fmt::format("snapshot {} is not before {}", number(from), number(to)),
                      fmt::format("lockstep diff {} {}", number(to), number(from)));
  }
  Json out;
  out["from"] = number(from);
  out["to"] = number(to);
  out["tables"] = Json::array();
  out["rows"] = Json::array();
  const auto keep = [&](const Json& row) -> Result<void> {
    if (static_cast<std::int64_t>(out["rows"].size()) < options.rows_max)
      out["rows"].push_back(row);
    return {};
  };
  for (const TableDefinition& table : TRY(tables_of_either(hub, from, to))) {
    TableDifference difference(table);
    const auto changes = TRY(changes_of(hub, table, from, to));
    while (const auto batch = TRY(changes->next()))
      TRY(difference.read(*batch, options.sink ? options.sink : keep));
    if (difference.any()) out["tables"].push_back(difference.summary());
  }
  return out;
}

}  // namespace lockstep
