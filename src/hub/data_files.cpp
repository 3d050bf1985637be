#include "hub/data_files.h"

#include "hub/lake_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {

namespace {

constexpr std::size_t kCacheBytesMax = std::size_t{256} << 20;
constexpr std::size_t kReadersMax = 256;
// Of pieces that a row was sought in: the next one in one of them reads all of it. A page is forty
// times a row's work, and worth it where changes come close to each other.
constexpr std::size_t kSoughtMax = 64;

constexpr const char* kFileColumns =
    "data_file_id, begin_snapshot, end_snapshot, path, path_is_relative, record_count, "
    "row_id_start, partial_max, "
    "mapping_id, partition_id";

std::optional<std::int64_t> integer_or_null(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

}  // namespace

ParquetWriteOptions write_options(const LakeTable& table) {
  // Of the derived layers single rows are not read: they are made anew from raw.
  constexpr std::int64_t kScannedPageRows = 16'384;
  ParquetWriteOptions options;
  options.sought = table.key;
  const Layer layer = table.definition.name.layer;
  if (layer == Layer::kClean || layer == Layer::kTrain) options.page_rows = kScannedPageRows;
  return options;
}

int group_of_position(const ParquetReader& reader, std::int64_t position) {
  int low = 0;
  int high = reader.row_group_count() - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (reader.row_group_start(middle) <= position) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

std::vector<std::int64_t> rows_there(std::int64_t start,
                                     std::int64_t count,
                                     const std::vector<std::int64_t>& missing) {
  std::vector<std::int64_t> there;
  there.reserve(static_cast<std::size_t>(count));
  auto next = std::lower_bound(missing.begin(), missing.end(), start);
  for (std::int64_t row = 0; row < count; ++row) {
    if (next != missing.end() && *next == start + row) {
      ++next;
    } else {
      there.push_back(row);
    }
  }
  return there;
}

DataFiles::DataFiles(Catalog& catalog, Io& io, std::string data_path)
    : catalog_(catalog), io_(io), data_path_(std::move(data_path)) {
}

std::string DataFiles::path_of(std::string_view relative) const {
  return data_path_ + std::string(relative);
}

Result<std::vector<DataFile>> DataFiles::at(const LakeTable& table, std::int64_t snapshot) {
  return at_either(table, snapshot, snapshot);
}

Result<std::vector<DataFile>> DataFiles::at_either(const LakeTable& table,
                                                   std::int64_t from,
                                                   std::int64_t to) {
  Statement* rows =
      TRY(catalog_.cached(fmt::format("SELECT {} FROM ducklake_data_file WHERE table_id = ?1 AND "
                                      "(begin_snapshot <= ?2 AND (end_snapshot IS NULL "
                                      "OR end_snapshot > ?2) OR begin_snapshot <= ?3 AND "
                                      "(end_snapshot IS NULL OR end_snapshot > ?3)) "
                                      "ORDER BY data_file_id",
                                      kFileColumns)));
  rows->bind_integer(0, table.id);
  rows->bind_integer(1, from);
  rows->bind_integer(2, to);
  std::vector<DataFile> files;
  bool mapped = false;
  while (TRY(rows->step())) {
    const std::string path(rows->text(3));
    const bool relative = rows->is_null(4) || rows->integer(4) != 0;
    mapped = mapped || !rows->is_null(8);
    files.push_back({.id = rows->integer(0),
                     .begin = rows->integer(1),
                     .end = integer_or_null(*rows, 2),
                     .path = relative ? path_of(table.folder + path) : path,
                     .row_count = rows->integer(5),
                     .row_id_start = integer_or_null(*rows, 6).value_or(0),
                     .partial_max = integer_or_null(*rows, 7),
                     .partition_id = integer_or_null(*rows, 9)});
  }
  rows->reset();
  TRY(read_partition_values(catalog_, table.id, files));
  if (!mapped) return files;
  return make_error(Code::kUnsupported,
                    fmt::format("{} has a foreign Parquet file, matched by column names",
                                table_text(table.definition.name)));
}

Result<std::vector<std::int64_t>> DataFiles::later_rows(const DataFile& file,
                                                        std::int64_t snapshot) {
  std::vector<std::int64_t> later;
  if (!file.partial_max || *file.partial_max <= snapshot) return later;
  ParquetReader* reader = TRY(this->reader(file));
  const std::vector<ParquetColumn> columns = {
      {{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}}};
  for (int group = 0; group < reader->row_group_count(); ++group) {
    const Batch rows = TRY(reader->read_row_group(group, columns));
    const std::int64_t start = reader->row_group_start(group);
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (!rows.is_null(0, row) && rows.int_at(0, row) > snapshot) later.push_back(start + row);
    }
  }
  return later;
}

Result<void> DataFiles::each_delete(const DataFile& file,
                                    std::int64_t snapshot,
                                    const std::function<void(std::int64_t, std::int64_t)>& take) {
  Statement* rows = TRY(catalog_.cached(
      "SELECT d.path, d.path_is_relative, s.path || t.path, d.begin_snapshot FROM "
      "ducklake_delete_file d "
      "JOIN ducklake_table t ON t.table_id = d.table_id JOIN ducklake_schema s ON s.schema_id = "
      "t.schema_id "
      "WHERE d.data_file_id = ?1 AND d.begin_snapshot <= ?2 AND (d.end_snapshot IS NULL OR "
      "d.end_snapshot > ?2) "
      "GROUP BY d.delete_file_id"));
  rows->bind_integer(0, file.id);
  rows->bind_integer(1, snapshot);
  std::vector<std::pair<std::string, std::int64_t>> found;
  while (TRY(rows->step())) {
    const std::string path(rows->text(0));
    found.emplace_back(rows->integer(1) != 0 ? path_of(std::string(rows->text(2)) + path) : path,
                       rows->integer(3));
  }
  rows->reset();
  const std::vector<ParquetColumn> columns = {
      {{"pos", Type::kInt}, kDeletePositionField, {}},
      {{kSnapshotIdColumn, Type::kInt}, kSnapshotIdField, {}}};
  for (const auto& [path, begin] : found) {
    const auto deletes = TRY_IN(open_parquet_reader(io_, path), "a delete file: ");
    for (int group = 0; group < deletes->row_group_count(); ++group) {
      const Batch read = TRY(deletes->read_row_group(group, columns));
      for (std::int64_t row = 0; row < read.row_count(); ++row)
        take(read.int_at(0, row), read.is_null(1, row) ? begin : read.int_at(1, row));
    }
  }
  return {};
}

Result<void> DataFiles::read_ends(const LakeTable& table,
                                  const DataFile& file,
                                  std::vector<std::int64_t>& ends) {
  LOCKSTEP_ASSERT(static_cast<std::int64_t>(ends.size()) == file.row_count,
                  "hub: ends of other rows than a file has");
  bool inside = true;
  const auto take = [&](std::int64_t position, std::int64_t snapshot) {
    inside = inside && position >= 0 && position < file.row_count;
    if (inside) ends[static_cast<std::size_t>(position)] = snapshot;
  };
  TRY(each_delete(file, std::numeric_limits<std::int64_t>::max() - 1, take));
  const std::string inlined = inlined_deletes_name(table.id);
  if (catalog_.table_exists(inlined)) {
    Statement* rows = TRY(catalog_.cached(
        fmt::format("SELECT row_id, begin_snapshot FROM {} WHERE file_id = ?", inlined)));
    rows->bind_integer(0, file.id);
    while (TRY(rows->step()))
      take(rows->integer(0), rows->integer(1));
    rows->reset();
  }
  if (inside) return {};
  return make_error(Code::kCorrupt,
                    fmt::format("a delete of a row that data file {} does not have", file.id));
}

Result<DataFiles::Deletes> DataFiles::inlined_deletes(const LakeTable& table,
                                                      std::int64_t snapshot) {
  Deletes deletes;
  const std::string inlined = inlined_deletes_name(table.id);
  if (!catalog_.table_exists(inlined)) return deletes;
  Statement* rows = TRY(catalog_.cached(
      fmt::format("SELECT file_id, row_id FROM {} WHERE begin_snapshot <= ?", inlined)));
  rows->bind_integer(0, snapshot);
  // The deletes of one file often stand together.
  auto last = deletes.end();
  while (TRY(rows->step())) {
    const std::int64_t file = rows->integer(0);
    if (last == deletes.end() || last->first != file) last = deletes.try_emplace(file).first;
    last->second.push_back(rows->integer(1));
  }
  rows->reset();
  return deletes;
}

Result<std::vector<std::int64_t>> DataFiles::missing(const LakeTable& table,
                                                     const DataFile& file,
                                                     std::int64_t snapshot,
                                                     const Deletes* known) {
  std::vector<std::int64_t> positions = TRY(later_rows(file, snapshot));
  TRY(each_delete(file, snapshot, [&](std::int64_t position, std::int64_t at) {
    if (at <= snapshot) positions.push_back(position);
  }));
  const std::string inlined = inlined_deletes_name(table.id);
  if (known != nullptr) {
    const auto found = known->find(file.id);
    if (found != known->end())
      positions.insert(positions.end(), found->second.begin(), found->second.end());
  } else if (catalog_.table_exists(inlined)) {
    Statement* rows = TRY(catalog_.cached(
        fmt::format("SELECT row_id FROM {} WHERE file_id = ? AND begin_snapshot <= ?", inlined)));
    rows->bind_integer(0, file.id);
    rows->bind_integer(1, snapshot);
    while (TRY(rows->step()))
      positions.push_back(rows->integer(0));
    rows->reset();
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return positions;
}

Result<bool> DataFiles::differs(const LakeTable& table,
                                const DataFile& file,
                                std::int64_t from,
                                std::int64_t to) {
  if (file.partial_max && *file.partial_max > from) return true;
  const Cell in_files = TRY(catalog_.single(
      "SELECT 1 FROM ducklake_delete_file WHERE data_file_id = ?1 AND begin_snapshot <= ?3 AND "
      "(begin_snapshot > ?2 OR end_snapshot > ?2 OR partial_max > ?2) LIMIT 1",
      {file.id, from, to}));
  if (!std::holds_alternative<std::monostate>(in_files)) return true;
  const std::string inlined = inlined_deletes_name(table.id);
  if (!catalog_.table_exists(inlined)) return false;
  const Cell deleted =
      TRY(catalog_.single(fmt::format("SELECT 1 FROM {} WHERE file_id = ? AND begin_snapshot > ? "
                                      "AND begin_snapshot <= ? LIMIT 1",
                                      inlined),
                          {file.id, from, to}));
  return !std::holds_alternative<std::monostate>(deleted);
}

Result<FileDifference> DataFiles::difference(const LakeTable& table,
                                             const DataFile& file,
                                             std::int64_t from,
                                             std::int64_t to) {
  LOCKSTEP_ASSERT(file.valid_at(from) || file.valid_at(to), "hub: a file of neither snapshot");
  FileDifference difference;
  if (!file.valid_at(from)) {
    difference.came = rows_there(0, file.row_count, TRY(missing(table, file, to)));
    return difference;
  }
  if (!file.valid_at(to)) {
    difference.went = rows_there(0, file.row_count, TRY(missing(table, file, from)));
    return difference;
  }
  if (!TRY(differs(table, file, from, to))) return difference;
  const auto before = TRY(missing(table, file, from));
  const auto after = TRY(missing(table, file, to));
  std::ranges::set_difference(after, before, std::back_inserter(difference.went));
  std::ranges::set_difference(before, after, std::back_inserter(difference.came));
  return difference;
}

Result<ParquetReader*> DataFiles::reader(const DataFile& file) {
  const auto known = readers_.find(file.id);
  if (known != readers_.end()) return known->second.get();
  // Open files are a bounded resource; dropping all of them now and then costs a footer each.
  if (readers_.size() >= kReadersMax) readers_.clear();
  auto reader = TRY_IN(open_parquet_reader(io_, file.path), fmt::format("data file {}: ", file.id));
  if (reader->row_count() != file.row_count) {
    return make_error(
        Code::kCorrupt,
        fmt::format(
            "{} has {} rows, the catalog says {}", file.path, reader->row_count(), file.row_count));
  }
  return readers_.emplace(file.id, std::move(reader)).first->second.get();
}

const DataFiles::Piece* DataFiles::find_piece(const PieceKey& key) {
  const auto known = piece_at_.find(key);
  if (known == piece_at_.end()) return nullptr;
  pieces_.splice(pieces_.begin(), pieces_, known->second);
  return &pieces_.front();
}

bool DataFiles::was_sought_lately(const PieceKey& key) {
  if (std::ranges::find(sought_, key) != sought_.end()) return true;
  sought_.push_back(key);
  if (sought_.size() > kSoughtMax) sought_.pop_front();
  return false;
}

Result<const DataFiles::Piece*> DataFiles::read_piece(const LakeTable& table,
                                                      const DataFile& file,
                                                      const PieceKey& key) {
  ParquetReader* reader = TRY(this->reader(file));
  Batch rows = TRY(reader->read_piece({.start = key.start, .count = key.count}, table.columns));
  if (key.count == 1) {
    // A row in Arrow arrays takes many times the memory of its cells.
    BatchBuilder builder(rows.schema());
    builder.append_row_from(rows, 0, 1);
    rows = TRY(builder.finish());
  }
  const std::size_t bytes = rows.memory_bytes();
  pieces_.push_front({key, std::move(rows), bytes});
  piece_at_[key] = pieces_.begin();
  cached_bytes_ += bytes;
  while (cached_bytes_ > kCacheBytesMax && pieces_.size() > 1) {
    const Piece& oldest = pieces_.back();
    cached_bytes_ -= oldest.bytes;
    piece_at_.erase(oldest.key);
    pieces_.pop_back();
  }
  return &pieces_.front();
}

Result<const DataFiles::Piece*> DataFiles::piece(const LakeTable& table,
                                                 const DataFile& file,
                                                 std::span<const std::int64_t> positions) {
  const std::int64_t position = positions.front();
  ParquetReader* reader = TRY(this->reader(file));
  const RowRange range = reader->piece_at(position);
  const PieceKey whole{file.id, range.start, table.begin, range.count};
  if (const Piece* known = find_piece(whole); known != nullptr) return known;
  const PieceKey row{file.id, position, table.begin, 1};
  const bool alone = positions.size() == 1 || !range.holds(positions[1]);
  if (!alone || !reader->has_pages()) return read_piece(table, file, whole);
  if (const Piece* known = find_piece(row); known != nullptr) return known;
  return read_piece(table, file, was_sought_lately(whole) ? whole : row);
}

Result<void> DataFiles::fetch(const LakeTable& table,
                              const DataFile& file,
                              std::span<const std::int64_t> positions,
                              SignedRows out) {
  while (!positions.empty()) {
    LOCKSTEP_ASSERT(positions.front() >= 0, "hub: a negative position in a file");
    LOCKSTEP_ASSERT(positions.front() < file.row_count, "hub: a position behind the end of a file");
    const Piece* piece = TRY(this->piece(table, file, positions));
    const RowRange range{.start = piece->key.start, .count = piece->key.count};
    while (!positions.empty() && range.holds(positions.front())) {
      out.rows.append_row_from(piece->rows, positions.front() - range.start, out.sign);
      positions = positions.subspan(1);
    }
  }
  return {};
}

}  // namespace lockstep
