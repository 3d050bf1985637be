#include "hub/backup_manifest.h"

#include "base/hash.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kManifestFormat = 1;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Reads a file in pieces.
Result<BackupFile> read_pieces(
    Io& io,
    const std::string& path,
    const std::function<Result<void>(std::uint64_t, std::string_view)>& take) {
  const std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kRead));
  Sha256 hash;
  BackupFile read;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const std::size_t count =
        TRY(file->read_at(read.size_bytes, std::as_writable_bytes(std::span(piece))));
    if (count == 0) break;
    const std::string_view bytes(piece.data(), count);
    hash.add(bytes);
    TRY(take(read.size_bytes, bytes));
    read.size_bytes += count;
  }
  read.path = path;
  read.sha256 = hash.hex();
  return read;
}

// A file of a back-up lies in its folder, whatever the manifest says.
bool is_below(const std::string& path) {
  return !path.empty() && path.front() != '/' &&
         ("/" + path + "/").find("/../") == std::string::npos;
}

Result<BackupManifest> manifest_of(const Json& json) {
  BackupManifest manifest;
  manifest.info.hub_id = json.at("hub_id").get<std::string>();
  manifest.info.hub_format = json.at("hub_format").get<std::int64_t>();
  manifest.info.snapshot = SnapshotId{json.at("snapshot").get<std::int64_t>()};
  manifest.info.commit = CommitId{json.at("commit").get<std::int64_t>()};
  manifest.info.time = Timestamp{json.at("time_us").get<std::int64_t>()};
  for (const Json& file : json.at("files")) {
    manifest.files.push_back({file.at("path").get<std::string>(),
                              file.at("size_bytes").get<std::uint64_t>(),
                              file.at("sha256").get<std::string>()});
    if (!is_below(manifest.files.back().path))
      return make_error(Code::kCorrupt, "manifest.json names a file outside of its folder");
    manifest.info.size_bytes += manifest.files.back().size_bytes;
  }
  if (manifest.files.empty()) return make_error(Code::kCorrupt, "manifest.json names no catalog");
  manifest.info.file_count = static_cast<std::int64_t>(manifest.files.size()) - 1;
  return manifest;
}

}  // namespace

std::string manifest_text(const BackupManifest& manifest) {
  Json json;
  json["format"] = kManifestFormat;
  json["hub_id"] = manifest.info.hub_id;
  json["hub_format"] = manifest.info.hub_format;
  json["snapshot"] = number(manifest.info.snapshot);
  json["commit"] = number(manifest.info.commit);
  json["time_us"] = manifest.info.time.us;
  json["files"] = Json::array();
  for (const BackupFile& file : manifest.files) {
    json["files"].push_back(
        {{"path", file.path}, {"size_bytes", file.size_bytes}, {"sha256", file.sha256}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BackupManifest> parse_manifest(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    const std::int64_t format = json.at("format").get<std::int64_t>();
    if (format <= kManifestFormat) return manifest_of(json);
    return make_error(
        Code::kTooNew,
        fmt::format(
            "the back-up has format {}, and this program knows {}", format, kManifestFormat),
        "use a newer Lockstep");
  } catch (const nlohmann::json::exception& exception) {
    return make_error(Code::kCorrupt,
                      fmt::format("manifest.json is damaged: {}", exception.what()));
  }
}

Result<BackupFile> copy_file(Io& io, const std::string& from, const std::string& to) {
  const std::string beside = to + ".part";
  const Result<void> removed = io.remove(beside);  // of a copy that was broken off
  if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  const auto write = [&]() -> Result<BackupFile> {
    const std::unique_ptr<File> file = TRY(io.open(beside, OpenMode::kCreateNew));
    const BackupFile read =
        TRY(read_pieces(io, from, [&](std::uint64_t offset, std::string_view bytes) {
          return file->write_at(offset, std::as_bytes(std::span(bytes)));
        }));
    TRY(file->sync());
    return read;
  };
  Result<BackupFile> copied = write();
  if (copied.ok()) {
    const Result<void> renamed = io.rename(beside, to);
    if (!renamed.ok()) copied = renamed.error();
  }
  if (copied.ok()) return copied;
  // The first error is the one that counts; what is left beside has a name nobody reads.
  static_cast<void>(io.remove(beside));
  return copied;
}

Result<BackupFile> measure_file(Io& io, const std::string& path) {
  return read_pieces(io, path, [](std::uint64_t, std::string_view) { return Result<void>(); });
}

}  // namespace lockstep
