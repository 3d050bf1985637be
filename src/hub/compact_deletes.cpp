#include "hub/compact_deletes.h"

#include "hub/garbage.h"
#include "hub/inlined_rows.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

Result<std::int64_t> newest_delete_file(Catalog& catalog, const DataFile& file) {
  const Cell id = TRY(catalog.single(
      "SELECT max(delete_file_id) FROM ducklake_delete_file WHERE data_file_id = ?", {file.id}));
  const auto* number = std::get_if<std::int64_t>(&id);
  return number == nullptr ? std::int64_t{0} : *number;
}

// Another program's files may have what a delete file of ours would lose.
Result<bool> is_plain(Catalog& catalog, const DataFile& file) {
  const Cell other = TRY(catalog.single(
      "SELECT 1 FROM ducklake_data_file f WHERE data_file_id = ?1 AND end_snapshot IS NULL AND "
      "encryption_key IS NULL AND NOT EXISTS (SELECT 1 FROM ducklake_delete_file d WHERE "
      "d.data_file_id = ?1 AND d.end_snapshot IS NOT NULL)",
      {file.id}));
  return !std::holds_alternative<std::monostate>(other);
}

// The oldest deletes in the catalog stay in `ends`; later ones leave it again.
Result<void> choose_oldest(Catalog& catalog,
                           const DeletesWork& work,
                           std::vector<std::int64_t>& ends,
                           MovedDeletes& moved) {
  Statement* row = TRY(catalog.cached(fmt::format(
      "SELECT _rowid_, row_id FROM {} WHERE file_id = ? ORDER BY begin_snapshot, row_id",
      inlined_deletes_name(work.table.id))));
  row->bind_integer(0, work.file.id);
  while (TRY(row->step())) {
    if (std::ssize(moved.places) < work.count_max) {
      moved.places.push_back(row->integer(0));
    } else {
      ends[static_cast<std::size_t>(row->integer(1))] = StoredRows::kAlive;
    }
  }
  row->reset();
  return {};
}

Result<std::vector<std::int64_t>> files_where(Catalog& catalog,
                                              std::int64_t table_id,
                                              const char* condition,
                                              std::int64_t limit) {
  std::vector<std::int64_t> ids;
  const std::string inlined = inlined_deletes_name(table_id);
  if (!catalog.table_exists(inlined)) return ids;
  Statement* rows = TRY(catalog.cached(fmt::format(
      "SELECT f.data_file_id FROM ducklake_data_file f WHERE f.table_id = ?1 AND f.end_snapshot IS "
      "NULL AND {}",
      fmt::format(fmt::runtime(condition), inlined))));
  rows->bind_integer(0, table_id);
  rows->bind_integer(1, limit);
  while (TRY(rows->step()))
    ids.push_back(rows->integer(0));
  rows->reset();
  return ids;
}

constexpr const char* kDeadRows =
    "2 * ((SELECT count(*) FROM {} i WHERE i.file_id = f.data_file_id AND i.begin_snapshot <= ?2) "
    "+ "
    "(SELECT coalesce(sum(d.delete_count), 0) FROM ducklake_delete_file d WHERE d.data_file_id = "
    "f.data_file_id AND d.end_snapshot IS NULL AND coalesce(d.partial_max, d.begin_snapshot) <= "
    "?2)) >= f.record_count";
constexpr const char* kManyDeletes =
    "(SELECT count(*) FROM {} i WHERE i.file_id = f.data_file_id) >= ?2";

}  // namespace

Result<MovedDeletes> write_moved_deletes(Catalog& catalog, const DeletesWork& work) {
  const auto view = TRY(catalog.begin_read());
  MovedDeletes moved;
  if (!TRY(is_plain(catalog, work.file))) return moved;
  moved.replaced = TRY(newest_delete_file(catalog, work.file));
  DataFiles files(catalog, work.io, work.data_path);
  std::vector<std::int64_t> ends(static_cast<std::size_t>(work.file.row_count), StoredRows::kAlive);
  TRY(files.read_ends(work.table, work.file, ends));
  TRY(choose_oldest(catalog, work, ends, moved));
  if (moved.places.empty()) return moved;
  moved.written =
      TRY(write_deletes(work.io, work.data_path + work.table.folder, work.file.path, ends));
  return moved;
}

Result<bool> apply_moved_deletes(Catalog& catalog,
                                 const DeletesWork& work,
                                 const MovedDeletes& moved,
                                 Timestamp now) {
  if (!TRY(is_plain(catalog, work.file))) return false;
  if (TRY(newest_delete_file(catalog, work.file)) != moved.replaced) return false;
  TRY(retire_delete_files(catalog, work.file.id, now));
  TRY(insert_delete_file(
      catalog, work.table.id, {work.file.id, work.delete_file_id}, *moved.written));
  Statement* row = TRY(catalog.cached(
      fmt::format("DELETE FROM {} WHERE _rowid_ = ?", inlined_deletes_name(work.table.id))));
  for (const std::int64_t place : moved.places)
    TRY(row->run({place}));
  return true;
}

Result<FileSurvey> survey_files(Catalog& catalog, const SurveyLimits& limits) {
  const auto view = TRY(catalog.begin_read());
  FileSurvey survey;
  for (const auto& [table, kept_from] : limits.kept_from)
    survey.of_dead_rows[table] = TRY(files_where(catalog, table, kDeadRows, kept_from));
  for (const std::int64_t table : limits.tables) {
    survey.of_many_deletes[table] =
        TRY(files_where(catalog, table, kManyDeletes, limits.deletes_min));
  }
  return survey;
}

}  // namespace lockstep
