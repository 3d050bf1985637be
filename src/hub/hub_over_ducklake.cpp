#include "hub/hub_over_ducklake.h"

#include "hub/table_scan.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

Result<std::int64_t> single_integer(Catalog& catalog,
                                    const std::string& sql,
                                    std::initializer_list<Cell> values) {
  const Cell cell = TRY(catalog.single(sql, values));
  const std::int64_t* number = std::get_if<std::int64_t>(&cell);
  return number == nullptr ? std::int64_t{0} : *number;
}

}  // namespace

Result<void> HubOverDuckLake::check_snapshot(SnapshotId at) {
  TRY(check_sound());
  if (number(at) == latest_.id) return {};
  const std::int64_t there = TRY(single_integer(
      *catalog_, "SELECT count(*) FROM ducklake_snapshot WHERE snapshot_id = ?", {number(at)}));
  if (there != 0 && number(at) < latest_.id) return {};
  if (number(at) >= 0 && number(at) < latest_.id) {
    return make_error(Code::kNotFound,
                      fmt::format("snapshot {} has expired: the hub keeps it no more", number(at)),
                      "hub: {keep: ...} says what is kept; lockstep tag keeps one snapshot");
  }
  return make_error(
      Code::kNotFound,
      fmt::format("there is no snapshot {}; the newest is {}", number(at), latest_.id));
}

Result<std::vector<LakeTable>> HubOverDuckLake::lake_tables(SnapshotId at) {
  TRY(check_snapshot(at));
  if (number(at) != latest_.id) return load_tables(*catalog_, TRY(records_->tables()), number(at));
  std::vector<LakeTable> tables;
  for (const auto& [name, state] : states_)
    tables.push_back(state->lake);
  return tables;
}

Result<std::optional<LakeTable>> HubOverDuckLake::find_table(const TableName& name, SnapshotId at) {
  const auto current = states_.find(name);
  // A table that is altered begins anew, so that one which began by then is the one that stood
  // then.
  if (current != states_.end() && current->second->lake.begin <= number(at)) {
    TRY(check_snapshot(at));
    return std::optional<LakeTable>(current->second->lake);
  }
  for (LakeTable& table : TRY(lake_tables(at))) {
    if (table.definition.name == name) return std::optional<LakeTable>(std::move(table));
  }
  return std::optional<LakeTable>{};
}

Result<LakeTable> HubOverDuckLake::require_table(const TableName& name, SnapshotId at) {
  auto table = TRY(find_table(name, at));
  if (table) return std::move(*table);
  return make_error(
      Code::kNotFound,
      fmt::format("there is no table {} at snapshot {}", table_text(name), number(at)));
}

Result<std::vector<TableDefinition>> HubOverDuckLake::tables(SnapshotId at) {
  std::vector<TableDefinition> definitions;
  for (LakeTable& table : TRY(lake_tables(at)))
    definitions.push_back(std::move(table.definition));
  return definitions;
}

Result<std::optional<TableDefinition>> HubOverDuckLake::table(const TableName& name,
                                                              SnapshotId at) {
  auto table = TRY(find_table(name, at));
  if (!table) return std::optional<TableDefinition>{};
  return std::optional<TableDefinition>(std::move(table->definition));
}

Result<std::unique_ptr<Scan>> HubOverDuckLake::scan(const TableName& table,
                                                    SnapshotId at,
                                                    const ScanOptions& options) {
  return open_scan(*catalog_, *files_, TRY(require_table(table, at)), number(at), options);
}

Result<std::int64_t> HubOverDuckLake::row_count(const TableName& table, SnapshotId at) {
  // A writer counts once, and then as it goes; amid a load it knows more than the snapshot has.
  if (mode_ == HubMode::kWrite && number(at) == latest_.id && states_.contains(table) && !load_)
    return TRY(indexed_table(table))->row_count;
  const LakeTable lake = TRY(require_table(table, at));
  std::int64_t count = 0;
  const DataFiles::Deletes deletes = TRY(files_->inlined_deletes(lake, number(at)));
  for (const DataFile& file : TRY(files_->at(lake, number(at)))) {
    const auto missing = TRY(files_->missing(lake, file, number(at), &deletes));
    count += file.row_count - static_cast<std::int64_t>(missing.size());
  }
  for (const InlinedTable& inlined : TRY(inlined_tables(*catalog_, lake.id))) {
    count +=
        TRY(single_integer(*catalog_,
                           fmt::format("SELECT count(*) FROM {} WHERE begin_snapshot <= ?1 AND "
                                       "(end_snapshot IS NULL OR end_snapshot > ?1)",
                                       quote_identifier(inlined.name)),
                           {number(at)}));
  }
  return count;
}

Result<DiskUse> HubOverDuckLake::disk_use() {
  DiskUse use;
  use.catalog_bytes = TRY(io_.info(paths_.catalog)).size_bytes;
  const auto log = io_.info(paths_.catalog + "-wal");
  if (log.ok()) {
    use.log_bytes = log.value().size_bytes;
    use.catalog_bytes += use.log_bytes;
  } else if (log.error().code != Code::kNotFound) {
    return log.error();
  }
  const std::int64_t rows_bytes =
      TRY(single_integer(*catalog_, "SELECT sum(file_size_bytes) FROM ducklake_data_file", {}));
  const std::int64_t delete_bytes =
      TRY(single_integer(*catalog_, "SELECT sum(file_size_bytes) FROM ducklake_delete_file", {}));
  use.data_bytes = static_cast<std::uint64_t>(rows_bytes + delete_bytes);
  use.data_files = TRY(single_integer(*catalog_, "SELECT count(*) FROM ducklake_data_file", {}));
  for (const auto& [name, state] : states_) {
    for (const InlinedTable& inlined : TRY(inlined_tables(*catalog_, state->lake.id))) {
      use.inlined_rows += TRY(single_integer(
          *catalog_, fmt::format("SELECT count(*) FROM {}", quote_identifier(inlined.name)), {}));
    }
  }
  return use;
}

}  // namespace lockstep
