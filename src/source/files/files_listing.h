// Which files a source of type `files` has, and what columns they show.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/files/files_settings.h"
#include "source/files/glob.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Holds for a call.
struct ListingRequest {
  const std::string& directory;
  const FilesSettings& settings;
};

// In the order in which they are read: by modification time, then by name.
Result<std::vector<GlobMatch>> list_files(Io& io, const ListingRequest& request);

// The folders above the patterns' first wildcards, each once.
std::vector<std::string> watched_directories(const ListingRequest& request);

// kRefused: one of those folders is gone (a share that is not mounted looks like one whose files
// were all removed).
Result<void> check_directories(Io& io, const ListingRequest& request);

// The columns of the first file that can be read, without the operation's. kNotFound: no file has a
// row yet.
Result<Schema> infer_from_files(Io& io, const ListingRequest& request);
Result<Schema> infer_from_newest_file(Io& io, const ListingRequest& request);  // that can be read

// Positions are JSON: a name that is not UTF-8 could not be found in one again.
Result<void> check_file_name(std::string_view name);
// The name with `?` for what is not UTF-8.
std::string printable_name(std::string_view name);

}  // namespace lockstep
