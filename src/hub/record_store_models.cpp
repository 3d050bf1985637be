// Models in the record store: definitions, versions, aliases, states, and the caches around them.
#include "hub/record_store.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>

#include <set>

namespace lockstep {
namespace {

constexpr std::array kVersionKinds = {VersionKind::kCalibration,
                                      VersionKind::kIncrement,
                                      VersionKind::kRecalibration,
                                      VersionKind::kRevert};
constexpr std::array kVersionStatuses = {
    VersionStatus::kReady, VersionStatus::kBlocked, VersionStatus::kUnsolved};

constexpr std::string_view kVersionColumns =
    "model, version, snapshot_id, definition, kind, status, reason, folded, tested, refused, "
    "unlabelled, fingerprint, weights_sha256, metrics, parent, duration_us";

std::string select_versions(std::string_view rest) {
  return fmt::format("SELECT {} FROM lockstep_model_version {}", kVersionColumns, rest);
}

std::string select_versions_with_weights(std::string_view rest) {
  return fmt::format("SELECT {}, weights FROM lockstep_model_version {}", kVersionColumns, rest);
}

Result<ModelVersionRecord> read_version(const Statement& row) {
  ModelVersionRecord record;
  record.model = row.text(0);
  record.version = row.integer(1);
  record.snapshot = SnapshotId{row.integer(2)};
  record.definition = row.text(3);
  record.kind = TRY(kind_of_name(row.text(4), kVersionKinds, version_kind_name));
  record.status = TRY(kind_of_name(row.text(5), kVersionStatuses, version_status_name));
  record.reason = row.text(6);
  record.folded = row.integer(7);
  record.tested = row.integer(8);
  record.refused = row.integer(9);
  record.unlabelled = row.integer(10);
  record.fingerprint = row.text(11);
  record.weights_sha256 = row.text(12);
  record.metrics = row.text(13);
  record.parent = optional_integer(row, 14);
  record.duration_us = row.integer(15);
  if (row.column_count() > 16) record.weights = row.text(16);
  return record;
}

constexpr std::string_view kAliasColumns =
    "event_id, model, alias, follow, version, event_time, who, why";

std::string select_aliases(std::string_view rest) {
  return fmt::format("SELECT {} FROM lockstep_alias_event {}", kAliasColumns, rest);
}

Result<AliasEvent> read_alias(const Statement& row) {
  AliasEvent event;
  event.id = row.integer(0);
  event.model = row.text(1);
  event.alias = row.text(2);
  event.follow = row.integer(3) != 0;
  event.version = optional_integer(row, 4);
  event.time = Timestamp{row.integer(5)};
  event.who = row.text(6);
  event.why = row.text(7);
  return event;
}

Result<CheckpointRecord> read_checkpoint_row(const Statement& row) {
  return CheckpointRecord{std::string(row.text(0)),
                          std::string(row.text(1)),
                          SnapshotId{row.integer(2)},
                          std::string(row.text(3)),
                          std::string(row.text(4)),
                          row.integer(5)};
}

}  // namespace

Result<void> RecordStore::add_definition(const DefinitionRecord& record) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_definition(sha256, model, json) VALUES (?, ?, ?) "
                   "ON CONFLICT(sha256) DO NOTHING",
                   {record.sha256, record.model, record.json});
}

Result<std::optional<DefinitionRecord>> RecordStore::definition(const std::string& sha256) {
  const auto read = [](const Statement& row) -> Result<DefinitionRecord> {
    return DefinitionRecord{
        std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2))};
  };
  return read_row(catalog_,
                  "SELECT sha256, model, json FROM lockstep_definition WHERE sha256 = ?",
                  {sha256},
                  read);
}

Result<void> RecordStore::add_version(const ModelVersionRecord& record) {
  auto newest = newest_versions_.find(record.model);
  if (newest == newest_versions_.end()) {
    const Cell found =
        TRY(catalog_.single("SELECT coalesce(max(version), 0) FROM lockstep_model_version "
                            "WHERE model = ?",
                            {record.model}));
    newest = newest_versions_.emplace(record.model, std::get<std::int64_t>(found)).first;
  }
  const std::int64_t next = newest->second + 1;
  if (record.version != next) {
    return invalid("version " + std::to_string(record.version) + " of model " + record.model +
                   " is not its next one, which is " + std::to_string(next));
  }
  static const std::string kInsert = fmt::format(
      "INSERT INTO lockstep_model_version({}, weights) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?, ?, ?, ?, ?, ?, ?)",
      kVersionColumns);
  TRY(write_row(catalog_,
                kInsert,
                {record.model,
                 record.version,
                 number(record.snapshot),
                 record.definition,
                 std::string(version_kind_name(record.kind)),
                 std::string(version_status_name(record.status)),
                 record.reason,
                 record.folded,
                 record.tested,
                 record.refused,
                 record.unlabelled,
                 record.fingerprint,
                 record.weights_sha256,
                 record.metrics,
                 cell_of(record.parent),
                 record.duration_us,
                 Blob{record.weights}}));
  newest->second = record.version;
  return {};
}

Result<std::vector<ModelVersionRecord>> RecordStore::versions(const std::string& model,
                                                              std::int64_t newest_count) {
  LOCKSTEP_ASSERT(newest_count >= 0, "a negative number of versions");
  return read_rows(catalog_,
                   select_versions("WHERE model = ? ORDER BY version DESC LIMIT ?"),
                   {model, newest_count},
                   read_version);
}

Result<std::vector<ModelVersionRecord>> RecordStore::versions_of_snapshot(SnapshotId snapshot) {
  return read_rows(catalog_,
                   select_versions("WHERE snapshot_id = ? ORDER BY model, version"),
                   {number(snapshot)},
                   read_version);
}

Result<std::optional<ModelVersionRecord>> RecordStore::version(const std::string& model,
                                                               std::int64_t version) {
  return read_row(catalog_,
                  select_versions_with_weights("WHERE model = ? AND version = ?"),
                  {model, version},
                  read_version);
}

Result<std::optional<ModelVersionRecord>> RecordStore::newest_version(
    const std::string& model, std::optional<VersionStatus> status) {
  if (!status.has_value()) {
    return read_row(catalog_,
                    select_versions_with_weights("WHERE model = ? ORDER BY version DESC LIMIT 1"),
                    {model},
                    read_version);
  }
  return read_row(
      catalog_,
      select_versions_with_weights("WHERE model = ? AND status = ? ORDER BY version DESC LIMIT 1"),
      {model, std::string(version_status_name(*status))},
      read_version);
}

// From each name to the next by the index: DISTINCT would read every version there is.
Result<std::vector<std::string>> RecordStore::models() {
  return read_rows(catalog_,
                   "WITH RECURSIVE names(model) AS ("
                   "SELECT min(model) FROM lockstep_model_version UNION ALL "
                   "SELECT (SELECT min(v.model) FROM lockstep_model_version v "
                   "WHERE v.model > names.model) FROM names WHERE names.model IS NOT NULL) "
                   "SELECT model FROM names WHERE model IS NOT NULL ORDER BY model",
                   {},
                   text_row);
}

Result<std::int64_t> RecordStore::add_alias_event(const AliasEvent& event) {
  LOCKSTEP_ASSERT(event.follow || event.version.has_value(), "an alias that names nothing");
  const Cell next =
      TRY(catalog_.single("SELECT coalesce(max(event_id), 0) + 1 FROM lockstep_alias_event"));
  TRY(write_row(catalog_,
                fmt::format("INSERT INTO lockstep_alias_event({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                            kAliasColumns),
                {next,
                 event.model,
                 event.alias,
                 std::int64_t{event.follow ? 1 : 0},
                 cell_of(event.version),
                 event.time.us,
                 event.who,
                 event.why}));
  return std::get<std::int64_t>(next);
}

Result<std::vector<AliasEvent>> RecordStore::alias_history(const std::string& model) {
  if (model.empty()) {
    return read_rows(catalog_, select_aliases("ORDER BY event_id"), {}, read_alias);
  }
  return read_rows(
      catalog_, select_aliases("WHERE model = ? ORDER BY event_id"), {model}, read_alias);
}

Result<std::optional<AliasEvent>> RecordStore::alias(const std::string& model,
                                                     const std::string& alias) {
  return read_row(catalog_,
                  select_aliases("WHERE model = ? AND alias = ? ORDER BY event_id DESC LIMIT 1"),
                  {model, alias},
                  read_alias);
}

Result<void> RecordStore::put_model_state(const ModelStateRecord& record) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_model_state(model, json) VALUES (?, ?) "
                   "ON CONFLICT(model) DO UPDATE SET json = excluded.json",
                   {record.model, record.json});
}

Result<std::optional<std::string>> RecordStore::model_state(const std::string& model) {
  return read_row(
      catalog_, "SELECT json FROM lockstep_model_state WHERE model = ?", {model}, text_row);
}

Result<void> RecordStore::add_override(const OverrideRecord& record) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_override(dataset, key, row_hash) VALUES (?, ?, ?) "
                   "ON CONFLICT(dataset, key) DO UPDATE SET row_hash = excluded.row_hash",
                   {record.dataset, Blob{record.key}, Blob{record.row_hash}});
}

Result<void> RecordStore::remove_override(const std::string& dataset, const std::string& key) {
  return write_row(catalog_,
                   "DELETE FROM lockstep_override WHERE dataset = ? AND key = ?",
                   {dataset, Blob{key}});
}

Result<std::map<std::string, std::string>> RecordStore::overrides(const std::string& dataset) {
  using Pair = std::pair<std::string, std::string>;
  const auto read = [](const Statement& row) -> Result<Pair> {
    return Pair{row.text(0), row.text(1)};
  };
  auto pairs = TRY(read_rows(
      catalog_, "SELECT key, row_hash FROM lockstep_override WHERE dataset = ?", {dataset}, read));
  return std::map<std::string, std::string>(pairs.begin(), pairs.end());
}

Result<std::vector<std::string>> RecordStore::add_checkpoint(const CheckpointRecord& record) {
  // The state of a model at a snapshot may have been written before, under another name.
  const auto replaced = TRY(read_rows(catalog_,
                                      "SELECT path FROM lockstep_checkpoint WHERE model = ? "
                                      "AND definition = ? AND snapshot_id = ?",
                                      {record.model, record.definition, number(record.snapshot)},
                                      text_row));
  TRY(write_row(
      catalog_,
      "INSERT OR REPLACE INTO lockstep_checkpoint(model, definition, snapshot_id, path, sha256, "
      "size_bytes) VALUES (?, ?, ?, ?, ?, ?)",
      {record.model,
       record.definition,
       number(record.snapshot),
       record.path,
       record.sha256,
       record.size_bytes}));
  const auto gone = TRY(read_rows(catalog_,
                                  "SELECT path FROM lockstep_checkpoint WHERE model = ? "
                                  "ORDER BY snapshot_id DESC, rowid DESC LIMIT -1 OFFSET 2",
                                  {record.model},
                                  text_row));
  TRY(write_row(catalog_,
                "DELETE FROM lockstep_checkpoint WHERE rowid IN ("
                "SELECT rowid FROM lockstep_checkpoint WHERE model = ? "
                "ORDER BY snapshot_id DESC, rowid DESC LIMIT -1 OFFSET 2)",
                {record.model}));
  // Equal states have equal names, also those of two models.
  std::vector<std::string> unnamed;
  std::set<std::string> candidates(gone.begin(), gone.end());
  candidates.insert(replaced.begin(), replaced.end());
  for (const std::string& path : candidates) {
    const Cell count =
        TRY(catalog_.single("SELECT count(*) FROM lockstep_checkpoint WHERE path = ?", {path}));
    if (count == Cell(std::int64_t{0})) unnamed.push_back(path);
  }
  return unnamed;
}

Result<std::vector<CheckpointRecord>> RecordStore::checkpoints(const std::string& model,
                                                               const std::string& definition,
                                                               SnapshotId at) {
  return read_rows(catalog_,
                   "SELECT model, definition, snapshot_id, path, sha256, size_bytes "
                   "FROM lockstep_checkpoint WHERE model = ? AND definition = ? "
                   "AND snapshot_id <= ? ORDER BY snapshot_id DESC",
                   {model, definition, number(at)},
                   read_checkpoint_row);
}

}  // namespace lockstep
