#include "hub/garbage.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

// Whether any retained snapshot lies in [begin_snapshot, end_snapshot) of the row named.
std::string retained(const char* row) {
  return fmt::format(
      "EXISTS (SELECT 1 FROM ducklake_snapshot r WHERE r.snapshot_id >= {0}.begin_snapshot AND "
      "r.snapshot_id < {0}.end_snapshot)",
      row);
}

Result<std::int64_t> single_count(Catalog& catalog,
                                  const std::string& sql,
                                  std::initializer_list<Cell> values) {
  const Cell cell = TRY(catalog.single(sql, values));
  const auto* number = std::get_if<std::int64_t>(&cell);
  return number == nullptr ? std::int64_t{0} : *number;
}

// Deletes the rows that `chosen` selects by their places.
Result<std::int64_t> remove_chosen(Catalog& catalog,
                                   const std::string& table,
                                   const std::string& chosen,
                                   std::initializer_list<Cell> values) {
  const std::int64_t count =
      TRY(single_count(catalog, fmt::format("SELECT count(*) FROM ({})", chosen), values));
  if (count == 0) return count;
  Statement* row = TRY(catalog.cached(
      fmt::format("DELETE FROM {} WHERE _rowid_ IN ({})", quote_identifier(table), chosen)));
  TRY(row->run(values));
  return count;
}

struct EndedFile {
  std::int64_t id = 0;
  std::int64_t table_id = 0;
  std::string path;
  bool is_relative = true;
};

// Rows of data files or of delete files, with the paths from the data path on.
Result<std::vector<EndedFile>> files_of(Catalog& catalog,
                                        const std::string& kind,
                                        const std::string& condition,
                                        std::initializer_list<Cell> values) {
  Statement* row = TRY(catalog.cached(fmt::format(
      "SELECT f.{0}_file_id, f.table_id, CASE WHEN f.path_is_relative = 0 THEN f.path ELSE s.path "
      "|| t.path || f.path END, f.path_is_relative FROM ducklake_{0}_file f JOIN ducklake_table t "
      "ON t.table_id = f.table_id JOIN ducklake_schema s ON s.schema_id = t.schema_id WHERE {1} "
      "GROUP BY f.{0}_file_id LIMIT ?1",
      kind,
      condition)));
  int parameter = 0;
  for (const Cell& value : values)
    row->bind(parameter++, value);
  std::vector<EndedFile> files;
  while (TRY(row->step())) {
    files.push_back({.id = row->integer(0),
                     .table_id = row->integer(1),
                     .path = std::string(row->text(2)),
                     .is_relative = row->is_null(3) || row->integer(3) != 0});
  }
  row->reset();
  return files;
}

Result<void> retire_delete_file(Catalog& catalog, const EndedFile& file, Timestamp now) {
  TRY(schedule_file(catalog, file.id, file.path, file.is_relative, now));
  Statement* row = TRY(catalog.cached("DELETE FROM ducklake_delete_file WHERE delete_file_id = ?"));
  return row->run({file.id});
}

constexpr std::int64_t kDeletesMax = 1'000;

Result<void> forget_data_file(Catalog& catalog, const EndedFile& file, Timestamp now) {
  TRY(retire_delete_files(catalog, file.id, now));
  for (const char* table : {"ducklake_file_column_stats",
                            "ducklake_file_variant_stats",
                            "ducklake_file_partition_value",
                            "ducklake_data_file"}) {
    Statement* row =
        TRY(catalog.cached(fmt::format("DELETE FROM {} WHERE data_file_id = ?", table)));
    TRY(row->run({file.id}));
  }
  return schedule_file(catalog, file.id, file.path, file.is_relative, now);
}

// Its deletes in the catalog may be many: then only some of those go.
Result<std::int64_t> retire_data_file(Catalog& catalog, const EndedFile& file, Timestamp now) {
  const std::int64_t gone = TRY(remove_deletes(catalog, {file.id, file.table_id}, kDeletesMax));
  if (gone == kDeletesMax) return gone;
  TRY(forget_data_file(catalog, file, now));
  return std::int64_t{1};
}

Result<void> forget_table(Catalog& catalog, std::int64_t table_id) {
  TRY(catalog.execute(fmt::format("DROP TABLE IF EXISTS {}", inlined_deletes_name(table_id))));
  for (const char* table : {"ducklake_inlined_data_tables",
                            "ducklake_schema_versions",
                            "ducklake_table_stats",
                            "ducklake_table_column_stats",
                            "ducklake_partition_info",
                            "ducklake_partition_column",
                            "ducklake_sort_info",
                            "ducklake_sort_expression",
                            "ducklake_column",
                            "ducklake_table",
                            "lockstep_table"}) {
    Statement* row = TRY(catalog.cached(fmt::format("DELETE FROM {} WHERE table_id = ?", table)));
    TRY(row->run({table_id}));
  }
  Statement* tags = TRY(catalog.cached("DELETE FROM ducklake_tag WHERE object_id = ?"));
  return tags->run({table_id});
}

}  // namespace

Result<void> remove_snapshots(Catalog& catalog, const std::vector<std::int64_t>& ids) {
  for (const char* table : {"ducklake_snapshot", "ducklake_snapshot_changes"}) {
    Statement* row =
        TRY(catalog.cached(fmt::format("DELETE FROM {} WHERE snapshot_id = ?", table)));
    for (const std::int64_t id : ids)
      TRY(row->run({id}));
  }
  return {};
}

Result<std::int64_t> remove_dead_inlined(Catalog& catalog,
                                         const std::string& inlined,
                                         std::int64_t kept_from,
                                         std::int64_t row_count_max) {
  return remove_chosen(
      catalog,
      inlined,
      fmt::format("SELECT i._rowid_ FROM {} i WHERE i.end_snapshot <= ?2 AND NOT {} LIMIT ?1",
                  quote_identifier(inlined),
                  retained("i")),
      {row_count_max, kept_from});
}

Result<std::int64_t> retire_files(Catalog& catalog,
                                  std::int64_t kept_from,
                                  Timestamp now,
                                  std::int64_t file_count_max) {
  const std::string ended = "f.end_snapshot <= ?2 AND NOT " + retained("f");
  std::int64_t gone = 0;
  for (const EndedFile& file :
       TRY(files_of(catalog, "delete", ended, {file_count_max, kept_from}))) {
    TRY(retire_delete_file(catalog, file, now));
    ++gone;
  }
  if (gone > 0) return gone;
  for (const EndedFile& file : TRY(files_of(catalog, "data", ended, {file_count_max, kept_from})))
    gone += TRY(retire_data_file(catalog, file, now));
  return gone;
}

Result<void> retire_file(Catalog& catalog, const LeavingFile& file, Timestamp now) {
  for (const EndedFile& found :
       TRY(files_of(catalog, "data", "f.data_file_id = ?2", {std::int64_t{1}, file.id}))) {
    TRY(forget_data_file(catalog, found, now));
  }
  return {};
}

Result<void> retire_delete_files(Catalog& catalog, std::int64_t data_file_id, Timestamp now) {
  for (const EndedFile& file :
       TRY(files_of(catalog, "delete", "f.data_file_id = ?2", {kDeletesMax, data_file_id}))) {
    TRY(retire_delete_file(catalog, file, now));
  }
  return {};
}

Result<std::vector<LeavingFile>> files_with_left_deletes(Catalog& catalog, std::int64_t table_id) {
  std::vector<LeavingFile> files;
  const std::string deletes = inlined_deletes_name(table_id);
  if (!catalog.table_exists(deletes)) return files;
  Statement* row = TRY(catalog.cached(fmt::format(
      "SELECT DISTINCT s.data_file_id FROM ducklake_files_scheduled_for_deletion s WHERE EXISTS "
      "(SELECT 1 FROM {} d WHERE d.file_id = s.data_file_id) AND NOT EXISTS (SELECT 1 FROM "
      "ducklake_data_file f WHERE f.data_file_id = s.data_file_id)",
      deletes)));
  while (TRY(row->step()))
    files.push_back({.id = row->integer(0), .table_id = table_id});
  row->reset();
  return files;
}

Result<std::int64_t> remove_deletes(Catalog& catalog,
                                    const LeavingFile& file,
                                    std::int64_t row_count_max) {
  const std::string deletes = inlined_deletes_name(file.table_id);
  if (!catalog.table_exists(deletes)) return std::int64_t{0};
  return remove_chosen(catalog,
                       deletes,
                       fmt::format("SELECT _rowid_ FROM {} WHERE file_id = ?1 LIMIT ?2", deletes),
                       {file.id, row_count_max});
}

Result<std::int64_t> retire_dropped_table(Catalog& catalog, std::int64_t row_count_max) {
  const std::int64_t table_id = TRY(single_count(
      catalog,
      fmt::format(
          "SELECT t.table_id FROM ducklake_table t GROUP BY t.table_id HAVING max(CASE WHEN "
          "t.end_snapshot IS NULL OR {} THEN 1 ELSE 0 END) = 0 AND NOT EXISTS (SELECT 1 "
          "FROM ducklake_data_file f WHERE f.table_id = t.table_id) LIMIT 1",
          retained("t")),
      {}));
  if (table_id == 0) return std::int64_t{0};
  for (const InlinedTable& inlined : TRY(inlined_tables(catalog, table_id))) {
    const std::int64_t gone = TRY(remove_chosen(
        catalog,
        inlined.name,
        fmt::format("SELECT _rowid_ FROM {} LIMIT ?1", quote_identifier(inlined.name)),
        {row_count_max}));
    if (gone == row_count_max) return gone;
    TRY(catalog.execute(fmt::format("DROP TABLE {}", quote_identifier(inlined.name))));
  }
  TRY(forget_table(catalog, table_id));
  return std::int64_t{1};
}

Result<std::vector<ScheduledFile>> scheduled_files(Catalog& catalog, std::int64_t count_max) {
  Statement* row =
      TRY(catalog.cached("SELECT _rowid_, path, path_is_relative, schedule_start FROM "
                         "ducklake_files_scheduled_for_deletion ORDER BY _rowid_ LIMIT ?"));
  row->bind_integer(0, count_max);
  std::vector<ScheduledFile> files;
  while (TRY(row->step())) {
    const Value since =
        TRY_IN(parse_value(row->text(3), Type::kTimestamp), "a file scheduled for deletion: ");
    files.push_back({.place = row->integer(0),
                     .path = std::string(row->text(1)),
                     .is_relative = row->is_null(2) || row->integer(2) != 0,
                     .since = std::get<Timestamp>(since)});
  }
  row->reset();
  return files;
}

Result<void> schedule_file(Catalog& catalog,
                           std::int64_t file_id,
                           const std::string& path,
                           bool is_relative,
                           Timestamp now) {
  Statement* row = TRY(catalog.cached(
      "INSERT INTO ducklake_files_scheduled_for_deletion(data_file_id, path, path_is_relative, "
      "schedule_start) VALUES (?, ?, ?, ?)"));
  return row->run({file_id, path, std::int64_t{is_relative ? 1 : 0}, lake_time_text(now)});
}

Result<void> forget_scheduled(Catalog& catalog, const std::vector<ScheduledFile>& files) {
  Statement* row =
      TRY(catalog.cached("DELETE FROM ducklake_files_scheduled_for_deletion WHERE _rowid_ = ?"));
  for (const ScheduledFile& file : files)
    TRY(row->run({file.place}));
  return {};
}

}  // namespace lockstep
