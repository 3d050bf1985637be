#include "hub/moved_rows.h"

#include "hub/lake_layout.h"
#include "hub/table_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace lockstep {

namespace {

Result<ParquetFileInfo> write_rows(Io& io,
                                   const LakeTable& table,
                                   const MovedRows& moved,
                                   const MovedFile& written) {
  std::vector<ParquetColumn> columns = table.columns;
  Batch rows = moved.rows;
  if (written.names_row_ids) {
    rows = TRY(with_numbers(rows, kRowIdColumn, moved.row_ids));
    columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField, {}});
  }
  if (written.file.partial_max) {
    rows = TRY(with_numbers(rows, kSnapshotIdColumn, moved.begins));
    columns.push_back({{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}});
  }
  auto writer = TRY(open_parquet_writer(io, written.file.path, columns, write_options(table)));
  TRY(writer->write(rows));
  return writer->finish();
}

}  // namespace

Result<Batch> with_numbers(const Batch& rows,
                           const char* name,
                           const std::vector<std::int64_t>& numbers) {
  BatchBuilder builder(Schema({{name, Type::kInt}}));
  for (const std::int64_t number : numbers) {
    builder.append_int(0, number);
    builder.append_sign(1);
  }
  const Batch column = TRY(builder.finish());
  return rows.with_columns(column);
}

bool runs_on(const std::vector<std::int64_t>& row_ids) {
  for (std::size_t row = 1; row < row_ids.size(); ++row) {
    if (row_ids[row] != row_ids[row - 1] + 1) return false;
  }
  return true;
}

std::vector<std::vector<std::int64_t>> generations(const std::vector<std::int64_t>& row_ids,
                                                   const std::vector<std::int64_t>& begins) {
  std::vector<std::int64_t> newest_first(row_ids.size());
  for (std::size_t row = 0; row < row_ids.size(); ++row)
    newest_first[row] = static_cast<std::int64_t>(row);
  std::stable_sort(newest_first.begin(), newest_first.end(), [&](std::int64_t a, std::int64_t b) {
    return begins[static_cast<std::size_t>(a)] > begins[static_cast<std::size_t>(b)];
  });
  std::unordered_map<std::int64_t, std::size_t> seen;
  std::vector<std::vector<std::int64_t>> groups;
  for (const std::int64_t row : newest_first) {
    const std::size_t generation = seen[row_ids[static_cast<std::size_t>(row)]]++;
    if (generation == groups.size()) groups.emplace_back();
    groups[generation].push_back(row);
  }
  for (std::vector<std::int64_t>& group : groups)
    std::sort(group.begin(), group.end());
  return groups;
}

MovedRows select_moved(const MovedRows& all, const std::vector<std::int64_t>& chosen) {
  MovedRows part;
  part.rows = all.rows.select_rows(chosen);
  for (const std::int64_t row : chosen) {
    const auto at = static_cast<std::size_t>(row);
    part.row_ids.push_back(all.row_ids[at]);
    part.begins.push_back(all.begins[at]);
    part.ends.push_back(all.ends[at]);
  }
  return part;
}

Result<MovedFile> write_moved(Io& io,
                              const std::string& data_path,
                              const LakeTable& table,
                              const MovedRows& moved) {
  LOCKSTEP_ASSERT(!moved.row_ids.empty(), "hub: a file for no rows");
  MovedFile written;
  const auto [first, last] = std::minmax_element(moved.begins.begin(), moved.begins.end());
  written.file.begin = *first;
  if (*first != *last) written.file.partial_max = *last;
  written.file.row_count = moved.rows.row_count();
  written.file.row_id_start = moved.row_ids.front();
  written.names_row_ids = !runs_on(moved.row_ids);
  const std::string below = partition_folder(table.partition, moved.partition);
  const std::string name = fmt::format("lockstep-{}.parquet", random_uuid(io));
  written.name = below + name;
  const std::string folder = data_path + table.folder + below;
  written.file.path = folder + name;
  if (!table.partition.empty()) written.file.partition_id = table.partition.id;
  written.file.partition = moved.partition;
  TRY(io.make_directories(folder));
  auto info = write_rows(io, table, moved, written);
  if (!info.ok()) {
    // A file that no row names costs space and nothing else, so the first error is the one to tell.
    static_cast<void>(io.remove(written.file.path));
    return std::move(info).error().with_context(
        fmt::format("compacting {}: ", table_text(table.definition.name)));
  }
  written.info = std::move(info).value();
  LOCKSTEP_ASSERT(written.info.row_count == moved.rows.row_count(),
                  "hub: a compacted file has other rows than were moved");
  TRY(io.sync_directory(folder));
  for (std::int64_t row = 0; row < moved.rows.row_count(); ++row)
    written.keys.push_back(encode_key(moved.rows, table.key, row));
  written.row_ids = moved.row_ids;
  written.ends = moved.ends;
  return written;
}

Result<void> insert_moved(Catalog& catalog,
                          const LakeTable& table,
                          MovedFile& moved,
                          std::int64_t file_id) {
  moved.file.id = file_id;
  // DuckDB takes a missing start as: the file names every row's id.
  const Cell start = moved.names_row_ids ? Cell{} : Cell{moved.file.row_id_start};
  const Cell newest = moved.file.partial_max ? Cell{*moved.file.partial_max} : Cell{};
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_data_file(data_file_id, table_id, begin_snapshot, path, "
      "path_is_relative, file_format, record_count, file_size_bytes, row_id_start, partial_max, "
      "partition_id) VALUES (?, ?, ?, ?, 1, 'parquet', ?, ?, ?, ?, ?)"));
  TRY(row->run({moved.file.id,
                table.id,
                moved.file.begin,
                moved.name,
                moved.file.row_count,
                static_cast<std::int64_t>(moved.info.size_bytes),
                start,
                newest,
                moved.file.partition_id ? Cell{*moved.file.partition_id} : Cell{}}));
  TRY(insert_partition_value(catalog, table.id, moved.file));
  return insert_file_statistics(catalog, table, moved.file.id, moved.info);
}

Result<bool> is_retained(Catalog& catalog, std::int64_t begin, std::int64_t end) {
  if (end == StoredRows::kAlive) return true;
  const Cell found = TRY(catalog.single(
      "SELECT 1 FROM ducklake_snapshot WHERE snapshot_id >= ?1 AND snapshot_id < ?2 LIMIT 1",
      {begin, end}));
  return !std::holds_alternative<std::monostate>(found);
}

}  // namespace lockstep
