#include "hub/compact_merge.h"

#include "hub/garbage.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace lockstep {

namespace {

// Rows of all sources, one source after another.
struct Lives {
  std::vector<std::int64_t> starts;  // of each source, and the end of all
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
};

using Rows = std::vector<std::int64_t>;  // indexes into Lives, rising

std::int64_t at(const std::vector<std::int64_t>& numbers, std::int64_t index) {
  return numbers[static_cast<std::size_t>(index)];
}

Result<void> read_life(DataFiles& files,
                       const LakeTable& table,
                       const DataFile& file,
                       Lives& lives) {
  const std::vector<ParquetColumn> columns = {
      {{kRowIdColumn, Type::kInt}, kRowIdField, {}},
      {{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}}};
  ParquetReader* reader = TRY(files.reader(file));
  for (int group = 0; group < reader->row_group_count(); ++group) {
    const Batch read = TRY(reader->read_row_group(group, columns));
    const std::int64_t start = reader->row_group_start(group);
    for (std::int64_t row = 0; row < read.row_count(); ++row) {
      lives.row_ids.push_back(read.is_null(0, row) ? file.row_id_start + start + row
                                                   : read.int_at(0, row));
      lives.begins.push_back(read.is_null(1, row) ? file.begin : read.int_at(1, row));
    }
  }
  std::vector<std::int64_t> ends(static_cast<std::size_t>(file.row_count), StoredRows::kAlive);
  TRY(files.read_ends(table, file, ends));
  lives.ends.insert(lives.ends.end(), ends.begin(), ends.end());
  lives.starts.push_back(static_cast<std::int64_t>(lives.ends.size()));
  return {};
}

// Files of other programs may have what a merged file of ours would lose.
Result<bool> are_plain(Catalog& catalog, const std::vector<DataFile>& sources) {
  for (const DataFile& file : sources) {
    const Cell other = TRY(catalog.single(
        "SELECT 1 FROM ducklake_data_file f WHERE data_file_id = ?1 AND (end_snapshot IS NOT NULL "
        "OR encryption_key IS NOT NULL OR EXISTS (SELECT 1 FROM "
        "ducklake_delete_file d WHERE d.data_file_id = ?1 AND d.end_snapshot IS NOT NULL))",
        {file.id}));
    if (!std::holds_alternative<std::monostate>(other)) return false;
  }
  return true;
}

Result<Rows> retained_rows(Catalog& catalog, const Lives& lives) {
  Rows kept;
  for (std::size_t row = 0; row < lives.ends.size(); ++row) {
    if (TRY(is_retained(catalog, lives.begins[row], lives.ends[row])))
      kept.push_back(static_cast<std::int64_t>(row));
  }
  return kept;
}

std::vector<std::int64_t> chosen_of(const std::vector<std::int64_t>& numbers, const Rows& rows) {
  std::vector<std::int64_t> chosen;
  chosen.reserve(rows.size());
  for (const std::int64_t row : rows)
    chosen.push_back(at(numbers, row));
  return chosen;
}

// Rows of one new file each.
std::vector<Rows> grouped(const Lives& lives, const Rows& kept) {
  if (kept.empty()) return {};
  const std::vector<std::int64_t> row_ids = chosen_of(lives.row_ids, kept);
  std::vector<std::int64_t> sorted = row_ids;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) == sorted.end()) return {kept};
  std::vector<Rows> groups = generations(row_ids, chosen_of(lives.begins, kept));
  for (Rows& group : groups)
    group = chosen_of(kept, group);
  return groups;
}

constexpr std::size_t kSortedRowsAtOnce = 100'000;

// The rows of all sources, as Lives counts them.
Result<Batch> read_sources(DataFiles& files,
                           const MergeWork& work,
                           std::span<const ParquetColumn> columns) {
  std::vector<Field> fields;
  for (const ParquetColumn& column : columns)
    fields.push_back(column.field);
  std::vector<Batch> read;
  for (const DataFile& source : work.sources) {
    ParquetReader* reader = TRY(files.reader(source));
    for (int group = 0; group < reader->row_group_count(); ++group)
      read.push_back(TRY(reader->read_row_group(group, columns)));
  }
  return concatenate(Schema(std::move(fields)), read);
}

// Puts the rows of each new file into the table's order.
Result<void> sort_groups(DataFiles& files, const MergeWork& work, std::vector<Rows>& groups) {
  if (work.table.sort.empty()) return {};
  std::vector<ParquetColumn> columns;
  std::vector<int> all;
  for (const int index : work.table.sort) {
    all.push_back(static_cast<int>(columns.size()));
    columns.push_back(work.table.columns[static_cast<std::size_t>(index)]);
  }
  const Batch values = TRY(read_sources(files, work, columns));
  for (Rows& rows : groups) {
    std::vector<std::int64_t> places(rows.size());
    std::iota(places.begin(), places.end(), 0);
    sort_places(values, all, rows, places);
    rows = chosen_of(rows, places);
  }
  return {};
}

class FileOfMerge {
 public:
  FileOfMerge(DataFiles& files, const MergeWork& work, const Lives& lives)
      : files_(files), work_(work), lives_(lives) {}

  // Removes what it wrote when it fails.
  Result<MergedFiles::File> write(const Rows& rows) {
    Result<void> written = write_rows(rows);
    if (written.ok()) written = write_ends(rows);
    if (written.ok()) written = work_.io.sync_directory(folder());
    if (written.ok()) return std::move(out_);
    // Files that no row names cost space and nothing else.
    static_cast<void>(work_.io.remove(out_.moved.file.path));
    if (out_.deletes) static_cast<void>(work_.io.remove(out_.deletes->path));
    return std::move(written).error();
  }

  // Current rows, by key; their file's id must be given before.
  std::vector<KeyEntry>* entries = nullptr;
  std::int64_t file_id = 0;

 private:
  const PartitionValue& partition() const { return work_.sources.front().partition; }

  // Within the table's folder.
  std::string below() const { return partition_folder(work_.table.partition, partition()); }

  std::string folder() const { return work_.data_path + work_.table.folder + below(); }

  Result<void> open(const Rows& rows) {
    MovedFile& moved = out_.moved;
    const std::vector<std::int64_t> begins = chosen_of(lives_.begins, rows);
    const std::vector<std::int64_t> row_ids = chosen_of(lives_.row_ids, rows);
    const auto [first, last] = std::ranges::minmax(begins);
    moved.file.begin = first;
    if (first != last) moved.file.partial_max = last;
    moved.file.row_count = static_cast<std::int64_t>(rows.size());
    moved.file.row_id_start = row_ids.front();
    moved.names_row_ids = !runs_on(row_ids);
    const std::string name = fmt::format("lockstep-{}.parquet", random_uuid(work_.io));
    moved.name = below() + name;
    TRY(work_.io.make_directories(folder()));
    moved.file.path = folder() + name;
    moved.file.partition_id = work_.sources.front().partition_id;
    moved.file.partition = partition();
    std::vector<ParquetColumn> columns = work_.table.columns;
    if (moved.names_row_ids) columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField, {}});
    if (moved.file.partial_max)
      columns.push_back({{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}});
    writer_ =
        TRY(open_parquet_writer(work_.io, moved.file.path, columns, write_options(work_.table)));
    return {};
  }

  Result<void> write_rows(const Rows& rows) {
    TRY(open(rows));
    if (work_.table.sort.empty()) {
      TRY(write_in_turn(rows));
    } else {
      TRY(write_sorted(rows));
    }
    out_.moved.info = TRY(writer_->finish());
    LOCKSTEP_ASSERT(out_.moved.info.row_count == out_.moved.file.row_count,
                    "hub: a merged file has other rows than were moved");
    return {};
  }

  Result<void> write_in_turn(const Rows& rows) {
    auto next = rows.begin();
    for (std::size_t source = 0; source < work_.sources.size(); ++source) {
      const auto end = std::lower_bound(next, rows.end(), lives_.starts[source + 1]);
      TRY(write_source(source, {next, end}));
      next = end;
    }
    return {};
  }

  Result<void> write_sorted(const Rows& rows) {
    const Batch values = TRY(read_sources(files_, work_, work_.table.columns));
    for (std::size_t first = 0; first < rows.size(); first += kSortedRowsAtOnce) {
      const std::size_t count = std::min(kSortedRowsAtOnce, rows.size() - first);
      const std::span<const std::int64_t> part = std::span(rows).subspan(first, count);
      TRY(write_part(values.select_rows(part), {part.begin(), part.end()}));
    }
    return {};
  }

  Result<void> write_source(std::size_t source, std::span<const std::int64_t> rows) {
    const DataFile& file = work_.sources[source];
    const std::int64_t first = lives_.starts[source];
    while (!rows.empty()) {
      ParquetReader* reader = TRY(files_.reader(file));
      const int group = group_of_position(*reader, rows.front() - first);
      const std::int64_t start = first + reader->row_group_start(group);
      const Batch read = TRY(reader->read_row_group(group, work_.table.columns));
      const auto behind = std::ranges::lower_bound(rows, start + read.row_count());
      const auto part = rows.first(static_cast<std::size_t>(behind - rows.begin()));
      std::vector<std::int64_t> chosen;
      chosen.reserve(part.size());
      for (const std::int64_t row : part)
        chosen.push_back(row - start);
      const bool all = static_cast<std::int64_t>(part.size()) == read.row_count();
      TRY(write_part(all ? read : read.select_rows(chosen), {part.begin(), part.end()}));
      rows = rows.subspan(part.size());
    }
    return {};
  }

  Result<void> write_part(const Batch& values, const Rows& rows) {
    for (std::size_t row = 0; row < rows.size(); ++row)
      TRY(add_entry(values, rows[row], static_cast<std::int64_t>(row)));
    written_ += values.row_count();
    Batch batch = values;
    if (out_.moved.names_row_ids)
      batch = TRY(with_numbers(batch, kRowIdColumn, chosen_of(lives_.row_ids, rows)));
    if (out_.moved.file.partial_max)
      batch = TRY(with_numbers(batch, kSnapshotIdColumn, chosen_of(lives_.begins, rows)));
    return writer_->write(batch);
  }

  Result<void> add_entry(const Batch& values, std::int64_t life, std::int64_t row) {
    if (entries == nullptr || at(lives_.ends, life) != StoredRows::kAlive) return {};
    const RowPlace place{
        .row_id = at(lives_.row_ids, life), .file_id = file_id, .position = written_ + row};
    if (!fits_entry(place)) return make_error(Code::kUnsupported, "row or file ids beyond 2^40");
    const KeyHash key = work_.index.hash(encode_key(values, work_.table.key, row));
    entries->push_back(entry_of(key, place));
    return {};
  }

  Result<void> write_ends(const Rows& rows) {
    out_.moved.ends = chosen_of(lives_.ends, rows);
    const std::string folder = work_.data_path + work_.table.folder;
    out_.deletes = TRY(write_deletes(work_.io, folder, out_.moved.file.path, out_.moved.ends));
    return {};
  }

  DataFiles& files_;
  const MergeWork& work_;
  const Lives& lives_;
  MergedFiles::File out_;
  std::unique_ptr<ParquetWriter> writer_;
  std::int64_t written_ = 0;
};

Result<KeyRunInfo> write_run(const MergeWork& work, std::vector<KeyEntry>& entries) {
  std::ranges::sort(entries, {}, &KeyEntry::key);
  const auto same = std::ranges::adjacent_find(entries, std::ranges::equal_to{}, &KeyEntry::key);
  if (same != entries.end()) {
    return make_error(Code::kCorrupt,
                      fmt::format("merging {}: a key names two current rows",
                                  table_text(work.table.definition.name)));
  }
  const auto writer = TRY(work.index.create_run(work.table.id));
  for (const KeyEntry& entry : entries)
    TRY(writer->add(entry));
  return writer->finish();
}

void fill_moved_to(const Lives& lives, const Rows& rows, MergedFiles& merged) {
  for (const DataFile& source : merged.sources) {
    merged.moved_to.emplace_back(static_cast<std::size_t>(source.row_count),
                                 MergedFiles::kElsewhere);
  }
  for (std::size_t position = 0; position < rows.size(); ++position) {
    const auto behind = std::ranges::upper_bound(lives.starts, rows[position]);
    const auto source = static_cast<std::size_t>(behind - lives.starts.begin()) - 1;
    merged.moved_to[source][static_cast<std::size_t>(rows[position] - lives.starts[source])] =
        static_cast<std::int64_t>(position);
  }
}

Result<void> write_files(const Rows& kept,
                         DataFiles& files,
                         const MergeWork& work,
                         const Lives& lives,
                         MergedFiles& merged) {
  std::vector<Rows> groups = grouped(lives, kept);
  const bool fewer = 2 * groups.size() <= work.sources.size();
  const bool smaller = 2 * kept.size() <= lives.ends.size();
  merged.is_worth = fewer || (smaller && groups.size() <= work.sources.size());
  if (!merged.is_worth) return {};
  TRY(sort_groups(files, work, groups));
  std::vector<KeyEntry> entries;
  for (const Rows& rows : groups) {
    FileOfMerge file(files, work, lives);
    file.file_id = work.first_file_id;
    if (merged.files.empty()) file.entries = &entries;
    merged.files.push_back(TRY(file.write(rows)));
    MovedFile& moved = merged.files.back().moved;
    moved.file.id = work.first_file_id + 2 * static_cast<std::int64_t>(merged.files.size() - 1);
  }
  fill_moved_to(lives, groups.empty() ? Rows{} : groups.front(), merged);
  if (entries.empty()) return {};
  merged.places.emplace();
  merged.places->file_id = work.first_file_id;
  merged.places->run = TRY(write_run(work, entries));
  return {};
}

struct NewerDelete {
  std::int64_t place = 0;     // SQLite's rowid
  std::int64_t position = 0;  // in the first file
  std::int64_t snapshot = 0;
};

// Deletes that came since the sources were read: they are of rows that are in the first file.
Result<std::vector<NewerDelete>> newer_deletes(Catalog& catalog, const MergedFiles& merged) {
  std::vector<NewerDelete> newer;
  const std::string inlined = inlined_deletes_name(merged.table.id);
  if (merged.files.empty() || !catalog.table_exists(inlined)) return newer;
  Statement* rows = TRY(catalog.cached(
      fmt::format("SELECT _rowid_, row_id, begin_snapshot FROM {} WHERE file_id = ? AND "
                  "begin_snapshot > ?",
                  inlined)));
  for (std::size_t source = 0; source < merged.sources.size(); ++source) {
    rows->bind_integer(0, merged.sources[source].id);
    rows->bind_integer(1, merged.read_at);
    while (TRY(rows->step())) {
      const std::int64_t position = at(merged.moved_to[source], rows->integer(1));
      LOCKSTEP_ASSERT(position != MergedFiles::kElsewhere,
                      "hub: a row ended that had ended before");
      newer.push_back({rows->integer(0), position, rows->integer(2)});
    }
    rows->reset();
  }
  return newer;
}

Result<void> move_newer_deletes(Catalog& catalog, const MergedFiles& merged) {
  const std::vector<NewerDelete> newer = TRY(newer_deletes(catalog, merged));
  Statement* move = nullptr;
  for (const NewerDelete& one : newer) {
    if (move == nullptr) {
      move =
          TRY(catalog.cached(fmt::format("UPDATE {} SET file_id = ?, row_id = ? WHERE _rowid_ = ?",
                                         inlined_deletes_name(merged.table.id))));
    }
    TRY(move->run({merged.files.front().moved.file.id, one.position, one.place}));
  }
  return {};
}

// A transaction has time to move so many deletes one by one. The rest goes into the delete file,
// which is written anew as long as more than these came meanwhile.
constexpr std::size_t kNewerDeletesMax = 100;
constexpr int kCatchUpsMax = 8;

Result<bool> catch_up(Catalog& catalog, const MergeWork& work, MergedFiles& merged) {
  const auto view = TRY(catalog.begin_read());
  const std::vector<NewerDelete> newer = TRY(newer_deletes(catalog, merged));
  if (newer.size() <= kNewerDeletesMax) return false;
  MergedFiles::File& first = merged.files.front();
  for (const NewerDelete& one : newer)
    first.moved.ends[static_cast<std::size_t>(one.position)] = one.snapshot;
  auto deletes = TRY(write_deletes(
      work.io, work.data_path + work.table.folder, first.moved.file.path, first.moved.ends));
  std::swap(first.deletes, deletes);
  // A file that no row names costs space and nothing else.
  if (deletes) static_cast<void>(work.io.remove(deletes->path));
  merged.read_at = TRY(newest_snapshot(catalog)).id;
  TRY(work.io.sync_directory(work.data_path + work.table.folder));
  return true;
}

// Only at first the catalog is looked at, since a view of it holds its log from being moved.
Result<void> write_all(Catalog& catalog, const MergeWork& work, MergedFiles& merged) {
  auto view = TRY(catalog.begin_read());
  merged.read_at = TRY(newest_snapshot(catalog)).id;
  if (!TRY(are_plain(catalog, work.sources))) return {};
  DataFiles files(catalog, work.io, work.data_path);
  Lives lives{.starts = {0}, .row_ids = {}, .begins = {}, .ends = {}};
  for (const DataFile& source : work.sources)
    TRY(read_life(files, work.table, source, lives));
  const Rows kept = TRY(retained_rows(catalog, lives));
  view.reset();
  TRY(write_files(kept, files, work, lives, merged));
  for (int round = 0; round < kCatchUpsMax; ++round) {
    if (!TRY(catch_up(catalog, work, merged))) break;
  }
  return {};
}

}  // namespace

Result<MergedFiles> write_merge(Catalog& catalog, const MergeWork& work) {
  MergedFiles merged;
  merged.table = work.table;
  merged.sources = work.sources;
  const Result<void> written = write_all(catalog, work, merged);
  if (written.ok()) return merged;
  remove_merged(work, merged);
  return written.error();
}

Result<bool> apply_merge(Catalog& catalog, MergedFiles& merged, Timestamp now) {
  merged.grown_bytes = 0;
  for (const DataFile& source : merged.sources) {
    const Cell size =
        TRY(catalog.single("SELECT file_size_bytes FROM ducklake_data_file WHERE "
                           "data_file_id = ? AND end_snapshot IS NULL",
                           {source.id}));
    const auto* number = std::get_if<std::int64_t>(&size);
    if (number == nullptr) return false;
    merged.grown_bytes -= *number;
  }
  if (!merged.files.empty()) TRY(move_newer_deletes(catalog, merged));
  for (const DataFile& source : merged.sources)
    TRY(retire_file(catalog, {source.id, merged.table.id}, now));
  for (MergedFiles::File& file : merged.files) {
    TRY(insert_moved(catalog, merged.table, file.moved, file.moved.file.id));
    if (file.deletes)
      TRY(insert_delete_file(
          catalog, merged.table.id, {file.moved.file.id, file.moved.file.id + 1}, *file.deletes));
    merged.grown_bytes += static_cast<std::int64_t>(file.moved.info.size_bytes);
  }
  Statement* row = TRY(catalog.cached(
      "UPDATE ducklake_table_stats SET file_size_bytes = file_size_bytes + ? WHERE table_id = ?"));
  TRY(row->run({merged.grown_bytes, merged.table.id}));
  return true;
}

void remove_merged(const MergeWork& work, const MergedFiles& merged) {
  for (const MergedFiles::File& file : merged.files) {
    // Files that no row names cost space and nothing else.
    static_cast<void>(work.io.remove(file.moved.file.path));
    if (file.deletes) static_cast<void>(work.io.remove(file.deletes->path));
  }
  if (merged.places) work.index.remove_run(merged.table.id, merged.places->run.id);
}

}  // namespace lockstep
