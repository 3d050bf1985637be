// How far a source of type `files` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <string>

namespace lockstep {

// Value. One file, as far as it has been read.
struct FileState {
  // The file when it was last looked at. Both the same: it is not read again.
  std::uint64_t size_bytes = 0;
  std::int64_t modified_us = 0;
  // What has been given: bytes of text, records, and the line of the last one.
  std::uint64_t offset_bytes = 0;
  std::uint64_t record_count = 0;
  std::uint64_t line = 0;
  // SHA-256 of the first `hashed_bytes` of the text, at least all that was given. The same text in
  // front: it has grown.
  std::uint64_t hashed_bytes = 0;
  std::string sha256;
  bool done = false;     // all that was there has been given
  bool failed = false;   // could not be read as it was
  bool waiting = false;  // its last line has no end yet
  bool open_end =
      false;  // a last line without an end was given: if that line grows, the file is another

  bool operator==(const FileState&) const = default;
};

// Nothing is left to read of the file as it was.
inline bool is_settled(const FileState& state) {
  return state.done || state.failed;
}

// Value. By the files' names.
struct FilesPosition {
  std::map<std::string, FileState> files;
  std::string last;  // the file read last

  bool operator==(const FilesPosition&) const = default;
};

// A part a file, by its name, as JSON:
// {"size":..,"modified_us":..,"offset":..,"records":..,"lines":..,"hashed":..,"sha256":..,"done":..};
// `failed`, `waiting` and `open_end` are left out when false. The part without a name is
// {"version":1,"last":name}.
std::string part_text(const FileState& state);
std::string head_text(const std::string& last);
// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<FilesPosition> parse_position(const Position& parts);

// "3 files, vitals.csv at line 4012".
std::string describe_position(const FilesPosition& position);

}  // namespace lockstep
