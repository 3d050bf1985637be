// The ordered indexes of a hub: which there are of a table, and what their files are called.
#pragma once

#include "base/io.h"
#include "hub/grouped_rows.h"
#include "hub/lake_tables.h"
#include "hub/ordered_index.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// Value. The columns of a GroupOrder by their ids, so that a renamed one keeps its index.
struct OrderIds {
  std::vector<int> group;
  std::vector<int> order;
  bool operator==(const OrderIds&) const = default;
};

Result<OrderIds> order_ids(const LakeTable& table, const GroupOrder& order);

// Value. Where the columns of an index stand in a schema.
struct OrderColumns {
  std::vector<int> group;
  std::vector<int> order;
  std::vector<int> key;
};

// Every column is among the schema's, under the name that the table has for it now.
OrderColumns order_columns(const LakeTable& table, const OrderIds& ids, const Schema& schema);
OrderedEntry ordered_entry(const Batch& rows, const OrderColumns& columns, std::int64_t row);

// Resource. Files in the folder of the key indexes: "7-3.4-5.ordered" is of table 7, grouped by the
// columns 3 and 4, ordered by 5.
class OrderedIndexFolder final {
 public:
  OrderedIndexFolder(Io& io, std::string path, std::string hub_id, SqliteFiles files);

  // Not open yet. The table has all of the columns.
  std::unique_ptr<OrderedIndex> index(const LakeTable& table, const OrderIds& ids) const;
  // What an index is of: another type of a column makes other bytes.
  std::string description(const LakeTable& table, const OrderIds& ids) const;

  // Removes the files of a table, none of which is open; but for those whose columns it has.
  void remove(std::int64_t table_id) const;
  void remove_of_lost_columns(const LakeTable& table) const;
  // Removes the files of other tables.
  void keep_tables(const std::set<std::int64_t>& table_ids) const;

  // Path and table of each file.
  std::vector<std::pair<std::string, std::int64_t>> files() const;

 private:
  Io& io_;
  const std::string path_;
  const std::string hub_id_;
  const SqliteFiles files_;
};

// Resource. Those of one table that were asked for. What tells them of a commit cannot fail, since
// the commit is durable by then: an index that cannot follow is closed, and opened again at the
// next question.
class OrderedIndexes final {
 public:
  OrderedIndexes() = default;
  OrderedIndexes(const OrderedIndexes&) = delete;
  OrderedIndexes& operator=(const OrderedIndexes&) = delete;

  // The one by these columns, perhaps not open.
  OrderedIndex& of(const OrderedIndexFolder& folder, const LakeTable& table, const OrderIds& ids);

  // Signed rows that a commit or a stage of a load changed, in the table's columns.
  void follow(const LakeTable& table, const Batch& rows);
  static Result<void> follow(OrderedIndex& index, const Batch& rows, const OrderColumns& columns);
  // The columns of the table changed: those that an index of ours had may be gone.
  void follow_alteration(const OrderedIndexFolder& folder, const LakeTable& table);

  void settle(const IndexStamp& stamp, bool all = false);
  void tend_logs(std::uint64_t bytes_max);

  // Without what no settle() followed.
  void close() { indexes_.clear(); }

 private:
  struct Known {
    OrderIds ids;
    std::unique_ptr<OrderedIndex> index;
  };

  std::vector<Known> indexes_;
};

}  // namespace lockstep
