#include "hub/row_places.h"

#include "hub/inlined_rows.h"

#include <algorithm>
#include <numeric>

namespace lockstep {

namespace {

constexpr std::int64_t kPageRows = 65'536;

// Key columns and places of some rows of a row group: `chosen` counts from the group's first.
Result<PlacedRows> placed_rows(DataFiles& files,
                               const LakeTable& table,
                               const DataFile& file,
                               int group,
                               const std::vector<std::int64_t>& chosen) {
  std::vector<ParquetColumn> columns;
  std::vector<int> key;
  for (const int index : table.key) {
    key.push_back(static_cast<int>(columns.size()));
    columns.push_back(table.columns[static_cast<std::size_t>(index)]);
  }
  const int id_column = static_cast<int>(columns.size());
  columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField, {}});
  ParquetReader* reader = TRY(files.reader(file));
  const std::int64_t start = reader->row_group_start(group);
  const Batch read = TRY(reader->read_row_group(group, columns));
  PlacedRows placed;
  placed.file_id = file.id;
  for (const std::int64_t row : chosen) {
    placed.positions.push_back(start + row);
    placed.row_ids.push_back(read.is_null(id_column, row) ? file.row_id_start + start + row
                                                          : read.int_at(id_column, row));
  }
  placed.rows = read.select_columns(key);
  if (static_cast<std::int64_t>(chosen.size()) < read.row_count())
    placed.rows = placed.rows.select_rows(chosen);
  return placed;
}

// Rows of a file at these positions, rising.
Result<void> take_positions(DataFiles& files,
                            const LakeTable& table,
                            const DataFile& file,
                            std::span<const std::int64_t> positions,
                            const TakePlaced& take) {
  while (!positions.empty()) {
    ParquetReader* reader = TRY(files.reader(file));
    const int group = group_of_position(*reader, positions.front());
    const std::int64_t start = reader->row_group_start(group);
    const std::int64_t end = group + 1 < reader->row_group_count()
                                 ? reader->row_group_start(group + 1)
                                 : reader->row_count();
    const auto behind = std::ranges::lower_bound(positions, end);
    const auto count = static_cast<std::size_t>(behind - positions.begin());
    std::vector<std::int64_t> chosen;
    for (const std::int64_t position : positions.first(count))
      chosen.push_back(position - start);
    TRY(take(TRY(placed_rows(files, table, file, group, chosen))));
    positions = positions.subspan(count);
  }
  return {};
}

// Returns how many there were.
Result<std::int64_t> take_inlined(Catalog& catalog,
                                  const LakeTable& table,
                                  InlinedQuery query,
                                  const TakePlaced& take) {
  std::int64_t count = 0;
  query.row_count_max = kPageRows;
  for (const InlinedTable& inlined : TRY(inlined_tables(catalog, table.id))) {
    query.after_row_id = -1;
    while (true) {
      InlinedPage page = TRY(read_inlined(catalog, table, inlined, table.key, query));
      if (page.row_ids.empty()) break;
      query.after_row_id = page.row_ids.back();
      count += static_cast<std::int64_t>(page.row_ids.size());
      TRY(take({std::move(page.rows), RowPlace::kInlined, std::move(page.row_ids), {}}));
    }
  }
  return count;
}

}  // namespace

Result<void> PlacedRows::each(const TakePlace& take) const {
  std::vector<int> columns(static_cast<std::size_t>(rows.schema().size()));
  std::iota(columns.begin(), columns.end(), 0);
  for (std::size_t at = 0; at < row_ids.size(); ++at) {
    const RowPlace place{.row_id = row_ids[at],
                         .file_id = file_id,
                         .position = file_id == RowPlace::kInlined ? 0 : positions[at]};
    TRY(take(encode_key(rows, columns, static_cast<std::int64_t>(at)), place));
  }
  return {};
}

Result<void> for_each_place(Catalog& catalog,
                            DataFiles& files,
                            const LakeTable& table,
                            std::int64_t at,
                            const TakePlaced& take) {
  const DataFiles::Deletes deletes = TRY(files.inlined_deletes(table, at));
  for (const DataFile& file : TRY(files.at(table, at))) {
    const auto missing = TRY(files.missing(table, file, at, &deletes));
    ParquetReader* reader = TRY(files.reader(file));
    const int group_count = reader->row_group_count();
    for (int group = 0; group < group_count; ++group) {
      reader = TRY(files.reader(file));
      const std::int64_t start = reader->row_group_start(group);
      const std::int64_t end =
          group + 1 < group_count ? reader->row_group_start(group + 1) : reader->row_count();
      const auto there = rows_there(start, end - start, missing);
      if (there.empty()) continue;
      TRY(take(TRY(placed_rows(files, table, file, group, there))));
    }
  }
  TRY(take_inlined(catalog, table, {.set = InlinedSet::kAlive, .at = at}, take));
  return {};
}

Result<std::int64_t> for_each_moved_place(Catalog& catalog,
                                          DataFiles& files,
                                          const LakeTable& table,
                                          const PlaceRange& range,
                                          const TakeMoved& take) {
  std::int64_t grown = 0;
  const std::vector<DataFile> both = TRY(files.at_either(table, range.from, range.to));
  for (const DataFile& file : both) {
    const FileDifference difference = TRY(files.difference(table, file, range.from, range.to));
    TRY(take_positions(files, table, file, difference.went, take.went));
    grown += static_cast<std::int64_t>(difference.came.size());
    grown -= static_cast<std::int64_t>(difference.went.size());
  }
  InlinedQuery query{.set = InlinedSet::kWent, .at = range.to, .from = range.from};
  grown -= TRY(take_inlined(catalog, table, query, take.went));
  for (const DataFile& file : both) {
    if (!file.valid_at(range.to)) continue;
    const bool is_new = file.id >= range.new_file_id;
    const std::vector<std::int64_t> positions =
        is_new ? rows_there(0, file.row_count, TRY(files.missing(table, file, range.to)))
               : TRY(files.difference(table, file, range.from, range.to)).came;
    TRY(take_positions(files, table, file, positions, take.came));
  }
  query.set = InlinedSet::kCame;
  grown += TRY(take_inlined(catalog, table, query, take.came));
  return grown;
}

}  // namespace lockstep
