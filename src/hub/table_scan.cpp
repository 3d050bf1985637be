#include "hub/table_scan.h"

#include "hub/inlined_rows.h"
#include "hub/key_index.h"

#include <algorithm>

namespace lockstep {

namespace {

// The rows of [start, start + count) that are not among the missing positions, as indexes from 0.
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

bool any_missing(std::int64_t start, std::int64_t count, const std::vector<std::int64_t>& missing) {
  const auto next = std::lower_bound(missing.begin(), missing.end(), start);
  return next != missing.end() && *next < start + count;
}

class TableScan final : public Scan {
 public:
  TableScan(Catalog& catalog, DataFiles& files, LakeTable table, std::int64_t at)
      : catalog_(catalog), files_(files), table_(std::move(table)), at_(at) {}

  Result<void> open(const ScanOptions& options) {
    LOCKSTEP_ASSERT(options.batch_rows_max > 0, "hub: a scan needs room for a row a batch");
    batch_rows_max_ = options.batch_rows_max;
    if (options.columns.empty()) {
      for (std::size_t index = 0; index < table_.columns.size(); ++index) {
        columns_.push_back(static_cast<int>(index));
      }
    } else {
      columns_ = TRY_IN(table_.definition.schema.require_all(options.columns),
                        table_text(table_.definition.name) + ": ");
    }
    for (const int index : columns_)
      file_columns_.push_back(table_.columns[static_cast<std::size_t>(index)]);
    data_files_ = TRY(files_.at(table_, at_));
    inlined_ = TRY(inlined_tables(catalog_, table_.id));
    return {};
  }

  Result<std::optional<Batch>> next() override {
    while (true) {
      if (pending_.row_count() > pending_offset_) return std::optional<Batch>(take_pending());
      if (file_ < data_files_.size()) {
        TRY(read_group());
      } else if (inlined_table_ < inlined_.size()) {
        TRY(read_page());
      } else {
        return std::optional<Batch>{};
      }
    }
  }

 private:
  Batch take_pending() {
    const std::int64_t count = std::min(batch_rows_max_, pending_.row_count() - pending_offset_);
    Batch piece = pending_.slice(pending_offset_, count);
    pending_offset_ += count;
    return piece;
  }

  Result<void> read_group() {
    const DataFile& file = data_files_[file_];
    ParquetReader* reader = TRY(files_.reader(file));
    if (group_ == 0) missing_ = TRY(files_.missing(table_, file, at_));
    const bool nothing_left = static_cast<std::int64_t>(missing_.size()) == file.row_count;
    if (nothing_left || group_ >= reader->row_group_count()) {
      ++file_;
      group_ = 0;
      return {};
    }
    const std::int64_t start = reader->row_group_start(group_);
    Batch rows = TRY(reader->read_row_group(group_, file_columns_));
    ++group_;
    if (any_missing(start, rows.row_count(), missing_)) {
      rows = rows.select_rows(rows_there(start, rows.row_count(), missing_));
    }
    pending_ = std::move(rows);
    pending_offset_ = 0;
    return {};
  }

  Result<void> read_page() {
    const InlinedQuery query{.set = InlinedSet::kAlive,
                             .at = at_,
                             .after_row_id = last_row_id_,
                             .row_count_max = batch_rows_max_};
    InlinedPage page =
        TRY(read_inlined(catalog_, table_, inlined_[inlined_table_], columns_, query));
    if (page.row_ids.empty()) {
      ++inlined_table_;
      last_row_id_ = -1;
      return {};
    }
    last_row_id_ = page.row_ids.back();
    pending_ = std::move(page.rows);
    pending_offset_ = 0;
    return {};
  }

  Catalog& catalog_;
  DataFiles& files_;
  const LakeTable table_;
  const std::int64_t at_;
  std::int64_t batch_rows_max_ = 0;
  std::vector<int> columns_;
  std::vector<ParquetColumn> file_columns_;
  std::vector<DataFile> data_files_;
  std::vector<std::string> inlined_;
  std::size_t file_ = 0;
  int group_ = 0;
  std::vector<std::int64_t> missing_;
  std::size_t inlined_table_ = 0;
  std::int64_t last_row_id_ = -1;
  Batch pending_;
  std::int64_t pending_offset_ = 0;
};

// One row group of a file: key columns and places of the rows that are there.
Result<PlacedRows> placed_group(DataFiles& files,
                                const LakeTable& table,
                                const DataFile& file,
                                int group,
                                const std::vector<std::int64_t>& missing) {
  std::vector<ParquetColumn> columns;
  std::vector<int> key;
  for (const int index : table.key) {
    key.push_back(static_cast<int>(columns.size()));
    columns.push_back(table.columns[static_cast<std::size_t>(index)]);
  }
  const int id_column = static_cast<int>(columns.size());
  columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField});
  ParquetReader* reader = TRY(files.reader(file));
  const std::int64_t start = reader->row_group_start(group);
  const Batch read = TRY(reader->read_row_group(group, columns));
  const std::vector<std::int64_t> there = rows_there(start, read.row_count(), missing);
  PlacedRows placed;
  placed.file_id = file.id;
  for (const std::int64_t row : there) {
    placed.positions.push_back(start + row);
    placed.row_ids.push_back(read.is_null(id_column, row) ? file.row_id_start + start + row
                                                          : read.int_at(id_column, row));
  }
  placed.rows = read.select_columns(key);
  if (static_cast<std::int64_t>(there.size()) < read.row_count())
    placed.rows = placed.rows.select_rows(there);
  return placed;
}

}  // namespace

Result<std::unique_ptr<Scan>> open_scan(Catalog& catalog,
                                        DataFiles& files,
                                        LakeTable table,
                                        std::int64_t at,
                                        const ScanOptions& options) {
  auto scan = std::make_unique<TableScan>(catalog, files, std::move(table), at);
  TRY(scan->open(options));
  return std::unique_ptr<Scan>(std::move(scan));
}

Result<void> for_each_place(Catalog& catalog,
                            DataFiles& files,
                            const LakeTable& table,
                            std::int64_t at,
                            const std::function<Result<void>(const PlacedRows&)>& take) {
  constexpr std::int64_t kPageRows = 65'536;
  for (const DataFile& file : TRY(files.at(table, at))) {
    const auto missing = TRY(files.missing(table, file, at));
    const int group_count = TRY(files.reader(file))->row_group_count();
    for (int group = 0; group < group_count; ++group) {
      const PlacedRows placed = TRY(placed_group(files, table, file, group, missing));
      TRY(take(placed));
    }
  }
  for (const std::string& inlined : TRY(inlined_tables(catalog, table.id))) {
    InlinedQuery query{.set = InlinedSet::kAlive, .at = at, .row_count_max = kPageRows};
    while (true) {
      InlinedPage page = TRY(read_inlined(catalog, table, inlined, table.key, query));
      if (page.row_ids.empty()) break;
      query.after_row_id = page.row_ids.back();
      TRY(take({std::move(page.rows), RowPlace::kInlined, std::move(page.row_ids), {}}));
    }
  }
  return {};
}

}  // namespace lockstep
