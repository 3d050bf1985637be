#include "hub/changed_rows.h"

#include "hub/inlined_rows.h"

#include <algorithm>
#include <numeric>

namespace lockstep {

namespace {

constexpr std::int64_t kLookUpRows = 65'536;
constexpr std::size_t kFewRows = 1'024;  // in a row group: read by their pages

std::vector<ParquetColumn> key_columns(const LakeTable& table) {
  std::vector<ParquetColumn> columns;
  for (const int index : table.key)
    columns.push_back(table.columns[static_cast<std::size_t>(index)]);
  return columns;
}

}  // namespace

ChangedRows::ChangedRows(
    Catalog& catalog, DataFiles& files, const LakeTable& table, std::int64_t from, std::int64_t to)
    : catalog_(catalog),
      files_(files),
      table_(table),
      from_(std::min(from, to)),
      to_(std::max(from, to)),
      direction_(from <= to ? 1 : -1) {
}

Result<void> ChangedRows::for_each(const WantedRows& wanted, const TakeRows& take) {
  for (const DataFile& file : TRY(files_.at_either(table_, from_, to_))) {
    const FileDifference difference = TRY(files_.difference(table_, file, from_, to_));
    TRY(each_of_file({file, difference.went, -direction_}, wanted, take));
    TRY(each_of_file({file, difference.came, direction_}, wanted, take));
  }
  for (const InlinedTable& inlined : TRY(inlined_tables(catalog_, table_.id))) {
    TRY(each_of_inlined(inlined, -1, wanted, take));
    TRY(each_of_inlined(inlined, 1, wanted, take));
  }
  return {};
}

Result<void> ChangedRows::each_of_file(const Places& places,
                                       const WantedRows& wanted,
                                       const TakeRows& take) {
  if (places.positions.empty()) return {};
  const ParquetReader* reader = TRY(files_.reader(places.file));
  std::span<const std::int64_t> rest = places.positions;
  for (int group = 0; group < reader->row_group_count() && !rest.empty(); ++group) {
    const bool last = group + 1 == reader->row_group_count();
    const auto end =
        last ? rest.end()
             : std::lower_bound(rest.begin(), rest.end(), reader->row_group_start(group + 1));
    const auto count = static_cast<std::size_t>(end - rest.begin());
    const Places here{places.file, rest.first(count), places.sign};
    rest = rest.subspan(count);
    if (count == 0) continue;
    TRY(count <= kFewRows ? each_of_few(here, wanted, take)
                          : each_of_group(here, group, wanted, take));
  }
  return {};
}

Result<void> ChangedRows::each_of_few(const Places& places,
                                      const WantedRows& wanted,
                                      const TakeRows& take) {
  BatchBuilder builder(table_.definition.schema);
  TRY(files_.fetch(table_, places.file, places.positions, {builder, places.sign}));
  const Batch rows = TRY(builder.finish());
  const std::vector<std::int64_t> chosen = wanted(rows.select_columns(table_.key));
  return chosen.empty() ? Result<void>() : take(rows.select_rows(chosen));
}

Result<void> ChangedRows::each_of_group(const Places& places,
                                        int group,
                                        const WantedRows& wanted,
                                        const TakeRows& take) {
  ParquetReader* reader = TRY(files_.reader(places.file));
  const std::int64_t start = reader->row_group_start(group);
  std::vector<std::int64_t> changed;
  changed.reserve(places.positions.size());
  for (const std::int64_t position : places.positions)
    changed.push_back(position - start);
  const Batch keys = TRY(reader->read_row_group(group, key_columns(table_)));
  const std::vector<std::int64_t> chosen = wanted(keys.select_rows(changed));
  if (chosen.empty()) return {};
  std::vector<std::int64_t> rows;
  rows.reserve(chosen.size());
  for (const std::int64_t index : chosen)
    rows.push_back(changed[static_cast<std::size_t>(index)]);
  const Batch whole = TRY(reader->read_row_group(group, table_.columns));
  return take(whole.select_rows(rows).with_all_signs(places.sign));
}

Result<void> ChangedRows::each_of_inlined(const InlinedTable& inlined,
                                          int sign,
                                          const WantedRows& wanted,
                                          const TakeRows& take) {
  std::vector<int> columns(table_.columns.size());
  std::iota(columns.begin(), columns.end(), 0);
  InlinedQuery query{.set = sign < 0 ? InlinedSet::kWent : InlinedSet::kCame,
                     .at = to_,
                     .from = from_,
                     .row_count_max = kLookUpRows};
  while (true) {
    const InlinedPage page = TRY(read_inlined(catalog_, table_, inlined, columns, query));
    if (page.row_ids.empty()) return {};
    query.after_row_id = page.row_ids.back();
    const std::vector<std::int64_t> chosen = wanted(page.rows.select_columns(table_.key));
    if (chosen.empty()) continue;
    TRY(take(page.rows.select_rows(chosen).with_all_signs(sign * direction_)));
  }
}

}  // namespace lockstep
