// Foreign commits as a source: the rows of raw that another program changed go through the steps,
// and models learn them, in one commit of ours that follows theirs.
#include "sync/engine.h"
#include "sync/plan.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

std::string adoption_text(const std::vector<CommitRecord>& foreign) {
  const std::int64_t first = number(*foreign.front().snapshot);
  const std::int64_t last = number(*foreign.back().snapshot);
  return first == last ? fmt::format("adopt snapshot {}", first)
                       : fmt::format("adopt snapshots {} to {}", first, last);
}

}  // namespace

Result<void> HubEngine::adopt_foreign() {
  if (!configuration_.hub.adopt_foreign || !TRY(hub_->has_foreign_commits())) return {};
  const std::vector<CommitRecord> foreign = TRY(hub_->foreign_commits());
  if (flows_.empty()) TRY(open_known_flows());
  CommitRequest request;
  request.kind = CommitKind::kForeign;
  request.message = adoption_text(foreign);
  request.adopt = foreign;
  const std::vector<CommitRecord> last = TRY(hub_->commits({.count = 1}));
  const CommitId adopting{number(last.front().id) + 1 + static_cast<std::int64_t>(foreign.size())};
  const SnapshotId before{number(*foreign.front().snapshot) - 1};
  TRY(refuse_unknown_datasets(before));
  // Everything that can be refused is done before the first model folds anything.
  std::map<std::string, DatasetChange> changes;
  for (const auto& [name, flow] : flows_) {
    const TableName raw = flow->table(Layer::kRaw);
    const Batch delta = TRY(hub_->changes(raw, before, hub_->latest_snapshot()));
    if (delta.row_count() == 0) continue;
    const ForeignRows rows{delta, adopting, *foreign.back().snapshot};
    changes.emplace(name, TRY_IN(flow->adopt(*hub_, rows), request.message));
  }
  for (auto& [name, change] : changes) {
    adopted_counts_.add(change.counts);
    // Rows that were left out of clean, and name all that raw wants, ask for nothing more.
    if (change.tables.empty()) continue;
    ModelChange for_models;
    for_models.train = change.train;
    for_models.snapshot = hub_->next_snapshot();
    for (TableChange& table : change.tables)
      request.changes.push_back(std::move(table));
    TRY(add_models(name, for_models, request));
  }
  TRY(commit(request));
  for (const CommitRecord& commit : foreign)
    adopted_.push_back(number(*commit.snapshot));
  owed_versions_.insert(owed_versions_.end(), request.versions.begin(), request.versions.end());
  log_.info(request.message);
  return {};
}

// The datasets that the hub has, as the configuration in force prepares them: their tables stand.
Result<void> HubEngine::open_known_flows() {
  const Plan plan = TRY(make_plan(*hub_, configuration_));
  if (plan.needs_apply() || plan.has_alterations()) {
    return make_error(
        Code::kRefused,
        fmt::format("there are foreign commits to adopt, and lockstep.yaml changed:\n{}",
                    plan.text()),
        "adopt them with the configuration as it was, then change it");
  }
  for (const DatasetConfiguration& dataset : configuration_.datasets) {
    const TableName raw{Layer::kRaw, dataset.name};
    if (!TRY(hub_->table(raw, hub_->latest_snapshot()))) continue;
    flows_[dataset.name] = TRY(DatasetFlow::make(dataset, TRY(known_columns(*hub_, dataset))));
  }
  return open_tracks();
}

Result<void> HubEngine::refuse_unknown_datasets(SnapshotId before) {
  const SnapshotId head = hub_->latest_snapshot();
  for (const TableDefinition& table : TRY(hub_->tables(head))) {
    if (table.name.layer != Layer::kRaw || flows_.contains(table.name.dataset)) continue;
    const Batch change = TRY(hub_->changes(table.name, before, head));
    if (change.row_count() == 0) continue;
    return make_error(Code::kRefused,
                      fmt::format("foreign commits changed {}, and lockstep.yaml has no dataset {}",
                                  table_text(table.name),
                                  table.name.dataset),
                      "put the dataset back, or undo what they changed");
  }
  return {};
}

}  // namespace lockstep
