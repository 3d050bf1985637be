#include "hub/orphans.h"

#include "hub/lake_tables.h"
#include "hub/load_journal.h"

#include <algorithm>
#include <set>
#include <utility>

namespace lockstep {

namespace {

constexpr std::int64_t kAgeMinUs = std::int64_t{3'600} * 1'000'000;
constexpr const char* kStates = "_states/";
constexpr std::int64_t kOrphansAStep = 30;  // so that it stays within milliseconds

// Everything that the catalog names, from the data path on.
constexpr const char* kNamed[] = {
    "SELECT CASE WHEN f.path_is_relative = 0 THEN f.path ELSE s.path || t.path || f.path END FROM "
    "ducklake_data_file f JOIN ducklake_table t ON t.table_id = f.table_id JOIN ducklake_schema s "
    "ON "
    "s.schema_id = t.schema_id WHERE s.path || t.path = ?1",
    "SELECT CASE WHEN f.path_is_relative = 0 THEN f.path ELSE s.path || t.path || f.path END FROM "
    "ducklake_delete_file f JOIN ducklake_table t ON t.table_id = f.table_id JOIN ducklake_schema "
    "s "
    "ON s.schema_id = t.schema_id WHERE s.path || t.path = ?1",
    "SELECT path FROM ducklake_files_scheduled_for_deletion WHERE ?1 <> ''",
    "SELECT path FROM lockstep_checkpoint WHERE ?1 <> ''",
};

bool is_ours(std::string_view folder, std::string_view name) {
  return folder == kStates || (name.starts_with("lockstep-") && name.ends_with(".parquet"));
}

Result<std::set<std::string>> named_files(Catalog& catalog, const std::string& folder) {
  std::set<std::string> named;
  for (const char* query : kNamed) {
    Statement* row = TRY(catalog.cached(query));
    row->bind_text(0, folder);
    while (TRY(row->step()))
      named.emplace(row->text(0));
    row->reset();
  }
  return named;
}

// Those of partitions lie in folders below.
Result<std::vector<FileInfo>> files_in(Io& io, const std::string& folder) {
  std::vector<FileInfo> files;
  std::vector<std::string> folders = {folder};
  while (!folders.empty()) {
    const auto listed = io.list(folders.back());
    folders.pop_back();
    if (!listed.ok() && listed.error().code == Code::kNotFound) continue;
    for (const FileInfo& info : TRY(listed)) {
      if (info.is_directory) {
        folders.push_back(info.path);
      } else {
        files.push_back(info);
      }
    }
  }
  return files;
}

struct LakeFile {
  std::string path;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

}  // namespace

Result<std::vector<std::string>> data_folders(Catalog& catalog) {
  Statement* row =
      TRY(catalog.cached("SELECT DISTINCT s.path || t.path FROM ducklake_table t JOIN "
                         "ducklake_schema s ON s.schema_id = t.schema_id ORDER BY 1"));
  std::vector<std::string> folders = {kStates};
  while (TRY(row->step()))
    folders.emplace_back(row->text(0));
  row->reset();
  return folders;
}

Result<std::vector<std::string>> find_orphans(Catalog& catalog,
                                              Io& io,
                                              const OrphanSearch& search) {
  std::vector<std::string> orphans;
  const auto files = TRY(files_in(io, search.data_path + search.folder));
  const std::int64_t before = io.now_us() - std::max(search.grace_us, kAgeMinUs);
  const std::string load = TRY(left_load_prefix(io, search.data_path));
  std::set<std::string> named;
  for (const FileInfo& file : files) {
    const std::string name = file_name(file.path);
    if (file.modified_us > before || !is_ours(search.folder, name)) continue;
    if (is_of_load(load, name)) continue;  // somebody goes on with it
    if (named.empty()) named = TRY(named_files(catalog, search.folder));
    LOCKSTEP_ASSERT(file.path.starts_with(search.data_path), "hub: a listed file lies elsewhere");
    const std::string below = file.path.substr(search.data_path.size());
    if (!named.contains(below) && !named.contains(file.path)) orphans.push_back(file.path);
  }
  return orphans;
}

Result<std::optional<std::int64_t>> OrphanRound::step(Catalog& catalog,
                                                      const OrphanLimits& limits) {
  if (!found_.empty()) return std::optional(TRY(delete_some()));
  if (thread_.is_underway()) {
    if (limits.background && !thread_.is_done()) return std::optional<std::int64_t>(0);
    thread_.finish();
    LOCKSTEP_ASSERT(looked_.has_value(), "hub: a look for orphans ended without a result");
    found_ = TRY(*std::exchange(looked_, std::nullopt));
    return std::optional<std::int64_t>(0);
  }
  const std::vector<std::string> folders = TRY(data_folders(catalog));
  if (folder_ >= folders.size()) return std::optional<std::int64_t>();
  TRY(begin_look(catalog, folders[folder_++], limits));
  return std::optional<std::int64_t>(0);
}

Result<std::int64_t> OrphanRound::delete_some() {
  std::int64_t deleted = 0;
  while (!found_.empty() && deleted < kOrphansAStep) {
    const auto removed = io_.remove(found_.back());
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    found_.pop_back();
    ++deleted;
  }
  return deleted;
}

Result<void> OrphanRound::begin_look(Catalog& catalog,
                                     const std::string& folder,
                                     const OrphanLimits& limits) {
  const OrphanSearch search{.data_path = data_path_, .folder = folder, .grace_us = limits.grace_us};
  if (limits.background) {
    return thread_.start(
        [this, search](Catalog& reader) { looked_ = find_orphans(reader, io_, search); });
  }
  found_ = TRY(find_orphans(catalog, io_, search));
  return {};
}

Result<std::vector<std::string>> files_of_snapshots_only(
    Catalog& catalog, const std::vector<std::int64_t>& snapshots) {
  Statement* kept_row =
      TRY(catalog.cached("SELECT snapshot_id FROM ducklake_snapshot ORDER BY snapshot_id"));
  std::vector<std::int64_t> kept;
  while (TRY(kept_row->step())) {
    const std::int64_t id = kept_row->integer(0);
    if (!std::binary_search(snapshots.begin(), snapshots.end(), id)) kept.push_back(id);
  }
  kept_row->reset();
  Statement* row = TRY(catalog.cached(
      "SELECT s.path || t.path || f.path, f.begin_snapshot, f.end_snapshot FROM ducklake_data_file "
      "f JOIN ducklake_table t ON t.table_id = f.table_id JOIN ducklake_schema s ON s.schema_id = "
      "t.schema_id WHERE f.end_snapshot IS NOT NULL GROUP BY f.data_file_id"));
  std::vector<std::string> files;
  while (TRY(row->step())) {
    const auto first = std::lower_bound(kept.begin(), kept.end(), row->integer(1));
    if (first == kept.end() || *first >= row->integer(2)) files.emplace_back(row->text(0));
  }
  row->reset();
  Statement* waiting =
      TRY(catalog.cached("SELECT path FROM ducklake_files_scheduled_for_deletion"));
  while (TRY(waiting->step()))
    files.emplace_back(waiting->text(0));
  waiting->reset();
  return files;
}

}  // namespace lockstep
