#include "hub/compact_flush.h"

#include <fmt/format.h>

#include <map>
#include <numeric>

namespace lockstep {

namespace {

// The stored rows without those that no snapshot has any more, whose places go to `expired`.
Result<std::vector<std::int64_t>> retained_rows(Catalog& catalog,
                                                const StoredRows& stored,
                                                std::vector<std::int64_t>& expired) {
  std::vector<std::int64_t> retained;
  for (std::size_t row = 0; row < stored.places.size(); ++row) {
    if (TRY(is_retained(catalog, stored.begins[row], stored.ends[row]))) {
      retained.push_back(static_cast<std::int64_t>(row));
    } else {
      expired.push_back(stored.places[row]);
    }
  }
  return retained;
}

// A file each, with the rows in their order there.
std::vector<PartitionRows> files_of(const LakeTable& table,
                                    const Batch& rows,
                                    const std::vector<std::int64_t>& chosen) {
  std::vector<PartitionRows> files;
  if (table.partition.empty()) {
    files.emplace_back().places.resize(chosen.size());
    std::iota(files.front().places.begin(), files.front().places.end(), 0);
  } else {
    files = split_rows(table.partition, rows, chosen);
  }
  for (PartitionRows& file : files) {
    if (!table.sort.empty()) sort_places(rows, table.sort, chosen, file.places);
    for (std::int64_t& place : file.places)
      place = chosen[static_cast<std::size_t>(place)];
  }
  return files;
}

Result<void> write_files(const FlushFolder& folder,
                         const StoredRows& stored,
                         const std::vector<std::int64_t>& retained,
                         const FlushLimits& limits,
                         FlushedRows& flushed) {
  const MovedRows all{stored.rows, stored.row_ids, stored.begins, stored.ends};
  const MovedRows moved = select_moved(all, retained);
  const auto groups = generations(moved.row_ids, moved.begins);
  for (std::size_t group = 0; group < groups.size(); ++group) {
    if (group > 0 && static_cast<std::int64_t>(groups[group].size()) < limits.older_rows_min) break;
    for (const PartitionRows& part : files_of(flushed.table, moved.rows, groups[group])) {
      MovedRows rows = select_moved(moved, part.places);
      rows.partition = part.value;
      flushed.files.push_back(TRY(write_moved(folder.io, folder.data_path, flushed.table, rows)));
      std::vector<std::int64_t>& places = flushed.places.emplace_back();
      for (const std::int64_t row : part.places) {
        const std::int64_t stored_row = retained[static_cast<std::size_t>(row)];
        places.push_back(stored.places[static_cast<std::size_t>(stored_row)]);
      }
    }
  }
  return {};
}

// The ends of rows that ended since they were read, by place.
Result<std::map<std::int64_t, std::int64_t>> newer_ends(Catalog& catalog,
                                                        const FlushedRows& flushed) {
  Statement* row = TRY(catalog.cached(
      fmt::format("SELECT _rowid_, end_snapshot FROM {} WHERE end_snapshot > ?1 AND +_rowid_ <= ?2",
                  quote_identifier(flushed.table.inlined))));
  row->bind_integer(0, flushed.read_at);
  row->bind_integer(1, flushed.last_place);
  std::map<std::int64_t, std::int64_t> ends;
  while (TRY(row->step()))
    ends[row->integer(0)] = row->integer(1);
  row->reset();
  return ends;
}

Result<void> insert_ends(Catalog& catalog, const LakeTable& table, const MovedFile& moved) {
  Statement* row = TRY(
      catalog.cached(fmt::format("INSERT INTO {}(file_id, row_id, begin_snapshot) VALUES (?, ?, ?)",
                                 inlined_deletes_name(table.id))));
  for (std::size_t position = 0; position < moved.ends.size(); ++position) {
    if (moved.ends[position] == StoredRows::kAlive) continue;
    TRY(row->run({moved.file.id, static_cast<std::int64_t>(position), moved.ends[position]}));
  }
  return {};
}

Result<void> delete_places(Catalog& catalog,
                           const LakeTable& table,
                           const std::vector<std::int64_t>& places) {
  Statement* row = TRY(catalog.cached(
      fmt::format("DELETE FROM {} WHERE _rowid_ = ?", quote_identifier(table.inlined))));
  for (const std::int64_t place : places)
    TRY(row->run({place}));
  return {};
}

}  // namespace

Result<FlushedRows> write_flush(Catalog& catalog,
                                const FlushFolder& folder,
                                const LakeTable& table,
                                std::int64_t after_place,
                                const FlushLimits& limits) {
  const auto view = TRY(catalog.begin_read());
  FlushedRows flushed;
  flushed.table = table;
  flushed.last_place = after_place;
  flushed.read_at = TRY(newest_snapshot(catalog)).id;
  const StoredRows stored =
      TRY(read_stored(catalog, table, table.inlined, after_place, limits.row_count_max));
  if (stored.places.empty()) return flushed;
  flushed.last_place = stored.places.back();
  const std::vector<std::int64_t> retained = TRY(retained_rows(catalog, stored, flushed.expired));
  if (retained.empty()) return flushed;
  const Result<void> written = write_files(folder, stored, retained, limits, flushed);
  if (!written.ok()) {
    remove_flushed(folder.io, flushed);
    return written.error();
  }
  return flushed;
}

Result<void> apply_flush(Catalog& catalog, FlushedRows& flushed, LakeSnapshot& next) {
  const std::map<std::int64_t, std::int64_t> ended = TRY(newer_ends(catalog, flushed));
  std::int64_t bytes = 0;
  bool any_ends = false;
  for (std::size_t index = 0; index < flushed.files.size(); ++index) {
    MovedFile& moved = flushed.files[index];
    for (std::size_t row = 0; row < moved.ends.size(); ++row) {
      const auto end = ended.find(flushed.places[index][row]);
      if (end != ended.end()) moved.ends[row] = end->second;
      any_ends = any_ends || moved.ends[row] != StoredRows::kAlive;
    }
    bytes += static_cast<std::int64_t>(moved.info.size_bytes);
    TRY(insert_moved(catalog, flushed.table, moved, next.next_file_id++));
  }
  if (any_ends && !catalog.table_exists(inlined_deletes_name(flushed.table.id)))
    TRY(create_inlined_deletes(catalog, flushed.table.id));
  for (std::size_t index = 0; index < flushed.files.size(); ++index) {
    if (any_ends) TRY(insert_ends(catalog, flushed.table, flushed.files[index]));
    TRY(delete_places(catalog, flushed.table, flushed.places[index]));
  }
  TRY(delete_places(catalog, flushed.table, flushed.expired));
  Statement* row = TRY(catalog.cached(
      "UPDATE ducklake_table_stats SET file_size_bytes = file_size_bytes + ? WHERE table_id = ?"));
  return row->run({bytes, flushed.table.id});
}

void remove_flushed(Io& io, const FlushedRows& flushed) {
  for (const MovedFile& moved : flushed.files) {
    // A file that no row names costs space and nothing else.
    static_cast<void>(io.remove(moved.file.path));
  }
}

}  // namespace lockstep
