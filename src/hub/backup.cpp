#include "hub/backup.h"

#include "catalog/sqlite_copy.h"
#include "hub/backup_manifest.h"
#include "hub/catalog_files.h"
#include "hub/format.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

constexpr const char* kCatalogName = "catalog.sqlite";
constexpr const char* kDataFolder = "data/";
constexpr const char* kManifestName = "manifest.json";
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{1} << 30;
constexpr int kAttempts = 5;

Error not_a_backup(const std::string& folder) {
  return make_error(Code::kNotFound,
                    fmt::format("there is no back-up at {}: it has no {}", folder, kManifestName),
                    "a back-up that was broken off has none; take another: lockstep backup");
}

// What a copied catalog says of itself.
Result<BackupInfo> info_of(Io& io, Catalog& copy) {
  BackupInfo info;
  info.hub_format = TRY(hub_format(copy));
  TRY(check_lake_version(copy));
  RecordStore records(copy);
  info.hub_id = TRY(records.hub_id());
  info.snapshot = SnapshotId{TRY(newest_snapshot(copy)).id};
  if (const auto commit = TRY(records.newest_commit())) info.commit = commit->id;
  info.time = Timestamp{io.now_us()};
  return info;
}

// A state that a newer one replaced meanwhile was a cache: its row goes from the copy.
Result<void> forget_states(Catalog& copy, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    Statement* const forget = TRY(copy.cached("DELETE FROM lockstep_checkpoint WHERE path = ?"));
    TRY(forget->run({path}));
  }
  return {};
}

// Resource. One back-up in the making.
class Backup {
 public:
  Backup(Io& io, const HubPaths& paths, std::string folder, const ByteProgress& progress)
      : io_(io), paths_(paths), folder_(std::move(folder)), progress_(progress) {}

  Result<BackupInfo> run() {
    TRY(take_folder());
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      if (TRY(copy_all())) return finish();
    }
    return make_error(Code::kIo,
                      "files of the hub were removed faster than they could be copied",
                      "let no gc run meanwhile");
  }

 private:
  std::string path(const std::string& name) const { return join_path(folder_, name); }

  Result<void> take_folder() {
    TRY(io_.make_directories(folder_));
    if (TRY(io_.list(folder_)).empty()) return {};
    return make_error(Code::kRefused,
                      fmt::format("{} is not empty", folder_),
                      "name a new folder for each back-up");
  }

  // false: a file that the catalog names was removed before it was copied, so that a newer catalog
  // does without it.
  Result<bool> copy_all() {
    manifest_ = {};
    const Result<void> removed = io_.remove(path(kCatalogName));
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    TRY(copy_sqlite(io_, paths_.catalog, path(kCatalogName), paths_.files));
    std::vector<CatalogFile> files;
    {
      const auto copy = TRY(open_copy());
      manifest_.info = TRY(info_of(io_, *copy));
      files = TRY(catalog_files(*copy));
    }
    std::uint64_t total = 0;
    for (const CatalogFile& file : files)
      total += file.size_bytes;
    std::uint64_t done = 0;
    std::vector<std::string> gone;
    for (const CatalogFile& file : files) {
      const Result<void> copied = copy_one(file);
      if (!copied.ok() && copied.error().code != Code::kNotFound) return copied.error();
      if (!copied.ok() && file.kind != FileKind::kState) {
        if (TRY(is_named(file))) return std::move(copied).error();
        return false;
      }
      if (!copied.ok()) gone.push_back(file.path);
      done += file.size_bytes;
      if (progress_) progress_(done, total);
    }
    if (gone.empty()) return true;
    const auto copy = TRY(open_copy());
    TRY(forget_states(*copy, gone));
    return true;
  }

  // As a writer, which leaves no log beside it.
  Result<std::unique_ptr<Catalog>> open_copy() {
    return open_sqlite(io_, path(kCatalogName), CatalogMode::kWrite, paths_.files);
  }

  // Whether the hub's own catalog still names a file: then it is lost, and not removed.
  Result<bool> is_named(const CatalogFile& file) {
    const auto reader = TRY(open_sqlite(io_, paths_.catalog, CatalogMode::kRead, paths_.files));
    const std::vector<CatalogFile> files = TRY(catalog_files(*reader));
    return std::any_of(files.begin(), files.end(), [&](const CatalogFile& other) {
      return other.path == file.path;
    });
  }

  Result<void> copy_one(const CatalogFile& file) {
    if (!file.is_relative) {
      return make_error(Code::kUnsupported,
                        fmt::format("{} lies outside of the hub's data folder", file.path),
                        "back it up by other means");
    }
    const std::string name = kDataFolder + file.path;
    TRY(io_.make_directories(parent_path(path(name))));
    BackupFile copied = TRY(copy_file(io_, paths_.data + file.path, path(name)));
    const bool same = copied.size_bytes == file.size_bytes &&
                      (file.sha256.empty() || file.sha256 == copied.sha256);
    if (!same && file.kind != FileKind::kState) {
      return make_error(Code::kCorrupt,
                        fmt::format("{} has {} bytes, the catalog says {}",
                                    paths_.data + file.path,
                                    copied.size_bytes,
                                    file.size_bytes),
                        "lockstep doctor");
    }
    if (!same) {
      TRY(io_.remove(path(name)));
      return make_error(Code::kNotFound, "the state is damaged");
    }
    copied.path = name;
    manifest_.files.push_back(std::move(copied));
    return {};
  }

  Result<BackupInfo> finish() {
    BackupFile catalog = TRY(measure_file(io_, path(kCatalogName)));
    catalog.path = kCatalogName;
    manifest_.files.insert(manifest_.files.begin(), std::move(catalog));
    manifest_.info.file_count = static_cast<std::int64_t>(manifest_.files.size()) - 1;
    for (const BackupFile& file : manifest_.files)
      manifest_.info.size_bytes += file.size_bytes;
    TRY(write_file_atomically(io_, path(kManifestName), manifest_text(manifest_)));
    return manifest_.info;
  }

  Io& io_;
  const HubPaths& paths_;
  const std::string folder_;
  const ByteProgress& progress_;
  BackupManifest manifest_;
};

}  // namespace

Result<BackupInfo> backup_hub(Io& io,
                              const HubPlace& place,
                              const std::string& folder,
                              const ByteProgress& progress) {
  const HubPaths paths = TRY(resolve_place(io, place));
  const Result<FileInfo> info = io.info(paths.catalog);
  if (!info.ok() && info.error().code == Code::kNotFound) {
    return make_error(Code::kNoHub,
                      fmt::format("there is no hub at {}", paths.catalog),
                      "make one: lockstep sync");
  }
  return Backup(io, paths, TRY(io.absolute(folder)), progress).run();
}

namespace {

Result<void> check_files(Io& io,
                         const std::string& folder,
                         const BackupManifest& manifest,
                         const ByteProgress& progress) {
  std::uint64_t done = 0;
  for (const BackupFile& file : manifest.files) {
    const Result<BackupFile> read = measure_file(io, join_path(folder, file.path));
    if (!read.ok() && read.error().code != Code::kNotFound) return read.error();
    if (!read.ok() || read.value().sha256 != file.sha256) {
      return make_error(
          Code::kCorrupt,
          fmt::format(
              "the back-up is damaged: {} is {}", file.path, read.ok() ? "changed" : "missing"),
          "take another back-up");
    }
    done += file.size_bytes;
    if (progress) progress(done, 2 * manifest.info.size_bytes);
  }
  return {};
}

Result<void> put_files(Io& io,
                       const std::string& folder,
                       const BackupManifest& manifest,
                       const HubPaths& paths) {
  for (const BackupFile& file : manifest.files) {
    if (!file.path.starts_with(kDataFolder)) continue;
    const std::string to = paths.data + file.path.substr(std::string_view(kDataFolder).size());
    TRY(io.make_directories(parent_path(to)));
    TRY(copy_file(io, join_path(folder, file.path), to));
  }
  return {};
}

// In this order: at no moment does a catalog meet the log of another.
Result<void> put_catalog(Io& io, const std::string& from, const std::string& catalog) {
  const std::string fresh = catalog + ".new";
  TRY(copy_file(io, from, fresh));
  for (const char* ending : {"", "-journal", "-wal", "-shm"}) {
    const Result<void> removed = io.remove(catalog + ending);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  }
  return io.rename(fresh, catalog);
}

// Caches of the hub that was there before.
Result<void> remove_caches(Io& io, const std::string& catalog) {
  const Result<std::vector<FileInfo>> listed = io.list(catalog + ".index");
  if (!listed.ok() && listed.error().code == Code::kNotFound) return {};
  for (const FileInfo& file : TRY(listed)) {
    if (!file.is_directory) TRY(io.remove(file.path));
  }
  return {};
}

}  // namespace

Result<BackupInfo> restore_hub(Io& io,
                               const std::string& folder,
                               const HubPlace& place,
                               const RestoreOptions& options) {
  const HubPaths paths = TRY(resolve_place(io, place));
  const auto text = read_file(io, join_path(folder, kManifestName), kManifestBytesMax);
  if (!text.ok() && text.error().code == Code::kNotFound) return not_a_backup(folder);
  const BackupManifest manifest = TRY(parse_manifest(TRY(text)));
  TRY(io.make_directories(parent_path(paths.catalog)));
  TRY(io.make_directories(paths.data));
  {
    const auto lock =
        TRY_IN(io.lock(paths.catalog + ".lock"), fmt::format("restoring over {}: ", paths.catalog));
    if (io.info(paths.catalog).ok() && !options.force) {
      return make_error(Code::kRefused,
                        fmt::format("there is a hub at {} already", paths.catalog),
                        "--force replaces it; --to names another place");
    }
    TRY(check_files(io, folder, manifest, options.progress));
    TRY(put_files(io, folder, manifest, paths));
    TRY(remove_caches(io, paths.catalog));
    TRY(put_catalog(io, join_path(folder, kCatalogName), paths.catalog));
  }
  // The first writer tells DuckDB where the files lie now.
  TRY_IN(open_hub(io, place, HubMode::kWrite, {}), "opening what was restored: ");
  return manifest.info;
}

}  // namespace lockstep
