// Rows of groups in their order, by the writer's ordered indexes: opened at the first question, and
// made again whenever one is of no use.
#include "hub/asked_keys.h"
#include "hub/hub_over_ducklake.h"
#include "hub/table_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <set>
#include <span>
#include <utility>

namespace lockstep {

namespace {

// Of which group, and with a reach from which place of it.
struct AskedGroup {
  OrderedPlace place;
  std::int64_t row = 0;  // of the question
};

Result<std::vector<AskedGroup>> asked_groups(const LakeTable& table,
                                             const GroupOrder& order,
                                             const GroupQuestion& question) {
  if (question.rows_max < 1) return invalid("groups of no rows are asked for");
  if (question.reach && (question.reach->before < 0 || question.reach->after < 0))
    return invalid("the reach of a question for groups is negative");
  const auto groups = TRY(asked_keys(table, order.group, question.groups));
  std::vector<std::string> places(groups.size());
  if (question.reach) places = TRY(asked_keys(table, order.order, question.groups));
  std::vector<AskedGroup> asked;
  for (std::size_t row = 0; row < groups.size(); ++row)
    asked.push_back({{groups[row], places[row]}, static_cast<std::int64_t>(row)});
  return asked;
}

void append(OrderedEntries& to, OrderedEntries&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// One more than the group may have, where it has them.
Result<OrderedEntries> entries_of(OrderedIndex& index,
                                  const OrderedPlace& place,
                                  const GroupQuestion& question) {
  const std::int64_t limit =
      std::min(question.rows_max, std::numeric_limits<std::int64_t>::max() - 1) + 1;
  if (!question.reach) return index.of_group(place.group, limit);
  OrderedEntries entries = TRY(index.before(place, std::min(limit, question.reach->before)));
  append(entries, TRY(index.at(place, limit)));
  append(entries, TRY(index.behind(place, std::min(limit, question.reach->after))));
  return entries;
}

// Entries whose rows went, or stand elsewhere now.
OrderedEntries stale_entries(const OrderedEntries& entries,
                             const Lookup& found,
                             const OrderColumns& columns) {
  OrderedEntries stale;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const std::int64_t row = found.row_of_key[index];
    const bool is_right = row >= 0 && ordered_entry(found.rows, columns, row) == entries[index];
    if (!is_right) stale.push_back(entries[index]);
  }
  return stale;
}

std::vector<std::string> keys_of_entries(const OrderedEntries& entries) {
  std::vector<std::string> keys;
  keys.reserve(entries.size());
  for (const OrderedEntry& entry : entries)
    keys.push_back(entry.key);
  return keys;
}

Error group_too_large(const LakeTable& table,
                      const GroupOrder& order,
                      const GroupQuestion& question,
                      std::int64_t row) {
  const std::vector<int> columns = question.groups.schema().require_all(order.group).value();
  return invalid(fmt::format("{}: the group {} has more than {} rows{}",
                             table_text(table.definition.name),
                             key_text(question.groups, columns, row),
                             question.rows_max,
                             question.reach ? " within the reach that was asked for" : ""),
                 "raise the limit of rows a group, or group by one more column");
}

// One question on its way to its answer.
class GroupLookup {
 public:
  using RowsOfKeys = std::function<Result<Lookup>(std::span<const std::string> keys)>;

  GroupLookup(const LakeTable& table,
              const GroupOrder& order,
              const GroupQuestion& question,
              RowsOfKeys rows_of_keys)
      : table_(table), order_(order), question_(question), rows_of_keys_(std::move(rows_of_keys)) {}

  Result<GroupedRows> answer(OrderedIndex& index, const OrderIds& ids) {
    const auto asked = TRY(asked_groups(table_, order_, question_));
    columns_ = order_columns(table_, ids, table_.definition.schema);
    while (true) {
      OrderedEntries entries;
      GroupedRows grouped;
      for (const AskedGroup& group : asked) {
        grouped.first_row_of.push_back(static_cast<std::int64_t>(entries.size()));
        append(entries, TRY(entries_of_group(index, group)));
      }
      grouped.first_row_of.push_back(static_cast<std::int64_t>(entries.size()));
      const Lookup found = TRY(rows_of_keys_(keys_of_entries(entries)));
      OrderedEntries stale = stale_entries(entries, found, columns_);
      if (stale.empty()) {
        grouped.rows = found.rows.select_rows(found.row_of_key);
        return grouped;
      }
      TRY(forget(index, std::move(stale)));
    }
  }

 private:
  // As many as there may be; stale ones are not counted before a group is refused.
  Result<OrderedEntries> entries_of_group(OrderedIndex& index, const AskedGroup& group) {
    while (true) {
      OrderedEntries entries = TRY(entries_of(index, group.place, question_));
      const auto astray = std::ranges::adjacent_find(entries, std::ranges::greater_equal());
      if (astray != entries.end()) return damaged(index, "entries that stand in another order");
      if (static_cast<std::int64_t>(entries.size()) <= question_.rows_max) return entries;
      const Lookup found = TRY(rows_of_keys_(keys_of_entries(entries)));
      OrderedEntries stale = stale_entries(entries, found, columns_);
      if (stale.empty()) return group_too_large(table_, order_, question_, group.row);
      TRY(forget(index, std::move(stale)));
    }
  }

  Result<void> forget(OrderedIndex& index, OrderedEntries stale) {
    for (const OrderedEntry& entry : stale) {
      if (!forgotten_.insert(entry).second) return damaged(index, "an entry that does not go");
    }
    return index.erase(std::move(stale));
  }

  static Error damaged(OrderedIndex& index, const char* what) {
    index.close();
    return make_error(Code::kCorrupt, fmt::format("an ordered index has {}", what));
  }

  const LakeTable& table_;
  const GroupOrder& order_;
  const GroupQuestion& question_;
  const RowsOfKeys rows_of_keys_;
  OrderColumns columns_;
  std::set<OrderedEntry> forgotten_;
};

std::size_t entry_bytes(const OrderedEntry& entry) {
  return sizeof entry + entry.group.size() + entry.order.size() + entry.key.size();
}

}  // namespace

// What is there, and what came since, if it can be told.
Result<void> HubOverDuckLake::open_ordered(TableState& state,
                                           const OrderIds& ids,
                                           OrderedIndex& index) {
  const auto stamp = index.open();
  if (!stamp) return make_error(Code::kNotFound, "there is no such ordered index");
  if (!TRY(is_of_this_history(*stamp)))
    return make_error(Code::kNotFound, "the ordered index is of another history");
  if (stamp->snapshot != latest_.id) {
    const OrderColumns columns = order_columns(state.lake, ids, state.lake.definition.schema);
    const auto changes = scan_changes_of(state.lake, stamp->snapshot, latest_.id);
    while (const auto rows = TRY(changes->next()))
      TRY(OrderedIndexes::follow(index, *rows, columns));
  }
  return finish_ordered(state, ids, index);
}

// In bounded memory: entries are sorted as many at a time as there is room for.
Result<void> HubOverDuckLake::fill_ordered(TableState& state,
                                           const OrderIds& ids,
                                           OrderedIndex& index) {
  TRY(index.create());
  const LakeTable& table = state.lake;
  const OrderColumns own = order_columns(table, ids, table.definition.schema);
  std::set<int> needed;
  for (const auto* columns : {&own.group, &own.order, &own.key})
    needed.insert(columns->begin(), columns->end());
  ScanOptions options;
  for (const int column : needed)
    options.columns.push_back(table.definition.schema.field(column).name);
  const auto scan = TRY(open_scan(*catalog_, *files_, table, latest_.id, options));
  OrderedEntries entries;
  std::size_t bytes = 0;
  while (const auto rows = TRY(scan->next())) {
    const OrderColumns columns = order_columns(table, ids, rows->schema());
    for (std::int64_t row = 0; row < rows->row_count(); ++row) {
      entries.push_back(ordered_entry(*rows, columns, row));
      bytes += entry_bytes(entries.back());
      if (bytes < options_.change_window_bytes) continue;
      TRY(index.add(std::exchange(entries, {})));
      bytes = 0;
    }
  }
  TRY(index.add(std::move(entries)));
  return finish_ordered(state, ids, index);
}

// The index has what the newest snapshot has. That of an open group is not durable yet, and what a
// load staged is in none.
Result<void> HubOverDuckLake::finish_ordered(TableState& state,
                                             const OrderIds& ids,
                                             OrderedIndex& index) {
  if (transaction_ == nullptr) TRY(index.settle(index_stamp(state)));
  if (!load_) return {};
  TRY(load_->settle());
  const OrderColumns columns = order_columns(state.lake, ids, state.lake.definition.schema);
  for (std::size_t stage = 0; stage < load_->stages().size(); ++stage)
    TRY(OrderedIndexes::follow(index, TRY(load_->staged(state.lake, stage)), columns));
  return {};
}

Result<GroupedRows> HubOverDuckLake::lookup_groups(const TableName& table,
                                                   const GroupOrder& order,
                                                   const GroupQuestion& question) {
  TRY(check_writable());
  TableState* state = TRY(indexed_table(table));
  const OrderIds ids = TRY(order_ids(state->lake, order));
  OrderedIndex& index = state->ordered.of(*ordered_folder_, state->lake, ids);
  GroupLookup lookup(state->lake, order, question, [&](std::span<const std::string> keys) {
    return rows_of_keys(*state, keys);
  });
  const bool is_there = index.is_open() || open_ordered(*state, ids, index).ok();
  if (is_there) {
    auto answer = lookup.answer(index, ids);
    // What an index cannot tell closes it; all else is the question's, or the rows'.
    if (answer.ok() || index.is_open()) return answer;
  }
  // An index is a cache: whatever was wrong with it, it is made again from the rows, and what
  // hinders that is told.
  Result<void> made = fill_ordered(*state, ids, index);
  if (!made.ok()) {
    index.close();
    return std::move(made).error().with_context(
        fmt::format("making an ordered index of {}: ", table_text(table)));
  }
  return lookup.answer(index, ids);
}

}  // namespace lockstep
