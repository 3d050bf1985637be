#include "hub/inspect.h"

#include "base/hash.h"
#include "hub/format.h"
#include "hub/inspection.h"
#include "hub/load_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lockstep {

namespace {

constexpr const char* kRepair = "lockstep repair";
constexpr std::int64_t kCommitInHandUs = 600'000'000;
constexpr const char* kStateFolder = "_states";

std::uint64_t sum_of(const std::vector<Orphan>& files) {
  std::uint64_t bytes = 0;
  for (const Orphan& file : files)
    bytes += file.size_bytes;
  return bytes;
}

// Resource. One look at a hub.
class Inspection {
 public:
  Inspection(Io& io, const HubPaths& paths) : io_(io), paths_(paths) {}

  Result<std::vector<Finding>> run() {
    const Result<FileInfo> info = io_.info(paths_.catalog);
    if (!info.ok() && info.error().code == Code::kNotFound) {
      return make_error(Code::kNoHub,
                        fmt::format("there is no hub at {}", paths_.catalog),
                        "make one: lockstep sync");
    }
    TRY(info);
    std::vector<Orphan> listed = TRY(files_below(io_, paths_.data));
    const Result<void> looked = look_at_catalog();
    if (!looked.ok()) {
      if (looked.error().code == Code::kNoHub || looked.error().code == Code::kTooNew)
        return looked.error();
      add(FindingLevel::kFail, "catalog", looked.error().message, kRestore);
      return std::move(findings_);
    }
    // One that fails does not keep the others from being looked at.
    note("catalog", look_at_rows());
    note("files", look_at_files());
    note("states", look_at_states());
    note("orphans", look_at_orphans(std::move(listed)));
    note("indexes", look_at_indexes());
    return std::move(findings_);
  }

 private:
  void add(FindingLevel level, std::string what, std::string message, std::string hint = {}) {
    findings_.push_back({level, std::move(what), std::move(message), std::move(hint)});
  }

  void note(const char* what, const Result<void>& looked) {
    if (!looked.ok()) add(FindingLevel::kFail, what, looked.error().message, kRestore);
  }

  Result<void> look_at_catalog() {
    catalog_ = TRY(open_sqlite(io_, paths_.catalog, CatalogMode::kRead));
    view_ = TRY(catalog_->begin_read());
    const std::int64_t format = TRY(hub_format(*catalog_));
    TRY(check_lake_version(*catalog_));
    const std::vector<std::string> damage = TRY(page_damage(*catalog_));
    for (const std::string& text : damage)
      add(FindingLevel::kFail, "catalog", text, kRestore);
    if (damage.empty()) add(FindingLevel::kOk, "catalog", "its pages and indexes are whole");
    const std::string upgraded =
        format < kHubFormat ? fmt::format("; the next writer brings it to {}", kHubFormat) : "";
    add(FindingLevel::kOk, "format", fmt::format("{}{}", format, upgraded));
    return {};
  }

  Result<void> look_at_rows() {
    for (Finding& finding : TRY(inspect_catalog(*catalog_)))
      findings_.push_back(std::move(finding));
    return {};
  }

  // What is wrong with a Parquet file; empty: nothing.
  std::string fault_of(const CatalogFile& file, const std::string& path) {
    const Result<FileInfo> info = io_.info(path);
    if (!info.ok() && info.error().code == Code::kNotFound) return "is missing";
    if (!info.ok()) return info.error().message;
    if (info.value().size_bytes != file.size_bytes)
      return fmt::format(
          "has {} bytes, the catalog says {}", info.value().size_bytes, file.size_bytes);
    const auto reader = open_parquet_reader(io_, path);
    if (!reader.ok()) return fmt::format("cannot be read: {}", reader.error().message);
    const std::int64_t rows = reader.value()->row_count();
    if (rows == file.row_count) return "";
    return fmt::format("has {} rows, the catalog says {}", rows, file.row_count);
  }

  Result<void> look_at_files() {
    std::int64_t count = 0;
    std::uint64_t bytes = 0;
    bool whole = true;
    for (const CatalogFile& file : TRY(catalog_files(*catalog_))) {
      if (file.kind == FileKind::kState) continue;
      const std::string path = file.is_relative ? paths_.data + file.path : file.path;
      const std::string fault = fault_of(file, path);
      if (!fault.empty()) add(FindingLevel::kFail, "files", path + " " + fault, kRestore);
      whole = whole && fault.empty();
      ++count;
      bytes += file.size_bytes;
    }
    if (whole) add(FindingLevel::kOk, "files", fmt::format("{} files, {} bytes", count, bytes));
    return {};
  }

  Result<void> look_at_states() {
    const std::vector<BadState> bad = TRY(bad_states(io_, paths_, *catalog_));
    for (const BadState& state : bad) {
      add(FindingLevel::kWarn,
          "states",
          fmt::format("{}{} {}; a state is a cache", paths_.data, state.path, state.why),
          kRepair);
    }
    if (bad.empty()) add(FindingLevel::kOk, "states", "each has its hash");
    return {};
  }

  // A commit in hand has files that the catalog does not name yet.
  bool somebody_writes() {
    const auto lock = io_.lock(paths_.catalog + ".lock");
    return !lock.ok() && lock.error().code == Code::kLocked;
  }

  Result<void> look_at_orphans(std::vector<Orphan> listed) {
    std::vector<Orphan> found = TRY(orphans(paths_, *catalog_, std::move(listed)));
    const std::vector<Orphan> load = TRY(take_of_load(io_, paths_, found));
    if (!load.empty()) {
      add(FindingLevel::kOk,
          "load",
          fmt::format("a load is not finished, {} files, {} bytes; sync goes on with it",
                      load.size(),
                      sum_of(load)));
    }
    if (!found.empty() && somebody_writes()) {
      const std::int64_t since_us = io_.now_us() - kCommitInHandUs;
      std::erase_if(found, [&](const Orphan& file) { return file.modified_us > since_us; });
    }
    if (found.empty()) {
      add(FindingLevel::kOk, "orphans", "no file that no snapshot names");
      return {};
    }
    add(FindingLevel::kWarn,
        "orphans",
        fmt::format("{} files, {} bytes, are named by no snapshot: {}{}",
                    found.size(),
                    sum_of(found),
                    found.front().path,
                    found.size() > 1 ? " ..." : ""),
        kRepair);
    return {};
  }

  Result<void> look_at_indexes() {
    const std::vector<BadIndex> bad = TRY(bad_indexes(io_, paths_, *catalog_));
    for (const BadIndex& index : bad) {
      add(FindingLevel::kWarn,
          "indexes",
          fmt::format("{}: {}; an index is a cache", index.of, index.why),
          kRepair);
    }
    if (bad.empty()) add(FindingLevel::kOk, "indexes", "each is as it was written");
    return {};
  }

  Io& io_;
  const HubPaths& paths_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Transaction> view_;  // before catalog_ goes
  std::vector<Finding> findings_;
};

}  // namespace

Result<std::vector<BadState>> bad_states(Io& io, const HubPaths& paths, Catalog& catalog) {
  std::vector<BadState> bad;
  for (const CatalogFile& file : TRY(catalog_files(catalog))) {
    if (file.kind != FileKind::kState) continue;
    const Result<std::string> bytes = read_file(io, paths.data + file.path, file.size_bytes);
    if (!bytes.ok() && bytes.error().code == Code::kNotFound) {
      bad.push_back({file.path, "is missing"});
    } else if (!bytes.ok()) {
      bad.push_back({file.path, "cannot be read: " + bytes.error().message});
    } else if (sha256_hex(bytes.value()) != file.sha256) {
      bad.push_back({file.path, "is not what was stored"});
    }
  }
  return bad;
}

Result<std::vector<Orphan>> files_below(Io& io, const std::string& data) {
  std::vector<Orphan> files;
  std::vector<std::string> folders = {data};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    const Result<std::vector<FileInfo>> listed = io.list(folder);
    if (!listed.ok() && listed.error().code == Code::kNotFound) continue;
    for (const FileInfo& info : TRY(listed)) {
      const std::string name = file_name(info.path);
      // Other caches keep their own house.
      const bool foreign = folder == data && name.starts_with('_') && name != kStateFolder;
      if (info.is_directory && !foreign) folders.push_back(info.path);
      if (!info.is_directory) files.push_back({info.path, info.size_bytes, info.modified_us});
    }
  }
  return files;
}

Result<std::vector<Orphan>> orphans(const HubPaths& paths,
                                    Catalog& catalog,
                                    std::vector<Orphan> files) {
  std::set<std::string> named;
  for (const auto& list : {TRY(catalog_files(catalog)), TRY(scheduled_files(catalog))}) {
    for (const CatalogFile& file : list)
      named.insert(file.is_relative ? paths.data + file.path : file.path);
  }
  std::erase_if(files, [&](const Orphan& file) { return named.contains(file.path); });
  return files;
}

Result<std::vector<Orphan>> take_of_load(Io& io,
                                         const HubPaths& paths,
                                         std::vector<Orphan>& files) {
  const std::string prefix = TRY(left_load_prefix(io, paths.data));
  const auto others = std::ranges::partition(
      files, [&](const Orphan& file) { return is_of_load(prefix, file_name(file.path)); });
  std::vector<Orphan> taken(files.begin(), others.begin());
  files.erase(files.begin(), others.begin());
  return taken;
}

Result<std::vector<Finding>> inspect_hub(Io& io, const HubPlace& place) {
  const HubPaths paths = TRY(resolve_place(io, place));
  return Inspection(io, paths).run();
}

}  // namespace lockstep
