#include "hub/delete_file.h"

#include "hub/inlined_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

constexpr std::int64_t kRowsAtOnce = 65'536;

// Each with the snapshot at which its row went: one without would be told again by every later
// change feed.
Result<ParquetFileInfo> write_rows(Io& io,
                                   const std::string& path,
                                   const std::string& data_file,
                                   std::span<const std::int64_t> ends) {
  const std::vector<ParquetColumn> columns = {
      {{"file_path", Type::kText}, kDeletedPathField, {}},
      {{"pos", Type::kInt}, kDeletePositionField, {}},
      {{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}}};
  const auto writer = TRY(open_parquet_writer(io, path, columns));
  const Schema schema({columns[0].field, columns[1].field, columns[2].field});
  std::size_t position = 0;
  while (position < ends.size()) {
    BatchBuilder deletes(schema);
    std::int64_t count = 0;
    for (; position < ends.size() && count < kRowsAtOnce; ++position) {
      if (ends[position] == StoredRows::kAlive) continue;
      deletes.append_text(0, data_file);
      deletes.append_int(1, static_cast<std::int64_t>(position));
      deletes.append_int(2, ends[position]);
      deletes.append_sign(1);
      ++count;
    }
    if (count > 0) TRY(writer->write(TRY(deletes.finish())));
  }
  return writer->finish();
}

}  // namespace

Result<std::optional<WrittenDeletes>> write_deletes(Io& io,
                                                    const std::string& folder,
                                                    const std::string& data_file,
                                                    std::span<const std::int64_t> ends) {
  std::optional<WrittenDeletes> written;
  for (const std::int64_t end : ends) {
    if (end == StoredRows::kAlive) continue;
    if (!written) {
      written.emplace();
      written->first = end;
    }
    written->first = std::min(written->first, end);
    written->last = std::max(written->last, end);
  }
  if (!written) return written;
  written->name = fmt::format("lockstep-{}-delete.parquet", random_uuid(io));
  written->path = folder + written->name;
  auto info = write_rows(io, written->path, data_file, ends);
  if (!info.ok()) {
    // A file that no row names costs space and nothing else, so the first error is the one to tell.
    static_cast<void>(io.remove(written->path));
    return std::move(info).error();
  }
  written->info = std::move(info).value();
  return written;
}

Result<void> insert_delete_file(Catalog& catalog,
                                std::int64_t table_id,
                                const DeleteFileIds& ids,
                                const WrittenDeletes& deletes) {
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_delete_file(delete_file_id, table_id, begin_snapshot, data_file_id, "
      "path, path_is_relative, format, delete_count, file_size_bytes, footer_size, partial_max) "
      "VALUES (?, ?, ?, ?, ?, 1, 'parquet', ?, ?, ?, ?)"));
  return row->run({ids.delete_file,
                   table_id,
                   deletes.first,
                   ids.data_file,
                   deletes.name,
                   deletes.info.row_count,
                   static_cast<std::int64_t>(deletes.info.size_bytes),
                   static_cast<std::int64_t>(deletes.info.footer_bytes),
                   deletes.last});
}

}  // namespace lockstep
