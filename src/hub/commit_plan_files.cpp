// How the rows that enter a table spread over new files.
#include "hub/commit_plan.h"

#include <fmt/format.h>

#include <numeric>

namespace lockstep {

namespace {

Result<void> check_count(const LakeTable& table, std::size_t count) {
  if (static_cast<std::int64_t>(count) <= kPartitionsMax) return {};
  const PartitionKey& key = table.definition.partition.front();
  return make_error(
      Code::kUnsupported,
      fmt::format("{}: the rows have {} values of its partition, and a commit writes at most {} "
                  "files",
                  table_text(table.definition.name),
                  count,
                  kPartitionsMax),
      fmt::format("partition by fewer values: bucket(16, {})", key.column));
}

}  // namespace

Result<void> plan_files(TablePlan& plan) {
  const LakeTable& table = plan.table->lake;
  const std::size_t count = plan.entering.size();
  const bool all_new = plan.inserted == static_cast<std::int64_t>(count);
  // DuckDB counts whole files on, so that row_id_start + position is nobody's id even without the
  // column.
  if (!all_new) plan.next_row_id = plan.first_row_id + static_cast<std::int64_t>(count);
  std::vector<std::int64_t> rows;
  rows.reserve(count);
  for (const auto& [row, row_id] : plan.entering)
    rows.push_back(row);
  std::vector<PartitionRows> parts;
  if (!table.partition.empty()) {
    parts = split_rows(table.partition, *plan.rows, rows);
    TRY(check_count(table, parts.size()));
  } else {
    parts.emplace_back().places.resize(count);
    std::iota(parts.front().places.begin(), parts.front().places.end(), 0);
  }
  std::vector<std::int64_t> order;
  for (PartitionRows& part : parts) {
    if (!table.sort.empty()) sort_places(*plan.rows, table.sort, rows, part.places);
    PlannedFile file;
    file.first = order.size();
    file.count = part.places.size();
    file.partition = std::move(part.value);
    file.explicit_row_ids = !all_new;
    file.row_id_start = plan.first_row_id + static_cast<std::int64_t>(file.first);
    plan.files.push_back(std::move(file));
    order.insert(order.end(), part.places.begin(), part.places.end());
  }
  if (table.partition.empty() && table.sort.empty()) return {};
  auto entering = std::move(plan.entering);
  auto keys = std::move(plan.entering_keys);
  plan.entering.clear();
  plan.entering_keys.clear();
  for (const std::int64_t place : order) {
    const auto [row, row_id] = entering[static_cast<std::size_t>(place)];
    const std::int64_t next_id =
        plan.first_row_id + static_cast<std::int64_t>(plan.entering.size());
    plan.entering.emplace_back(row, all_new ? next_id : row_id);
    plan.entering_keys.push_back(std::move(keys[static_cast<std::size_t>(place)]));
  }
  return {};
}

}  // namespace lockstep
