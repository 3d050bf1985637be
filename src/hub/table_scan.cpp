#include "hub/table_scan.h"

#include "hub/inlined_rows.h"
#include "hub/scan_filter.h"

#include <algorithm>
#include <numeric>

namespace lockstep {

namespace {

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
    filter_ = TRY(ScanFilter::bind(table_, options.where));
    for (const int index : filter_.columns())
      filter_columns_.push_back(table_.columns[static_cast<std::size_t>(index)]);
    data_files_ = TRY(files_.at(table_, at_));
    deletes_ = TRY(files_.inlined_deletes(table_, at_));
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

  ScanCounters counters() const override { return counters_; }

 private:
  Batch take_pending() {
    const std::int64_t count = std::min(batch_rows_max_, pending_.row_count() - pending_offset_);
    Batch piece = pending_.slice(pending_offset_, count);
    pending_offset_ += count;
    return piece;
  }

  void pass_file() {
    ++file_;
    group_ = 0;
    opened_ = false;
  }

  // false: no row of the file is wanted.
  Result<bool> open_file(const DataFile& file) {
    if (!filter_.partition_may_match(table_, file)) {
      ++counters_.files_skipped_by_partition;
      return false;
    }
    if (!TRY(filter_.file_may_match(catalog_, file))) return false;
    missing_ = TRY(files_.missing(table_, file, at_, &deletes_));
    return static_cast<std::int64_t>(missing_.size()) < file.row_count;
  }

  Result<void> read_group() {
    const DataFile& file = data_files_[file_];
    if (!opened_ && !TRY(open_file(file))) {
      ++counters_.files_skipped;
      pass_file();
      return {};
    }
    counters_.files_read += opened_ ? 0 : 1;
    opened_ = true;
    ParquetReader* reader = TRY(files_.reader(file));
    if (group_ >= reader->row_group_count()) {
      pass_file();
      return {};
    }
    const int group = group_++;
    if (!TRY(filter_.group_may_match(*reader, group))) {
      ++counters_.row_groups_skipped;
      return {};
    }
    ++counters_.row_groups_read;
    pending_ = TRY(filter_.is_empty() ? whole_group(*reader, group) : wanted_rows(*reader, group));
    pending_offset_ = 0;
    return {};
  }

  Result<Batch> whole_group(ParquetReader& reader, int group) {
    const std::int64_t start = reader.row_group_start(group);
    Batch rows = TRY(reader.read_row_group(group, file_columns_));
    if (!any_missing(start, rows.row_count(), missing_)) return rows;
    return rows.select_rows(rows_there(start, rows.row_count(), missing_));
  }

  // The columns of the conditions first: the others are not decoded where no row matches.
  Result<Batch> wanted_rows(ParquetReader& reader, int group) {
    const Batch seen = TRY(reader.read_row_group(group, filter_columns_));
    const std::vector<std::int64_t> wanted = filter_.matching(
        seen, rows_there(reader.row_group_start(group), seen.row_count(), missing_));
    if (wanted.empty()) return Batch();
    return TRY(reader.read_row_group(group, file_columns_)).select_rows(wanted);
  }

  Result<void> read_page() {
    const InlinedQuery query{.set = InlinedSet::kAlive,
                             .at = at_,
                             .after_row_id = last_row_id_,
                             .row_count_max = batch_rows_max_};
    std::vector<int> columns = filter_.columns();
    columns.insert(columns.end(), columns_.begin(), columns_.end());
    const InlinedPage page =
        TRY(read_inlined(catalog_, table_, inlined_[inlined_table_], columns, query));
    if (page.row_ids.empty()) {
      ++inlined_table_;
      last_row_id_ = -1;
      return {};
    }
    last_row_id_ = page.row_ids.back();
    const auto seen = static_cast<int>(filter_.columns().size());
    std::vector<int> own(columns_.size());
    std::iota(own.begin(), own.end(), seen);
    pending_ = page.rows.select_columns(own);
    if (!filter_.is_empty())
      pending_ = pending_.select_rows(
          filter_.matching(page.rows, rows_there(0, page.rows.row_count(), {})));
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
  std::vector<InlinedTable> inlined_;
  ScanFilter filter_;
  std::vector<ParquetColumn> filter_columns_;
  DataFiles::Deletes deletes_;
  ScanCounters counters_;
  std::size_t file_ = 0;
  int group_ = 0;
  bool opened_ = false;  // data_files_[file_]
  std::vector<std::int64_t> missing_;
  std::size_t inlined_table_ = 0;
  std::int64_t last_row_id_ = -1;
  Batch pending_;
  std::int64_t pending_offset_ = 0;
};

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

}  // namespace lockstep
