// The writer's key indexes: loaded when a table is first touched, and kept up with the commits.
#include "hub/hub_over_ducklake.h"
#include "hub/row_places.h"

#include <fmt/format.h>

namespace lockstep {

Result<void> HubOverDuckLake::open_indexes() {
  const std::string folder = paths_.catalog + ".index";
  const std::string hub_id = TRY(records_->hub_id());
  index_folder_ =
      std::make_unique<KeyIndexFolder>(io_, folder, hub_id, TRY(records_->fingerprint_key()));
  index_folder_->limits = options_.index;
  ordered_folder_ = std::make_unique<OrderedIndexFolder>(io_, folder, hub_id, paths_.files);
  std::set<std::int64_t> table_ids;
  for (const auto& [name, state] : states_)
    table_ids.insert(state->lake.id);
  index_folder_->keep_tables(table_ids);
  ordered_folder_->keep_tables(table_ids);
  return {};
}

void HubOverDuckLake::attach_index(TableState& state) {
  state.index.attach(
      *index_folder_, state.lake.id, [this, &state](const TakePlace& take) -> Result<void> {
        return for_each_place(
                   *catalog_,
                   *files_,
                   state.lake,
                   latest_.id,
                   [&](const PlacedRows& placed) -> Result<void> { return placed.each(take); })
            .with_context(table_text(state.lake.definition.name) + ": ");
      });
}

Result<TableState*> HubOverDuckLake::indexed_table(const TableName& name) {
  const auto found = states_.find(name);
  if (found == states_.end()) {
    return make_error(
        Code::kNotFound,
        fmt::format("there is no table {} at snapshot {}", table_text(name), latest_.id));
  }
  if (!found->second->indexed) TRY(load_index(*found->second));
  return found->second.get();
}

Result<void> HubOverDuckLake::load_index(TableState& state) {
  const LakeTable& table = state.lake;
  state.statistics = TRY(load_statistics(*catalog_, table));
  state.has_inlined_deletes = catalog_->table_exists(inlined_deletes_name(table.id));
  state.files.clear();
  for (const DataFile& file : TRY(files_->at(table, latest_.id)))
    state.files[file.id] = file;
  attach_index(state);
  const auto stamp = state.index.load();
  if (stamp && TRY(is_of_this_history(*stamp))) {
    TRY(replay_index(state, *stamp));
  } else {
    state.row_count = TRY_IN(state.index.rebuild(), table_text(table.definition.name) + ": ");
  }
  state.indexed = true;
  return {};
}

// An index from a future that was lost, or of another line of commits, has a stamp that no snapshot
// here bears. So has one whose snapshot expired: what went since may have gone without a trace.
Result<bool> HubOverDuckLake::is_of_this_history(const IndexStamp& stamp) {
  const Cell same = TRY(catalog_->single(
      "SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ? AND snapshot_time = ? AND "
      "next_file_id = ?",
      {stamp.snapshot, lake_time_text({stamp.time_us}), stamp.next_file_id}));
  return !std::holds_alternative<std::monostate>(same);
}

Result<void> HubOverDuckLake::replay_index(TableState& state, const IndexStamp& stamp) {
  KeyIndex& index = state.index;
  const PlaceRange range{
      .from = stamp.snapshot, .to = latest_.id, .new_file_id = stamp.next_file_id};
  const auto make_room = [&] {
    if (index.wants_room()) index.make_room();
  };
  const TakePlaced went = [&](const PlacedRows& placed) -> Result<void> {
    make_room();
    return placed.each([&](std::string_view key, const RowPlace&) -> Result<void> {
      index.erase(key);
      return {};
    });
  };
  const TakePlaced came = [&](const PlacedRows& placed) -> Result<void> {
    make_room();
    return placed.each([&](std::string_view key, const RowPlace& place) -> Result<void> {
      index.set(key, place);
      return {};
    });
  };
  state.row_count = stamp.row_count +
                    TRY(for_each_moved_place(*catalog_, *files_, state.lake, range, {went, came}));
  index.settle(index_stamp(state), SettlePace::kShare);
  return {};
}

IndexStamp HubOverDuckLake::index_stamp(const TableState& state) const {
  return {.snapshot = latest_.id,
          .time_us = latest_.time.us,
          .next_file_id = latest_.next_file_id,
          .row_count = state.row_count};
}

void HubOverDuckLake::drop_state(const TableName& name) {
  const auto found = states_.find(name);
  if (found->second->indexed) found->second->index.discard();
  found->second->ordered.close();
  ordered_folder_->remove(found->second->lake.id);
  states_.erase(found);
}

// The tables of a dataset come to the same number of rows at the same time: one of them a commit
// takes its share of time, the others have their turn behind the next ones.
void HubOverDuckLake::settle_indexes() {
  SettlePace pace = SettlePace::kShare;
  auto next = states_.upper_bound(settled_last_);
  for (std::size_t seen = 0; seen < states_.size(); ++seen, ++next) {
    if (next == states_.end()) next = states_.begin();
    TableState& state = *next->second;
    if (!state.indexed) continue;
    state.ordered.settle(index_stamp(state));
    if (!state.index.settle(index_stamp(state), pace)) continue;
    settled_last_ = next->first;
    pace = SettlePace::kNone;
  }
}

// What is in memory would be replayed at the next start: less work now.
void HubOverDuckLake::close_indexes() {
  // What an open group did is not there (hub-11), and a load that is not committed has no place
  // here.
  if (broken_ || transaction_ != nullptr || load_) return;
  for (const auto& [name, state] : states_) {
    if (!state->indexed) continue;
    state->index.settle(index_stamp(*state), SettlePace::kAll);
    state->ordered.settle(index_stamp(*state), true);
  }
}

}  // namespace lockstep
