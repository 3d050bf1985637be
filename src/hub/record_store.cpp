#include "hub/record_store.h"

#include "hub/format.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace lockstep {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kHexDigits[byte >> 4U];
    hex += kHexDigits[byte & 15U];
  }
  return hex;
}

Result<std::string> bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const std::size_t high = kHexDigits.find(hex[i]);
    const std::size_t low = kHexDigits.find(hex[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) break;
    bytes += static_cast<char>(high * 16 + low);
  }
  if (bytes.size() * 2 == hex.size()) return bytes;
  return make_error(Code::kCorrupt, "the catalog's fingerprint key is not hex digits");
}

constexpr std::array kCommitKinds = {CommitKind::kInit,
                                     CommitKind::kChanges,
                                     CommitKind::kRevert,
                                     CommitKind::kRecalibration,
                                     CommitKind::kAlias,
                                     CommitKind::kConfiguration,
                                     CommitKind::kMaintenance,
                                     CommitKind::kForeign};

constexpr std::string_view kCommitColumns =
    "commit_id, snapshot_id, kind, commit_time, source_time, inserted, updated, deleted, rejected, "
    "message";

std::string select_commits(std::string_view rest) {
  return fmt::format("SELECT {} FROM lockstep_commit {}", kCommitColumns, rest);
}

Result<CommitRecord> read_commit(const Statement& row) {
  CommitRecord record;
  record.id = CommitId{row.integer(0)};
  if (!row.is_null(1)) record.snapshot = SnapshotId{row.integer(1)};
  record.kind = TRY(kind_of_name(row.text(2), kCommitKinds, commit_kind_name));
  record.time = Timestamp{row.integer(3)};
  if (!row.is_null(4)) record.source_time = Timestamp{row.integer(4)};
  record.inserted = row.integer(5);
  record.updated = row.integer(6);
  record.deleted = row.integer(7);
  record.rejected = row.integer(8);
  record.message = row.text(9);
  return record;
}

Result<TableRecord> read_table(const Statement& row) {
  TableRecord record;
  record.table_id = row.integer(0);
  record.layer = row.text(1);
  record.dataset = row.text(2);
  const auto key = nlohmann::json::parse(row.text(3), nullptr, false);
  bool is_valid = key.is_array() && !key.empty();
  for (const auto& name : key) {
    is_valid = is_valid && name.is_string();
    if (is_valid) record.key.push_back(name.get<std::string>());
  }
  if (is_valid) return record;
  return make_error(Code::kCorrupt,
                    "the catalog's key of table " + record.layer + "." + record.dataset +
                        " is no list of names: " + std::string(row.text(3)));
}

// A name that is no UTF-8 makes the library throw.
Result<std::string> key_json(const TableRecord& table) {
  LOCKSTEP_ASSERT(!table.key.empty(), "a table without a key");
  try {
    return nlohmann::json(table.key).dump();
  } catch (const nlohmann::json::exception& exception) {
    return invalid("the key of table " + table.layer + "." + table.dataset +
                   " cannot be stored: " + exception.what());
  }
}

}  // namespace

Result<void> RecordStore::initialize(const HubIdentity& identity) {
  LOCKSTEP_ASSERT(identity.fingerprint_key.size() == 32, "a fingerprint key has 32 bytes");
  LOCKSTEP_ASSERT(!identity.hub_id.empty(), "a hub without an id");
  TRY(put_meta("format", std::to_string(kHubFormat)));
  TRY(put_meta("hub_id", identity.hub_id));
  TRY(put_meta("fingerprint_key", hex_of(identity.fingerprint_key)));
  TRY(put_configuration(identity.configuration));
  return put_epoch(0);
}

Result<std::optional<std::string>> RecordStore::meta(std::string_view key) {
  return read_row(
      catalog_, "SELECT value FROM lockstep_meta WHERE key = ?", {std::string(key)}, text_row);
}

Result<std::string> RecordStore::required_meta(std::string_view key) {
  std::optional<std::string> value = TRY(meta(key));
  if (value.has_value()) return *std::move(value);
  return make_error(Code::kCorrupt, "the catalog has no " + std::string(key) + " in lockstep_meta");
}

Result<void> RecordStore::put_meta(std::string_view key, std::string_view value) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_meta(key, value) VALUES (?, ?) "
                   "ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                   {std::string(key), std::string(value)});
}

Result<std::string> RecordStore::configuration() {
  return required_meta("configuration");
}

Result<void> RecordStore::put_configuration(std::string_view configuration) {
  return put_meta("configuration", configuration);
}

Result<std::string> RecordStore::hub_id() {
  return required_meta("hub_id");
}

Result<std::string> RecordStore::fingerprint_key() {
  const std::string hex = TRY(required_meta("fingerprint_key"));
  std::string key = TRY(bytes_of(hex));
  if (key.size() == 32) return key;
  return make_error(Code::kCorrupt, "the catalog's fingerprint key does not have 32 bytes");
}

Result<std::int64_t> RecordStore::epoch() {
  const std::string text = TRY(required_meta("epoch"));
  std::int64_t epoch = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, epoch);
  if (error == std::errc() && rest == end) return epoch;
  return make_error(Code::kCorrupt, "the catalog's epoch is not a number: " + text);
}

Result<void> RecordStore::put_epoch(std::int64_t epoch) {
  return put_meta("epoch", std::to_string(epoch));
}

Result<void> RecordStore::insert_table(const TableRecord& table) {
  const std::string key = TRY(key_json(table));
  return write_row(catalog_,
                   "INSERT INTO lockstep_table(table_id, layer, dataset, key) VALUES (?, ?, ?, ?)",
                   {table.table_id, table.layer, table.dataset, key});
}

Result<void> RecordStore::put_table_key(std::int64_t table_id,
                                        const std::vector<std::string>& key) {
  TableRecord record = TRY(table(table_id)).value_or(TableRecord{});
  record.key = key;
  return write_row(catalog_,
                   "UPDATE lockstep_table SET key = ? WHERE table_id = ?",
                   {TRY(key_json(record)), table_id});
}

Result<std::vector<TableRecord>> RecordStore::tables() {
  return read_rows(catalog_,
                   "SELECT table_id, layer, dataset, key FROM lockstep_table ORDER BY table_id",
                   {},
                   read_table);
}

Result<std::optional<TableRecord>> RecordStore::table(std::int64_t table_id) {
  return read_row(catalog_,
                  "SELECT table_id, layer, dataset, key FROM lockstep_table WHERE table_id = ?",
                  {table_id},
                  read_table);
}

Result<CommitId> RecordStore::next_commit_id() {
  const Cell newest = TRY(catalog_.single("SELECT max(commit_id) FROM lockstep_commit"));
  const auto* const id = std::get_if<std::int64_t>(&newest);
  return id == nullptr ? CommitId{0} : CommitId{*id + 1};
}

Result<void> RecordStore::insert_commit(const CommitRecord& record) {
  Cell snapshot;
  if (record.snapshot.has_value()) snapshot = number(*record.snapshot);
  Cell source_time;
  if (record.source_time.has_value()) source_time = record.source_time->us;
  static const std::string kInsert = fmt::format(
      "INSERT INTO lockstep_commit({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kCommitColumns);
  return write_row(catalog_,
                   kInsert,
                   {number(record.id),
                    snapshot,
                    std::string(commit_kind_name(record.kind)),
                    record.time.us,
                    source_time,
                    record.inserted,
                    record.updated,
                    record.deleted,
                    record.rejected,
                    record.message});
}

Result<std::optional<CommitRecord>> RecordStore::newest_commit() {
  return read_row(catalog_, select_commits("ORDER BY commit_id DESC LIMIT 1"), {}, read_commit);
}

Result<std::vector<CommitRecord>> RecordStore::commits(const CommitRange& range) {
  LOCKSTEP_ASSERT(range.count >= 0, "a negative number of commits");
  const std::int64_t last = TRY(last_commit_until(range.until));
  // Of the commits most may have lost their snapshots, so that those that are kept are gone
  // through.
  static const std::string kWithRows = fmt::format(
      "WHERE commit_id IN (SELECT c.commit_id FROM ducklake_snapshot s "
      "CROSS JOIN lockstep_commit c ON c.snapshot_id = s.snapshot_id WHERE c.commit_id <= ? AND "
      "c.kind NOT IN ('{}', '{}') "
      "ORDER BY s.snapshot_id DESC LIMIT ?) ORDER BY commit_id DESC",
      commit_kind_name(CommitKind::kInit),
      commit_kind_name(CommitKind::kMaintenance));
  return read_rows(
      catalog_,
      select_commits(range.with_rows ? kWithRows
                                     : "WHERE commit_id <= ? ORDER BY commit_id DESC LIMIT ?"),
      {last, range.count},
      read_commit);
}

// Times rise with the ids (hub-6), so that a few rows tell, however many there are. -1: all are
// younger.
Result<std::int64_t> RecordStore::last_commit_until(const std::optional<Timestamp>& until) {
  std::int64_t high = number(TRY(next_commit_id())) - 1;
  if (!until) return high;
  std::int64_t low = -1;
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    const Cell time = TRY(catalog_.single(
        "SELECT commit_time FROM lockstep_commit WHERE commit_id >= ? ORDER BY commit_id LIMIT 1",
        {middle}));
    if (std::get<std::int64_t>(time) <= until->us) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

Result<std::optional<CommitRecord>> RecordStore::commit_of_snapshot(SnapshotId snapshot) {
  return read_row(
      catalog_, select_commits("WHERE snapshot_id = ?"), {number(snapshot)}, read_commit);
}

Result<void> RecordStore::put_position(const PositionRecord& record) {
  if (record.position.empty()) {
    return write_row(catalog_,
                     "DELETE FROM lockstep_position WHERE source = ? AND part = ?",
                     {record.source, record.part});
  }
  return write_row(catalog_,
                   "INSERT INTO lockstep_position(source, part, position, commit_id) "
                   "VALUES (?, ?, ?, ?) ON CONFLICT(source, part) DO UPDATE SET "
                   "position = excluded.position, commit_id = excluded.commit_id",
                   {record.source, record.part, record.position, number(record.commit)});
}

Result<void> RecordStore::forget_positions(const std::string& source) {
  return write_row(catalog_, "DELETE FROM lockstep_position WHERE source = ?", {source});
}

Result<std::map<std::string, PositionParts>> RecordStore::positions() {
  const auto read = [](const Statement& row) -> Result<PositionRecord> {
    return PositionRecord{
        std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), CommitId{}};
  };
  const auto records =
      TRY(read_rows(catalog_, "SELECT source, part, position FROM lockstep_position", {}, read));
  std::map<std::string, PositionParts> by_source;
  for (const PositionRecord& record : records)
    by_source[record.source][record.part] = record.position;
  return by_source;
}

}  // namespace lockstep
