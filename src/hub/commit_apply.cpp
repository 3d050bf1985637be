#include "hub/commit_apply.h"

#include "hub/lake_layout.h"
#include "hub/moved_rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep {

namespace {

Result<ParquetFileInfo> write_rows(Io& io,
                                   const std::string& path,
                                   const TablePlan& plan,
                                   const PlannedFile& file) {
  std::vector<std::int64_t> chosen;
  std::vector<std::int64_t> row_ids;
  for (const auto& [row, row_id] : std::span(plan.entering).subspan(file.first, file.count)) {
    chosen.push_back(row);
    row_ids.push_back(row_id);
  }
  Batch rows = plan.rows->select_rows(chosen);
  std::vector<ParquetColumn> columns = plan.table->lake.columns;
  if (file.explicit_row_ids) {
    rows = TRY(with_numbers(rows, kRowIdColumn, row_ids));
    columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField, {}});
  }
  auto writer = TRY(open_parquet_writer(io, path, columns, write_options(plan.table->lake)));
  TRY(writer->write(rows));
  return writer->finish();
}

Result<void> insert_deletes(Catalog& catalog, const TablePlan& plan, std::int64_t snapshot) {
  if (plan.deleted.empty()) return {};
  const std::int64_t table_id = plan.table->lake.id;
  if (!plan.table->has_inlined_deletes) TRY(create_inlined_deletes(catalog, table_id));
  Statement* row = TRY(
      catalog.cached(fmt::format("INSERT INTO {}(file_id, row_id, begin_snapshot) VALUES (?, ?, ?)",
                                 inlined_deletes_name(table_id))));
  for (const auto& [file_id, position] : plan.deleted)
    TRY(row->run({file_id, position, snapshot}));
  return {};
}

Result<void> end_files(Catalog& catalog, const TablePlan& plan, std::int64_t snapshot) {
  for (const std::int64_t file_id : plan.ended_files) {
    Statement* data =
        TRY(catalog.cached("UPDATE ducklake_data_file SET end_snapshot = ? WHERE data_file_id = ? "
                           "AND end_snapshot IS NULL"));
    TRY(data->run({snapshot, file_id}));
    Statement* deletes =
        TRY(catalog.cached("UPDATE ducklake_delete_file SET end_snapshot = ? WHERE data_file_id = "
                           "? AND end_snapshot IS NULL"));
    TRY(deletes->run({snapshot, file_id}));
  }
  return {};
}

}  // namespace

Result<void> insert_data_file(Catalog& catalog,
                              const LakeTable& table,
                              const WrittenFile& written) {
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_data_file(data_file_id, table_id, begin_snapshot, path, "
      "path_is_relative, file_format, "
      "record_count, file_size_bytes, row_id_start, partition_id) VALUES (?, ?, ?, ?, 1, "
      "'parquet', ?, ?, ?, ?)"));
  TRY(row->run({written.file.id,
                table.id,
                written.file.begin,
                written.name,
                written.file.row_count,
                static_cast<std::int64_t>(written.info.size_bytes),
                written.file.row_id_start,
                written.file.partition_id ? Cell{*written.file.partition_id} : Cell{}}));
  TRY(insert_partition_value(catalog, table.id, written.file));
  return insert_file_statistics(catalog, table, written.file.id, written.info);
}

namespace {

Result<WrittenFile> write_data_file(Io& io,
                                    const std::string& data_path,
                                    const TablePlan& plan,
                                    const PlannedFile& file) {
  const LakeTable& table = plan.table->lake;
  WrittenFile written;
  const std::string below = partition_folder(table.partition, file.partition);
  written.name = below + file.name;
  const std::string folder = data_path + table.folder + below;
  if (!plan.table->folders.contains(folder)) TRY(io.make_directories(folder));
  plan.table->folders.insert(folder);
  written.file.path = folder + file.name;
  auto info = write_rows(io, written.file.path, plan, file);
  if (!info.ok()) {
    // A file that no row names costs space and nothing else, so the first error is the one to tell.
    static_cast<void>(io.remove(written.file.path));
    return std::move(info).error().with_context(
        fmt::format("{}: ", table_text(table.definition.name)));
  }
  written.info = std::move(info).value();
  LOCKSTEP_ASSERT(written.info.row_count == static_cast<std::int64_t>(file.count),
                  "hub: a data file has other rows than its commit");
  written.file.id = file.id;
  written.file.row_count = written.info.row_count;
  written.file.row_id_start = file.row_id_start;
  if (!table.partition.empty()) written.file.partition_id = table.partition.id;
  written.file.partition = file.partition;
  return written;
}

}  // namespace

Result<WrittenFiles> write_data_files(Io& io,
                                      const std::string& data_path,
                                      const TablePlan& plan,
                                      std::int64_t snapshot) {
  LOCKSTEP_ASSERT(!plan.files.empty(), "hub: inlined rows are to be written to a file");
  WrittenFiles files;
  for (const PlannedFile& planned : plan.files) {
    auto written = write_data_file(io, data_path, plan, planned);
    if (!written.ok()) {
      // The first error is the one to tell; a file that no row names costs space and nothing else.
      for (const WrittenFile& file : files)
        static_cast<void>(io.remove(file.file.path));
      return std::move(written).error();
    }
    files.push_back(std::move(written).value());
    files.back().file.begin = snapshot;
  }
  return files;
}

std::vector<DataFile> data_files_of(const WrittenFiles& written) {
  std::vector<DataFile> files;
  for (const WrittenFile& file : written)
    files.push_back(file.file);
  return files;
}

TableStatistics statistics_after(const TablePlan& plan, const WrittenFiles& files) {
  TableStatistics after = plan.table->statistics;
  after.stored = after.stored || !plan.entering.empty();
  after.record_count += static_cast<std::int64_t>(plan.entering.size());
  after.next_row_id = plan.next_row_id;
  for (const WrittenFile& file : files)
    after.file_bytes += static_cast<std::int64_t>(file.info.size_bytes);
  for (std::size_t column = 0; column < after.columns.size(); ++column) {
    for (const WrittenFile& file : files)
      after.columns[column].widen(bounds_of(file.info.columns[column]));
    if (!files.empty()) continue;
    for (const auto& [row, row_id] : plan.entering)
      widen(after.columns[column], *plan.rows, static_cast<int>(column), row);
  }
  return after;
}

Result<void> apply_table(Catalog& catalog,
                         const TablePlan& plan,
                         const WrittenFiles& files,
                         std::int64_t snapshot) {
  const LakeTable& table = plan.table->lake;
  InlinedWriter& inlined = plan.table->inlined;
  TRY(inlined.end(catalog, table, plan.ended_inlined, snapshot));
  TRY(insert_deletes(catalog, plan, snapshot));
  TRY(end_files(catalog, plan, snapshot));
  for (const WrittenFile& file : files)
    TRY(insert_data_file(catalog, table, file));
  if (!files.empty()) return {};
  if (plan.entering.empty()) return {};
  return inlined.insert(catalog, table, *plan.rows, plan.entering, snapshot);
}

Result<void> apply_models(RecordStore& records,
                          LateRecords& late,
                          const CommitRequest& request,
                          Timestamp time) {
  for (const DefinitionRecord& definition : request.definitions)
    TRY(records.add_definition(definition));
  for (const ModelVersionRecord& version : request.versions)
    TRY(records.add_version(version));
  for (AliasEvent event : request.aliases) {
    event.time = time;
    TRY(records.add_alias_event(event));
  }
  for (const ModelStateRecord& state : request.model_states)
    late.put(state);
  return {};
}

Result<void> apply_records(RecordStore& records,
                           LateRecords& late,
                           const CommitRequest& request,
                           const CommitRecord& commit) {
  for (std::size_t index = 0; index < request.adopt.size(); ++index) {
    CommitRecord adopted = request.adopt[index];
    adopted.id =
        CommitId{number(commit.id) - static_cast<std::int64_t>(request.adopt.size() - index)};
    TRY(records.insert_commit(adopted));
  }
  TRY(records.insert_commit(commit));
  // What stood before must not come back behind it.
  if (!request.forget_positions.empty()) TRY(late.tell(records));
  for (const std::string& source : request.forget_positions)
    TRY(records.forget_positions(source));
  for (const auto& [source, parts] : request.positions) {
    for (const auto& [part, position] : parts)
      late.put(PositionRecord{source, part, position, commit.id});
  }
  TRY(apply_models(records, late, request, commit.time));
  for (const OverrideRecord& added : request.add_overrides)
    TRY(records.add_override(added));
  for (const OverrideRecord& removed : request.remove_overrides) {
    TRY(records.remove_override(removed.dataset, removed.key));
  }
  if (request.configuration) TRY(records.put_configuration(*request.configuration));
  return {};
}

std::string models_json(const std::vector<ModelVersionRecord>& versions) {
  if (versions.empty()) return {};
  nlohmann::json models = nlohmann::json::array();
  for (const ModelVersionRecord& version : versions) {
    models.push_back({{"model", version.model}, {"version", version.version}});
  }
  return nlohmann::json{{"models", std::move(models)}}.dump();
}

}  // namespace lockstep
