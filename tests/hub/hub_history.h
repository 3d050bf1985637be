// Random histories of a hub beside a model of it: what every snapshot must hold, as a map in
// memory.
#pragma once

#include "hub/hub_support.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

using ModelRow = std::vector<Value>;
using ModelTable = std::map<std::int64_t, ModelRow>;  // by the key `id`
using ModelHub = std::map<TableName, ModelTable>;

class RandomHistory {
 public:
  RandomHistory(Hub& hub, std::uint64_t seed) : hub_(&hub), random_(seed) {}

  void use(Hub& hub) { hub_ = &hub; }

  // Sees each request, and may add to it; `after` is what the tables hold when it is done.
  std::function<void(CommitRequest& request, const ModelHub& after)> before_commit;

  // One commit: both tables in the first, then inserts, updates and deletes of either or both.
  void commit() {
    CommitRequest request;
    ModelHub next = now_;
    if (snapshots_.empty()) {
      for (const TableDefinition& table : definitions()) {
        request.create.push_back(table);
        next[table.name];
      }
    } else if (below(12) == 0) {
      const TableDefinition table = definitions()[below(2)];
      request.drop.push_back(table.name);
      request.create.push_back(table);
      next[table.name].clear();
    }
    for (const TableDefinition& table : definitions()) {
      if (!snapshots_.empty() && below(4) == 0) continue;
      const bool replaced = !request.drop.empty() && request.drop.front() == table.name;
      Batch rows = change(next[table.name], replaced);
      if (rows.row_count() > 0) request.changes.push_back({table.name, rows});
    }
    request.message = "step " + std::to_string(snapshots_.size());
    if (before_commit) before_commit(request, next);
    const Committed done = must(hub_->commit(request));
    if (done.snapshot) {
      now_ = next;
      snapshots_[number(*done.snapshot)] = now_;
    }
  }

  // A few steps of compaction, with files as small as they get: what each snapshot holds stays.
  void compact() {
    const CompactionLimits limits{.rows_min = 1,
                                  .rows_max = 1 + static_cast<std::int64_t>(below(12)),
                                  .older_rows_min = 1 + static_cast<std::int64_t>(below(3)),
                                  .files_min = 1 + static_cast<std::int64_t>(below(4)),
                                  .background = below(2) == 0};
    for (std::size_t steps = 1 + below(4); steps > 0; --steps)
      must(hub_->compact(limits));
  }

  // A round that keeps few snapshots; those that went leave the model too.
  void collect() {
    CollectionLimits limits{
        .policy = {.snapshots_max = 1 + static_cast<std::int64_t>(below(12)), .then_us = 0},
        .grace_us = 0};
    if (below(3) == 0 && !snapshots_.empty()) {
      auto kept = snapshots_.begin();
      std::advance(kept, below(snapshots_.size()));
      must(hub_->set_tag("kept", SnapshotId{kept->first}, "test"));
    }
    while (must(hub_->collect(limits)).more) {
      // Compaction that is underway comes first.
      must(hub_->compact({.rows_min = 1'000'000}));
    }
    std::erase_if(snapshots_,
                  [&](const auto& one) { return !must(hub_->is_retained(SnapshotId{one.first})); });
  }

  static std::vector<TableDefinition> definitions() {
    TableDefinition clean = all_types();
    clean.name = {Layer::kClean, "odd \"name\""};
    return {all_types(), clean};
  }

  const std::map<std::int64_t, ModelHub>& snapshots() const { return snapshots_; }

  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

 private:
  // Changes the model, and returns the signed rows that do so to the hub.
  Batch change(ModelTable& table, bool only_inserts) {
    BatchBuilder rows(all_types().schema);
    if (!only_inserts && !table.empty() && below(6) == 0) remove_range(table, rows);
    const std::size_t count = 1 + below(below(3) == 0 ? 40 : 4);
    std::set<std::int64_t> touched = removed_;
    removed_.clear();
    for (std::size_t index = 0; index < count; ++index) {
      const std::int64_t id = static_cast<std::int64_t>(below(60)) - 5;
      if (!touched.insert(id).second) continue;
      const auto found = table.find(id);
      const bool there = found != table.end();
      if (there) rows.append_row(found->second, -1);
      if (there && below(2) == 0) {
        table.erase(found);
      } else {
        ModelRow row = random_row(id);
        rows.append_row(row, 1);
        table[id] = row;
      }
    }
    return must(rows.finish());
  }

  // A run of ids at once, so that whole files lose their rows.
  void remove_range(ModelTable& table, BatchBuilder& rows) {
    const bool all = below(2) == 0;
    for (auto row = table.begin(); row != table.end();) {
      if (!all && row->first % 4 == 0) {
        ++row;
        continue;
      }
      rows.append_row(row->second, -1);
      removed_.insert(row->first);
      row = table.erase(row);
    }
  }

  ModelRow random_row(std::int64_t id) {
    static const std::vector<double> kFloats = {
        0.0, -0.0, 1.5, -2.25, 1e300, 5e-324, 0.1, 123456789.125};
    static const std::vector<std::string> kTexts = {
        "", "a", "it's", "\"q\"", "é", "日本", "line\nbreak", "NULL", "nan"};
    ModelRow row = {Value{id},
                    Value{below(2) == 0},
                    Value{kFloats[below(kFloats.size())]},
                    Value{kTexts[below(kTexts.size())]},
                    Value{Date{static_cast<std::int32_t>(below(60'000)) - 20'000}},
                    Value{Timestamp{static_cast<std::int64_t>(random_() % 4'000'000'000'000'000) -
                                    1'000'000'000'000'000}}};
    if (below(8) == 0) row[2] = std::numeric_limits<double>::quiet_NaN();
    if (below(12) == 0) row[2] = below(2) == 0 ? INFINITY : -INFINITY;
    for (std::size_t column = 1; column < row.size(); ++column) {
      if (below(6) == 0) row[column] = Value{};
    }
    return row;
  }

  Hub* hub_;
  std::mt19937_64 random_;
  ModelHub now_;
  std::set<std::int64_t> removed_;
  std::map<std::int64_t, ModelHub> snapshots_;
};

}  // namespace lockstep
