#include "hub/ordered_index.h"

#include "base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {

namespace {

// The stamp follows the newest snapshot at least so closely, since the snapshot of a stamp has to
// be there when the index is opened.
constexpr std::int64_t kStampSnapshotsMax = 1'000;

constexpr std::string_view kSchema =
    "CREATE TABLE entry(group_key BLOB NOT NULL, order_key BLOB NOT NULL, row_key BLOB NOT NULL, "
    "PRIMARY KEY(group_key, order_key, row_key)) WITHOUT ROWID; "
    "CREATE TABLE covered(of TEXT NOT NULL, snapshot INTEGER NOT NULL, time_us INTEGER NOT NULL, "
    "next_file_id INTEGER NOT NULL)";

Result<void> remove_if_there(Io& io, const std::string& path) {
  Result<void> removed = io.remove(path);
  if (!removed.ok() && removed.error().code == Code::kNotFound) return {};
  return removed;
}

}  // namespace

// The database first: without the log that was half moved into it, it would be wrong in silence,
// while a log without a database is nothing to SQLite. And durably, so that no database to come
// meets this log.
Result<void> remove_database(Io& io, const std::string& path) {
  TRY(remove_if_there(io, path));
  TRY(io.sync_directory(parent_path(path)));
  for (const char* ending : {"-wal", "-shm", "-journal"})
    TRY(remove_if_there(io, path + ending));
  return io.sync_directory(parent_path(path));
}

template <typename T>
Result<T> OrderedIndex::or_close(Result<T> result) {
  if (!result.ok()) close();
  return result;
}

void OrderedIndex::close() {
  transaction_.reset();
  catalog_.reset();
  stamp_.reset();
}

std::optional<IndexStamp> OrderedIndex::open() {
  LOCKSTEP_ASSERT(!is_open(), "hub: an ordered index is opened twice");
  auto catalog = open_sqlite(io_, file_.path, CatalogMode::kWrite, file_.files, SqliteUse::kCache);
  // Whatever is wrong with it: the index is made again, and what hinders that is told.
  if (!catalog.ok()) return std::nullopt;
  catalog_ = std::move(catalog).value();
  const Result<IndexStamp> stamp = or_close(read_stamp());
  if (!stamp.ok()) return std::nullopt;
  stamp_ = stamp.value();
  return stamp_;
}

Result<IndexStamp> OrderedIndex::read_stamp() {
  Statement* row = TRY(catalog_->cached("SELECT of, snapshot, time_us, next_file_id FROM covered"));
  const bool is_there = TRY(row->step());
  const IndexStamp stamp{
      .snapshot = row->integer(1), .time_us = row->integer(2), .next_file_id = row->integer(3)};
  const bool is_ours = is_there && row->text(0) == file_.of;
  row->reset();
  if (!is_ours) return make_error(Code::kCorrupt, "it is an index of something else");
  return stamp;
}

Result<void> OrderedIndex::create() {
  close();
  return or_close(make_file());
}

Result<void> OrderedIndex::make_file() {
  TRY(io_.make_directories(parent_path(file_.path)));
  TRY(remove_database(io_, file_.path));
  catalog_ =
      TRY(open_sqlite(io_, file_.path, CatalogMode::kCreate, file_.files, SqliteUse::kCache));
  transaction_ = TRY(catalog_->begin());
  return catalog_->execute(kSchema);
}

Result<void> OrderedIndex::add(OrderedEntries entries) {
  return or_close(
      change("INSERT OR IGNORE INTO entry(group_key, order_key, row_key) VALUES (?, ?, ?)",
             std::move(entries)));
}

Result<void> OrderedIndex::erase(OrderedEntries entries) {
  return or_close(change("DELETE FROM entry WHERE group_key = ? AND order_key = ? AND row_key = ?",
                         std::move(entries)));
}

// In their order, so that many of them touch each page of the file once.
Result<void> OrderedIndex::change(std::string_view sql, OrderedEntries entries) {
  LOCKSTEP_ASSERT(is_open(), "hub: an ordered index changes that is not open");
  if (entries.empty()) return {};
  if (transaction_ == nullptr) transaction_ = TRY(catalog_->begin());
  std::ranges::sort(entries);
  Statement* row = TRY(catalog_->cached(sql));
  for (const OrderedEntry& entry : entries) {
    row->bind_blob(0, entry.group);
    row->bind_blob(1, entry.order);
    row->bind_blob(2, entry.key);
    TRY(row->step());
    row->reset();
  }
  return {};
}

Result<OrderedEntries> OrderedIndex::of_group(const std::string& group, std::int64_t count_max) {
  return or_close(read(Side::kFrom, {group, ""}, count_max));
}

Result<OrderedEntries> OrderedIndex::at(const OrderedPlace& place, std::int64_t count_max) {
  return or_close(read(Side::kAt, place, count_max));
}

Result<OrderedEntries> OrderedIndex::behind(const OrderedPlace& place, std::int64_t count_max) {
  return or_close(read(Side::kBehind, place, count_max));
}

Result<OrderedEntries> OrderedIndex::before(const OrderedPlace& place, std::int64_t count_max) {
  auto found = or_close(read(Side::kBefore, place, count_max));
  if (found.ok()) std::ranges::reverse(found.value());
  return found;
}

// The nearest to the place first.
Result<OrderedEntries> OrderedIndex::read(Side side,
                                          const OrderedPlace& place,
                                          std::int64_t count_max) {
  LOCKSTEP_ASSERT(is_open(), "hub: an ordered index is asked that is not open");
  constexpr std::array<const char*, 4> kRelations = {"=", ">=", ">", "<"};
  Statement* rows = TRY(catalog_->cached(
      fmt::format("SELECT order_key, row_key FROM entry WHERE group_key = ?1 AND order_key {0} ?2 "
                  "ORDER BY order_key {1}, row_key {1} LIMIT ?3",
                  kRelations[static_cast<std::size_t>(side)],
                  side == Side::kBefore ? "DESC" : "ASC")));
  rows->bind_blob(0, place.group);
  rows->bind_blob(1, place.order);
  rows->bind_integer(2, count_max);
  Result<OrderedEntries> found = read_all(*rows, place.group);
  rows->reset();
  return found;
}

Result<OrderedEntries> OrderedIndex::read_all(Statement& rows, const std::string& group) {
  OrderedEntries found;
  while (TRY(rows.step()))
    found.push_back({group, std::string(rows.text(0)), std::string(rows.text(1))});
  return found;
}

Result<void> OrderedIndex::settle(const IndexStamp& stamp, bool all) {
  LOCKSTEP_ASSERT(is_open(), "hub: an ordered index is settled that is not open");
  const std::int64_t behind = stamp_ ? stamp.snapshot - stamp_->snapshot : kStampSnapshotsMax;
  LOCKSTEP_ASSERT(behind >= 0, "hub: an ordered index goes back");
  if (transaction_ == nullptr && behind < (all ? 1 : kStampSnapshotsMax)) return {};
  return or_close(write_stamp(stamp));
}

Result<void> OrderedIndex::write_stamp(const IndexStamp& stamp) {
  if (transaction_ == nullptr) transaction_ = TRY(catalog_->begin());
  Statement* row = TRY(catalog_->cached(
      stamp_ ? "UPDATE covered SET of = ?, snapshot = ?, time_us = ?, next_file_id = ?"
             : "INSERT INTO covered(of, snapshot, time_us, next_file_id) VALUES (?, ?, ?, ?)"));
  TRY(row->run({file_.of, stamp.snapshot, stamp.time_us, stamp.next_file_id}));
  TRY(transaction_->commit());
  transaction_.reset();
  stamp_ = stamp;
  return {};
}

Result<void> OrderedIndex::tend_log(std::uint64_t bytes_max) {
  if (transaction_ != nullptr || catalog_->log_bytes() <= bytes_max) return {};
  return or_close(catalog_->checkpoint_beside());
}

}  // namespace lockstep
