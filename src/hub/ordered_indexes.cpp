#include "hub/ordered_indexes.h"

#include "base/assert.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <span>

namespace lockstep {

namespace {

constexpr int kOrderedFormat = 1;

// nullptr: the table has it no more.
const ParquetColumn* column_of_id(const LakeTable& table, int id) {
  const auto found = std::ranges::find(table.columns, id, &ParquetColumn::field_id);
  return found == table.columns.end() ? nullptr : &*found;
}

bool has_columns(const LakeTable& table, const OrderIds& ids) {
  const auto is_there = [&](int id) { return column_of_id(table, id) != nullptr; };
  return std::ranges::all_of(ids.group, is_there) && std::ranges::all_of(ids.order, is_there);
}

std::string column_texts(const LakeTable& table, std::span<const int> ids) {
  std::string text;
  for (const int id : ids) {
    const ParquetColumn* column = column_of_id(table, id);
    LOCKSTEP_ASSERT(column != nullptr, "hub: an ordered index of a column that is gone");
    text += fmt::format(" {}:{}", id, type_name(column->field.type));
  }
  return text;
}

// Takes a number off the front of a name.
std::optional<std::uint32_t> take_number(std::string_view& name) {
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failure != std::errc()) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  return number;
}

std::vector<int> take_ids(std::string_view& name) {
  std::vector<int> ids;
  while (const auto id = take_number(name)) {
    ids.push_back(static_cast<int>(*id));
    if (name.starts_with('.')) name.remove_prefix(1);
  }
  if (name.starts_with('-')) name.remove_prefix(1);
  return ids;
}

struct OrderedName {
  std::int64_t table_id = 0;
  OrderIds ids;
};

std::string ordered_name(std::int64_t table_id, const OrderIds& ids) {
  return fmt::format(
      "{}-{}-{}{}", table_id, fmt::join(ids.group, "."), fmt::join(ids.order, "."), kOrderedEnding);
}

// Of the database or of its log.
std::optional<OrderedName> parse_ordered_name(std::string_view name) {
  if (name.find(kOrderedEnding) == std::string_view::npos) return std::nullopt;
  const auto table_id = take_number(name);
  if (!table_id || !name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  OrderedName parsed{.table_id = *table_id, .ids = {}};
  parsed.ids.group = take_ids(name);
  parsed.ids.order = take_ids(name);
  return parsed;
}

}  // namespace

Result<OrderIds> order_ids(const LakeTable& table, const GroupOrder& order) {
  const std::string context = fmt::format("groups of {}: ", table_text(table.definition.name));
  if (order.group.empty()) return invalid(context + "no column is named that makes them");
  const auto ids_of = [&](const std::vector<std::string>& names) -> Result<std::vector<int>> {
    std::vector<int> ids;
    for (const int column : TRY_IN(table.definition.schema.require_all(names), context))
      ids.push_back(table.columns[static_cast<std::size_t>(column)].field_id);
    return ids;
  };
  return OrderIds{.group = TRY(ids_of(order.group)), .order = TRY(ids_of(order.order))};
}

OrderColumns order_columns(const LakeTable& table, const OrderIds& ids, const Schema& schema) {
  const auto at = [&](const ParquetColumn& column) {
    const std::optional<int> index = schema.index_of(column.field.name);
    LOCKSTEP_ASSERT(index.has_value(), "hub: rows without a column of their ordered index");
    return *index;
  };
  OrderColumns columns;
  for (const int id : ids.group)
    columns.group.push_back(at(*column_of_id(table, id)));
  for (const int id : ids.order)
    columns.order.push_back(at(*column_of_id(table, id)));
  for (const int index : table.key)
    columns.key.push_back(at(table.columns[static_cast<std::size_t>(index)]));
  return columns;
}

OrderedEntry ordered_entry(const Batch& rows, const OrderColumns& columns, std::int64_t row) {
  return {.group = encode_key(rows, columns.group, row),
          .order = encode_key(rows, columns.order, row),
          .key = encode_key(rows, columns.key, row)};
}

OrderedIndexFolder::OrderedIndexFolder(Io& io,
                                       std::string path,
                                       std::string hub_id,
                                       SqliteFiles files)
    : io_(io), path_(std::move(path)), hub_id_(std::move(hub_id)), files_(files) {
}

std::string OrderedIndexFolder::description(const LakeTable& table, const OrderIds& ids) const {
  std::vector<int> key;
  for (const int index : table.key)
    key.push_back(table.columns[static_cast<std::size_t>(index)].field_id);
  return fmt::format("{} hub {} table {} group{} order{} key{}",
                     kOrderedFormat,
                     hub_id_,
                     table.id,
                     column_texts(table, ids.group),
                     column_texts(table, ids.order),
                     column_texts(table, key));
}

std::unique_ptr<OrderedIndex> OrderedIndexFolder::index(const LakeTable& table,
                                                        const OrderIds& ids) const {
  return std::make_unique<OrderedIndex>(
      io_,
      OrderedFile{.path = join_path(path_, ordered_name(table.id, ids)),
                  .files = files_,
                  .of = description(table, ids)});
}

std::vector<std::pair<std::string, std::int64_t>> OrderedIndexFolder::files() const {
  std::vector<std::pair<std::string, std::int64_t>> found;
  const auto listed = io_.list(path_);
  // No folder, no files; and one that cannot be listed only keeps what nobody needs.
  if (!listed.ok()) return found;
  for (const FileInfo& file : listed.value()) {
    const auto name = parse_ordered_name(file_name(file.path));
    if (!name) continue;
    // A log without its database counts too.
    const std::size_t end = file.path.rfind(kOrderedEnding) + kOrderedEnding.size();
    std::pair<std::string, std::int64_t> one(file.path.substr(0, end), name->table_id);
    if (found.empty() || found.back() != one) found.push_back(std::move(one));
  }
  return found;
}

// What stays behind costs space, and goes when a writer next opens the hub.
void OrderedIndexFolder::remove(std::int64_t table_id) const {
  for (const auto& [path, of_table] : files()) {
    if (of_table == table_id) static_cast<void>(remove_database(io_, path));
  }
}

void OrderedIndexFolder::remove_of_lost_columns(const LakeTable& table) const {
  for (const auto& [path, of_table] : files()) {
    const auto name = parse_ordered_name(file_name(path));
    // As in remove().
    if (of_table == table.id && !has_columns(table, name->ids))
      static_cast<void>(remove_database(io_, path));
  }
}

void OrderedIndexFolder::keep_tables(const std::set<std::int64_t>& table_ids) const {
  for (const auto& [path, of_table] : files()) {
    // As in remove().
    if (!table_ids.contains(of_table)) static_cast<void>(remove_database(io_, path));
  }
}

OrderedIndex& OrderedIndexes::of(const OrderedIndexFolder& folder,
                                 const LakeTable& table,
                                 const OrderIds& ids) {
  const auto found = std::ranges::find(indexes_, ids, &Known::ids);
  if (found != indexes_.end()) return *found->index;
  indexes_.push_back({ids, folder.index(table, ids)});
  return *indexes_.back().index;
}

void OrderedIndexes::follow(const LakeTable& table, const Batch& rows) {
  for (const Known& known : indexes_) {
    if (!known.index->is_open()) continue;
    // What fails closes the index, which the next question opens again.
    static_cast<void>(follow(*known.index, rows, order_columns(table, known.ids, rows.schema())));
  }
}

// What a row that leaves says of its place need not be so, but a row that enters has an entry in
// any case.
Result<void> OrderedIndexes::follow(OrderedIndex& index,
                                    const Batch& rows,
                                    const OrderColumns& columns) {
  OrderedEntries went;
  OrderedEntries came;
  for (std::int64_t row = 0; row < rows.row_count(); ++row)
    (rows.sign(row) < 0 ? went : came).push_back(ordered_entry(rows, columns, row));
  std::ranges::sort(went);
  std::ranges::sort(came);
  OrderedEntries gone;
  std::ranges::set_difference(went, came, std::back_inserter(gone));
  TRY(index.erase(std::move(gone)));
  return index.add(std::move(came));
}

void OrderedIndexes::follow_alteration(const OrderedIndexFolder& folder, const LakeTable& table) {
  std::erase_if(indexes_, [&](const Known& known) {
    return !has_columns(table, known.ids) ||
           folder.description(table, known.ids) != known.index->of();
  });
  folder.remove_of_lost_columns(table);
}

void OrderedIndexes::settle(const IndexStamp& stamp, bool all) {
  for (const Known& known : indexes_) {
    // As in follow().
    if (known.index->is_open()) static_cast<void>(known.index->settle(stamp, all));
  }
}

void OrderedIndexes::tend_logs(std::uint64_t bytes_max) {
  for (const Known& known : indexes_) {
    // As in follow().
    if (known.index->is_open()) static_cast<void>(known.index->tend_log(bytes_max));
  }
}

}  // namespace lockstep
