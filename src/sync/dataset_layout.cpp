#include "sync/dataset_layout.h"

#include "hub/partition.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

bool takes(const TableDefinition& table, const PartitionKey& key) {
  const auto column = table.schema.index_of(key.column);
  return column && check_partition_type(key, table.schema.field(*column).type).ok();
}

// Why not, of the last table that has the column at all.
Error why_nowhere(const PartitionKey& key, std::span<const TableDefinition> tables) {
  Result<int> found = tables.front().schema.require(key.column);
  Error error = found.ok() ? invalid("") : std::move(found).error();
  for (const TableDefinition& table : tables) {
    const auto column = table.schema.index_of(key.column);
    if (!column) continue;
    auto checked = check_partition_type(key, table.schema.field(*column).type);
    if (!checked.ok()) error = std::move(checked).error();
  }
  return error;
}

bool has_buckets(const TableDefinition& table) {
  return std::ranges::any_of(table.partition, [](const PartitionKey& key) {
    return key.transform == PartitionKey::Transform::kBucket;
  });
}

std::string layout_text(const TableDefinition& table) {
  std::vector<std::string> keys;
  for (const PartitionKey& key : table.partition)
    keys.push_back(partition_text(key));
  std::string text = keys.empty() ? "no partition" : fmt::format("by {}", fmt::join(keys, ", "));
  if (!table.sort.empty()) text += fmt::format(", sorted by {}", fmt::join(table.sort, ", "));
  return text;
}

}  // namespace

void lay_out(const DatasetConfiguration& dataset, TableDefinition& table) {
  std::ranges::copy_if(dataset.partition,
                       std::back_inserter(table.partition),
                       [&](const PartitionKey& key) { return takes(table, key); });
  std::ranges::copy_if(
      dataset.sort, std::back_inserter(table.sort), [&](const std::string& column) {
        return table.schema.index_of(column).has_value();
      });
}

Result<void> check_layout(const DatasetConfiguration& dataset,
                          std::span<const TableDefinition> tables) {
  const std::string what = fmt::format("dataset '{}', ", dataset.name);
  for (const PartitionKey& key : dataset.partition) {
    const bool somewhere = std::ranges::any_of(
        tables, [&](const TableDefinition& table) { return takes(table, key); });
    if (!somewhere) return why_nowhere(key, tables).with_context(what + "partition: ");
  }
  for (const std::string& column : dataset.sort) {
    const bool somewhere = std::ranges::any_of(tables, [&](const TableDefinition& table) {
      return table.schema.index_of(column).has_value();
    });
    if (!somewhere) TRY_IN(tables.front().schema.require(column), what + "sort: ");
  }
  return {};
}

std::string LayoutChange::text(const std::string& dataset) const {
  std::vector<std::string> tables;
  for (const TableAlteration& one : alter)
    tables.push_back(
        fmt::format("{} {}", layer_name(one.after.name.layer), layout_text(one.after)));
  return fmt::format("lay out {}: {}: {}",
                     dataset,
                     fmt::join(tables, "; "),
                     rewrites ? "its rows are written anew" : "new files");
}

Result<LayoutChange> layout_change(Hub& hub, std::span<const TableDefinition> wanted) {
  LayoutChange change;
  for (const TableDefinition& table : wanted) {
    auto now = TRY(hub.table(table.name, hub.latest_snapshot()));
    if (!now || (now->partition == table.partition && now->sort == table.sort)) continue;
    now->partition = table.partition;
    now->sort = table.sort;
    change.rewrites = change.rewrites || has_buckets(table);
    change.alter.push_back({*std::move(now), {}});
  }
  return change;
}

}  // namespace lockstep
