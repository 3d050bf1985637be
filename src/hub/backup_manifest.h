// manifest.json of a back-up. Internal to the hub.
#pragma once

#include "hub/backup.h"

#include <string>
#include <vector>

namespace lockstep {

// Value.
struct BackupFile {
  std::string path;  // below the back-up's folder
  std::uint64_t size_bytes = 0;
  std::string sha256;
};

struct BackupManifest {
  BackupInfo info;
  std::vector<BackupFile> files;  // the catalog first
};

std::string manifest_text(const BackupManifest& manifest);
// kTooNew: of a newer program; kCorrupt: no manifest.
Result<BackupManifest> parse_manifest(const std::string& text);

// Copies a file whole, syncs it, and tells what was copied. `to` is replaced, never half.
Result<BackupFile> copy_file(Io& io, const std::string& from, const std::string& to);
// Size and hash of a file.
Result<BackupFile> measure_file(Io& io, const std::string& path);

}  // namespace lockstep
