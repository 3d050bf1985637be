#include "hub/inlined_rows.h"
#include "hub/table_scan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lockstep {

namespace {

class Difference {
 public:
  Difference(Catalog& catalog,
             DataFiles& files,
             const LakeTable& table,
             std::int64_t from,
             std::int64_t to)
      : catalog_(catalog),
        files_(files),
        table_(table),
        from_(from),
        to_(to),
        rows_(table.definition.schema) {}

  Result<Batch> run() {
    TRY(add_files());
    for (const InlinedTable& inlined : TRY(inlined_tables(catalog_, table_.id))) {
      TRY(add_inlined(inlined, InlinedSet::kWent, -1));
      TRY(add_inlined(inlined, InlinedSet::kCame, 1));
    }
    const Batch all = TRY(rows_.finish());
    return in_key_order(TRY(net(all, table_.key)), table_.key);
  }

 private:
  Result<void> add_files() {
    for (const DataFile& file : TRY(files_.at_either(table_, from_, to_))) {
      const FileDifference difference = TRY(files_.difference(table_, file, from_, to_));
      TRY(add_positions(file, difference.went, -1));
      TRY(add_positions(file, difference.came, 1));
    }
    return {};
  }

  Result<void> add_positions(const DataFile& file,
                             const std::vector<std::int64_t>& positions,
                             int sign) {
    return files_.fetch(table_, file, positions, {rows_, sign});
  }

  Result<void> add_inlined(const InlinedTable& inlined, InlinedSet set, int sign) {
    std::vector<int> columns(table_.columns.size());
    std::iota(columns.begin(), columns.end(), 0);
    const InlinedQuery query{.set = set,
                             .at = to_,
                             .from = from_,
                             .row_count_max = std::numeric_limits<std::int64_t>::max()};
    const InlinedPage page = TRY(read_inlined(catalog_, table_, inlined, columns, query));
    for (std::int64_t row = 0; row < page.rows.row_count(); ++row)
      rows_.append_row_from(page.rows, row, sign);
    return {};
  }

  Catalog& catalog_;
  DataFiles& files_;
  const LakeTable& table_;
  const std::int64_t from_;
  const std::int64_t to_;
  BatchBuilder rows_;
};

}  // namespace

Result<Batch> table_changes(Catalog& catalog,
                            DataFiles& files,
                            const LakeTable& table,
                            std::int64_t from,
                            std::int64_t to) {
  // Backwards is forwards with the signs turned: the sets in the catalog are asked for rising
  // snapshots only.
  if (from > to) {
    const Batch forwards = TRY(table_changes(catalog, files, table, to, from));
    std::vector<std::int8_t> signs;
    for (const std::int8_t sign : forwards.signs())
      signs.push_back(static_cast<std::int8_t>(-sign));
    return in_key_order(forwards.with_signs(std::move(signs)), table.key);
  }
  return Difference(catalog, files, table, from, to).run();
}

Result<Batch> in_key_order(const Batch& rows, const std::vector<int>& key) {
  struct Entry {
    std::string key;
    int sign = 0;
    std::int64_t row = 0;
  };

  std::vector<Entry> entries;
  entries.reserve(static_cast<std::size_t>(rows.row_count()));
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    entries.push_back({encode_key(rows, key, row), rows.sign(row), row});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    if (left.key != right.key) return left.key < right.key;
    return std::pair(left.sign, left.row) < std::pair(right.sign, right.row);
  });
  std::vector<std::int64_t> order;
  order.reserve(entries.size());
  for (const Entry& entry : entries)
    order.push_back(entry.row);
  return rows.select_rows(order);
}

}  // namespace lockstep
