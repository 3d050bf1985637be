// The settings of a source of type `files`, read and checked.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "source/files/object_store.h"
#include "source/source.h"
#include "table/codec.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// What new content under a name that was read before means.
enum class FilesMode {
  kAppend,  // files only grow; anything else is refused
  kUpsert,  // the file is read again from its start; each row becomes the row of its key
  kMirror,  // the file's rows replace all that it gave before
};

// Value.
struct FilesSettings {
  std::vector<std::string> patterns;  // in a bucket: from its top, as /incoming/*.csv
  std::optional<BucketPlace> bucket;  // else the machine's own files
  std::int64_t poll_us = 0;           // how often what cannot be watched is looked at
  std::optional<Format> format;       // else by each file's ending
  FilesMode mode = FilesMode::kAppend;
  std::string operation;  // the column that holds I, U or D; empty: none
  ParseOptions options;
  bool delimiter_given = false;
  bool take_final_line = false;

  // How to read the file at `path`. kInvalid: no format is given, and the ending tells none.
  Result<FileFormat> format_of(std::string_view path) const;
  // `options` with the delimiter that fits the format.
  ParseOptions options_for(Format file_format) const;
};

std::span<const Setting> files_setting_table();
Result<FilesSettings> parse_files_settings(Io& io, const SourceRequest& request);

// "+02:00" in minutes; nullopt: not an offset of at most 14 hours.
std::optional<int> parse_utc_offset(std::string_view text);

}  // namespace lockstep
