// Rows of a table by group, then order, then key: an ordered secondary index. A cache (hub-7): made
// from the rows at the first question, then kept up by each commit, found again after a restart.
//
// It is an SQLite file with one entry a row, outside of the catalog's transaction:
//
//   entry(group_key, order_key, row_key)         bytes of encode_key, which sort as the values do
//   covered(of, snapshot, time_us, next_file_id) one row: what it is of, and the commit it covers
//
// Both change in one transaction, which commits behind a durable commit of the catalog, and which
// no sync follows. So the file always is as of some durable commit, and what came since is
// replayed.
//
// An entry has no place: that is the key index's business, so that rows may move. Of a row that
// leaves only the key is certain, so that its entry may stay: each row is compared with the entry
// that named it. An entry that is missing could not be noticed, and none ever is.
#pragma once

#include "base/io.h"
#include "catalog/catalog.h"
#include "hub/key_index_folder.h"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. Each part has the bytes of encode_key.
struct OrderedEntry {
  std::string group;
  std::string order;
  std::string key;
  auto operator<=>(const OrderedEntry&) const = default;
};

using OrderedEntries = std::vector<OrderedEntry>;

// Value. Where it lies, and what it is of: a file that says something else is none.
struct OrderedFile {
  std::string path;
  SqliteFiles files = SqliteFiles::kSystem;
  std::string of;
};

// Value. A place of a group; rows of the same order have the same place.
struct OrderedPlace {
  std::string group;
  std::string order;
};

// Resource. One file. Whatever fails closes it, without what no settle() followed: open it again,
// or create it.
class OrderedIndex final {
 public:
  OrderedIndex(Io& io, OrderedFile file) : io_(io), file_(std::move(file)) {}

  OrderedIndex(const OrderedIndex&) = delete;
  OrderedIndex& operator=(const OrderedIndex&) = delete;

  // What is in the file, as of the stamp; nullopt: nothing usable is there.
  std::optional<IndexStamp> open();
  // An index of no rows, in place of what is there.
  Result<void> create();
  void close();

  bool is_open() const { return catalog_ != nullptr; }

  const std::string& of() const { return file_.of; }

  // In any order; those that are there, or are not there to be erased, do no harm.
  Result<void> add(OrderedEntries entries);
  Result<void> erase(OrderedEntries entries);

  // Ascending, and no more than so many: the first ones of a group, or from a place on, those
  // behind it, or the last ones before it.
  Result<OrderedEntries> of_group(const std::string& group, std::int64_t count_max);
  Result<OrderedEntries> at(const OrderedPlace& place, std::int64_t count_max);
  Result<OrderedEntries> behind(const OrderedPlace& place, std::int64_t count_max);
  Result<OrderedEntries> before(const OrderedPlace& place, std::int64_t count_max);

  // All that was added and erased is of durable commits up to the stamp. `all`: before it is
  // closed.
  Result<void> settle(const IndexStamp& stamp, bool all = false);
  // Moves the file's log once it is longer; not between a change and its settle().
  Result<void> tend_log(std::uint64_t bytes_max);

 private:
  Result<IndexStamp> read_stamp();
  Result<void> make_file();
  Result<void> change(std::string_view sql, OrderedEntries entries);
  Result<void> write_stamp(const IndexStamp& stamp);
  enum class Side { kAt, kFrom, kBehind, kBefore };  // of a place
  Result<OrderedEntries> read(Side side, const OrderedPlace& place, std::int64_t count_max);
  Result<OrderedEntries> read_all(Statement& rows, const std::string& group);
  template <typename T>
  Result<T> or_close(Result<T> result);

  Io& io_;
  const OrderedFile file_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Transaction> transaction_;  // what no settle() followed yet
  std::optional<IndexStamp> stamp_;           // none: it was created, and not settled since
};

// A database that is a cache goes, with its log. While nobody has it open.
Result<void> remove_database(Io& io, const std::string& path);

}  // namespace lockstep
