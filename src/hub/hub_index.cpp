// The writer's key indexes: made when a table is first touched.
#include "hub/hub_over_ducklake.h"
#include "hub/table_scan.h"

#include <fmt/format.h>

namespace lockstep {

Result<TableState*> HubOverDuckLake::indexed_table(const TableName& name) {
  const auto found = states_.find(name);
  if (found == states_.end()) {
    return make_error(
        Code::kNotFound,
        fmt::format("there is no table {} at snapshot {}", table_text(name), latest_.id));
  }
  if (!found->second->indexed) TRY(build_index(*found->second));
  return found->second.get();
}

Result<void> HubOverDuckLake::build_index(TableState& state) {
  const LakeTable& table = state.lake;
  state.statistics = TRY(load_statistics(*catalog_, table));
  state.has_inlined_deletes = catalog_->table_exists(inlined_deletes_name(table.id));
  state.files.clear();
  state.row_count = 0;
  state.index.clear();
  for (const DataFile& file : TRY(files_->at(table, latest_.id)))
    state.files[file.id] = file;
  std::vector<int> key(table.key.size());
  for (std::size_t index = 0; index < key.size(); ++index)
    key[index] = static_cast<int>(index);
  TRY(for_each_place(
      *catalog_, *files_, table, latest_.id, [&](const PlacedRows& placed) -> Result<void> {
        const bool inlined = placed.file_id == RowPlace::kInlined;
        for (std::int64_t row = 0; row < placed.rows.row_count(); ++row) {
          const auto at = static_cast<std::size_t>(row);
          const RowPlace place{
              placed.row_ids[at], placed.file_id, inlined ? 0 : placed.positions[at]};
          const std::string bytes = encode_key(placed.rows, key, row);
          if (TRY(state.index.find(bytes))) {
            return make_error(Code::kCorrupt,
                              fmt::format("{}: {} names two current rows",
                                          table_text(table.definition.name),
                                          key_text(placed.rows, key, row)));
          }
          state.index.set(bytes, place);
          ++state.row_count;
        }
        return {};
      }));
  state.indexed = true;
  return {};
}

}  // namespace lockstep
