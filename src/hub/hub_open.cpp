#include "hub/format.h"
#include "hub/hub_over_ducklake.h"
#include "hub/lake_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

constexpr std::string_view kSqlitePrefix = "sqlite:";
constexpr std::string_view kSqliteOnIoPrefix = "sqlite-on-io:";

std::string owner_path(const std::string& catalog) {
  return catalog + ".writer";
}

std::string random_key(Io& io) {
  std::array<std::byte, 32> bytes{};
  io.random_bytes(bytes);
  std::string key;
  for (const std::byte byte : bytes)
    key.push_back(static_cast<char>(byte));
  return key;
}

Result<void> fill_catalog(Catalog& catalog,
                          Io& io,
                          const HubPaths& paths,
                          const std::string& configuration) {
  const auto transaction = TRY(catalog.begin());
  RecordStore records(catalog);
  const bool joins = catalog.table_exists("ducklake_metadata");
  const LakeSnapshot snapshot = joins ? TRY(join_lake(catalog, io, paths.data))
                                      : TRY(create_lake(catalog, io, paths.data, {io.now_us()}));
  TRY(records.create_tables());
  TRY(records.initialize({.hub_id = random_uuid(io),
                          .fingerprint_key = random_key(io),
                          .configuration = configuration}));
  CommitRecord commit;
  commit.id = TRY(records.next_commit_id());
  commit.snapshot = SnapshotId{snapshot.id};
  commit.kind = CommitKind::kInit;
  commit.time = snapshot.time;
  commit.message = joins ? "the lake becomes a hub" : "the hub is made";
  TRY(records.insert_commit(commit));
  return transaction->commit();
}

// The catalog is closed when it returns, and its log is in it.
Result<void> fill_file(Io& io, const HubPaths& paths, const std::string& configuration) {
  const auto catalog = TRY(open_sqlite(io, paths.catalog, CatalogMode::kCreate, paths.files));
  if (catalog->table_exists("lockstep_meta")) {
    return make_error(Code::kRefused,
                      fmt::format("there is a hub at {} already", paths.catalog),
                      "use it, or name another place in the configuration");
  }
  TRY(fill_catalog(*catalog, io, paths, configuration));
  return catalog->checkpoint();  // here, since closing tells no error
}

// What a process left that died while it made the hub.
Result<void> remove_unfinished(Io& io, const std::string& catalog) {
  for (const char* ending : {"", "-journal", "-wal", "-shm"}) {
    const Result<void> removed = io.remove(catalog + ending);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  }
  return {};
}

Error another_writer(Io& io, const HubPaths& paths) {
  const auto owner = read_file(io, owner_path(paths.catalog), 1024);
  return make_error(Code::kLocked,
                    fmt::format("another writer holds the hub {}{}",
                                paths.catalog,
                                owner.ok() ? ": " + owner.value() : std::string()),
                    "wait for it to end, or send the command to it");
}

}  // namespace

Result<HubPaths> resolve_place(Io& io, const HubPlace& place) {
  HubPaths paths;
  std::string_view prefix = kSqlitePrefix;
  if (place.catalog.starts_with(kSqliteOnIoPrefix)) {
    prefix = kSqliteOnIoPrefix;
    paths.files = SqliteFiles::kIo;
  }
  if (!place.catalog.starts_with(prefix)) {
    return make_error(Code::kUnsupported,
                      fmt::format("the catalog {} is no SQLite file", place.catalog),
                      "write it as sqlite:PATH");
  }
  paths.catalog = TRY(io.absolute(place.catalog.substr(prefix.size())));
  paths.data = TRY(io.absolute(place.data));
  paths.foreign = place.foreign;
  if (!paths.data.ends_with('/')) paths.data += '/';
  return paths;
}

Result<void> Hub::create(Io& io, const HubPlace& place, const std::string& configuration) {
  const HubPaths paths = TRY(resolve_place(io, place));
  TRY(io.make_directories(parent_path(paths.catalog)));
  TRY(io.make_directories(paths.data));
  auto lock = io.lock(paths.catalog + ".lock");
  if (!lock.ok()) {
    return lock.error().code == Code::kLocked ? another_writer(io, paths) : std::move(lock).error();
  }
  if (io.info(paths.catalog).ok()) return fill_file(io, paths, configuration);
  // Under another name until it is whole: a reader finds a hub or none, whenever this process dies.
  HubPaths unfinished = paths;
  unfinished.catalog += ".new";
  TRY(remove_unfinished(io, unfinished.catalog));
  TRY(fill_file(io, unfinished, configuration));
  // Under the other name nobody would find it.
  if (io.info(unfinished.catalog + "-wal").ok()) {
    return make_error(Code::kIo,
                      fmt::format("the log of the new catalog {} stays", unfinished.catalog),
                      "try again");
  }
  Result<void> named = io.rename(unfinished.catalog, paths.catalog);
  // A name that may not be durable must not be taken for a hub: the next attempt makes it anew.
  if (!named.ok()) static_cast<void>(io.remove(paths.catalog));
  return named;
}

Result<std::unique_ptr<Hub>> open_hub(Io& io,
                                      const HubPlace& place,
                                      HubMode mode,
                                      const HubOptions& options) {
  auto hub = std::make_unique<HubOverDuckLake>(io, TRY(resolve_place(io, place)), mode, options);
  TRY(hub->start());
  return std::unique_ptr<Hub>(std::move(hub));
}

HubOverDuckLake::HubOverDuckLake(Io& io, HubPaths paths, HubMode mode, const HubOptions& options)
    : HubRecords(mode), io_(io), paths_(std::move(paths)), options_(options) {
}

HubOverDuckLake::~HubOverDuckLake() {
  drop_compaction();
  close_indexes();
  records_.reset();  // before the catalog that it reads
}

Result<void> HubOverDuckLake::start() {
  const bool writes = mode_ == HubMode::kWrite;
  const auto missing = io_.info(paths_.catalog);
  if (!missing.ok() && missing.error().code == Code::kNotFound) {
    return make_error(Code::kNoHub,
                      fmt::format("there is no hub at {}", paths_.catalog),
                      "make one: lockstep sync");
  }
  if (writes) TRY(take_lock());
  if (!writes) lease_ = Lease::take(io_, paths_.catalog);
  catalog_ = TRY(open_sqlite(
      io_, paths_.catalog, writes ? CatalogMode::kWrite : CatalogMode::kRead, paths_.files));
  records_ = std::make_unique<RecordStore>(*catalog_);
  TRY(hub_format(*catalog_));
  TRY(check_lake_version(*catalog_));
  files_ = std::make_unique<DataFiles>(*catalog_, io_, paths_.data);
  if (writes) TRY(take_epoch());
  TRY(load_states());
  if (!writes) return {};
  TRY(open_indexes());
  // What somebody else committed has no commit of ours: their rows have no model versions and no
  // positions.
  if (!TRY(has_foreign_commits())) return discard_stale_load();
  foreign_count_ = kNotAdopted;
  if (paths_.foreign == ForeignCommits::kAdopt) return {};
  return foreign_commit_error(latest_.id, TRY(newest_own_snapshot()));
}

Result<void> HubOverDuckLake::take_lock() {
  auto lock = io_.lock(paths_.catalog + ".lock");
  if (!lock.ok()) {
    if (lock.error().code == Code::kLocked) return another_writer(io_, paths_);
    return std::move(lock).error();
  }
  lock_ = std::move(lock).value();
  return write_file_atomically(
      io_, owner_path(paths_.catalog), fmt::format("process {}", io_.process_id()));
}

Result<void> HubOverDuckLake::take_epoch() {
  const auto transaction = TRY(catalog_->begin());
  TRY(upgrade_hub_format(*catalog_));
  epoch_ = TRY(records_->epoch()) + 1;
  TRY(records_->put_epoch(epoch_));
  TRY(adopt_data_path());
  return transaction->commit();
}

// A hub that was moved, or restored elsewhere, tells DuckDB where its files lie now.
Result<void> HubOverDuckLake::adopt_data_path() {
  Statement* update =
      TRY(catalog_->cached("UPDATE ducklake_metadata SET \"value\" = ?1 WHERE \"key\" = "
                           "'data_path' AND \"value\" <> ?1"));
  return update->run({paths_.data});
}

Result<void> HubOverDuckLake::load_states() {
  view_.reset();
  auto view = TRY(catalog_->begin_read());
  latest_ = TRY(newest_snapshot(*catalog_));
  const auto newest = TRY(records_->newest_commit());
  last_time_ = latest_.time;
  if (newest) last_time_ = std::max(last_time_, newest->time);
  next_commit_ = newest ? CommitId{number(newest->id) + 1} : CommitId{0};
  states_.clear();
  const std::vector<TableRecord> tables = TRY(records_->tables());
  for (LakeTable& table : TRY(load_tables(*catalog_, tables, latest_.id))) {
    auto state = std::make_unique<TableState>();
    const TableName name = table.definition.name;
    state->lake = std::move(table);
    states_.emplace(name, std::move(state));
  }
  // A reader goes on seeing this state, records and rows alike, until it asks for a newer one.
  if (mode_ == HubMode::kRead) view_ = std::move(view);
  return {};
}

Result<void> HubOverDuckLake::refresh() {
  if (mode_ == HubMode::kWrite) return {};  // a writer knows what it wrote
  return load_states();
}

}  // namespace lockstep
