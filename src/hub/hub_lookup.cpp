#include "hub/asked_keys.h"
#include "hub/hub_over_ducklake.h"
#include "hub/inlined_rows.h"

#include <algorithm>
#include <tuple>

namespace lockstep {

Result<Lookup> HubOverDuckLake::fetch_places(TableState& state, const FoundPlaces& places) {
  std::vector<std::size_t> order;
  for (std::size_t asked = 0; asked < places.size(); ++asked) {
    if (places[asked]) order.push_back(asked);
  }
  // By place, so that each row group is decoded once.
  const auto rank = [&](std::size_t asked) {
    const RowPlace& place = *places[asked];
    return std::tuple(place.file_id, place.position, place.row_id);
  };
  std::sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return rank(left) < rank(right);
  });
  Lookup found;
  found.row_of_key.assign(places.size(), -1);
  if (order.empty()) {
    found.rows = Batch::empty(state.lake.definition.schema);
    return found;
  }
  BatchBuilder rows(state.lake.definition.schema);
  const RowPlace* last = nullptr;
  std::int64_t row = -1;
  std::vector<std::int64_t> positions;  // of rows of one file, not read yet
  const auto read_positions = [&]() -> Result<void> {
    if (positions.empty()) return {};
    TRY(files_->fetch(state.lake, state.files.at(last->file_id), positions, {rows, 1}));
    positions.clear();
    return {};
  };
  for (const std::size_t asked : order) {
    const RowPlace& place = *places[asked];
    if (last == nullptr || !(*last == place)) {
      if (last != nullptr && last->file_id != place.file_id) TRY(read_positions());
      if (place.is_inlined()) {
        TRY(state.inlined.read_row(*catalog_, state.lake, place.row_id, rows));
      } else {
        positions.push_back(place.position);
      }
      ++row;
    }
    last = &place;
    found.row_of_key[asked] = row;
  }
  TRY(read_positions());
  found.rows = TRY(rows.finish());
  return found;
}

Result<Lookup> HubOverDuckLake::rows_of_keys(TableState& state, std::span<const std::string> keys) {
  const FoundPlaces places = TRY(state.index.find_all(keys));
  // What was staged last may be on its way to the disk still.
  const auto is_staged = [this](const std::optional<RowPlace>& place) {
    return place && place->file_id >= latest_.next_file_id;
  };
  if (load_ && std::ranges::any_of(places, is_staged)) TRY(load_->settle());
  return fetch_places(state, places);
}

Result<Lookup> HubOverDuckLake::lookup(const TableName& table, const Batch& keys) {
  TRY(check_writable());
  TableState* state = TRY(indexed_table(table));
  const LakeTable& lake = state->lake;
  return rows_of_keys(*state, TRY(asked_keys(lake, lake.definition.key, keys)));
}

}  // namespace lockstep
