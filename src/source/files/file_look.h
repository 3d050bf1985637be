// What a file of a source of type `files` holds, beside what was read of it before.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/files/files_position.h"
#include "source/files/files_settings.h"

#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

// Value. A file to read, as it was when it was looked at.
struct ReadTask {
  std::string name = {};
  FileInfo info = {};
  FileFormat format = {};
  ParseOptions options = {};
  bool is_whole = false;         // mirrored: all of it is given at once
  bool take_final_line = false;  // a last line without a newline is a record
  std::uint64_t read_bytes =
      0;  // how far it is read: to its end, or to the end of its last whole line
};

// Settles how the file is read. kInvalid: neither setting nor ending tell its format.
// A plain text of which the last line is left for later is read to its last newline, so that a
// character, a number or a header that is still being written is never looked at.
Result<ReadTask> make_task(Io& io, const FilesSettings& settings, std::string name, FileInfo info);

// `io`, with the file ending where the task's reading does.
std::unique_ptr<Io> task_io(Io& io, const ReadTask& task);

// What a file holds, beside what was known of it.
enum class Content {
  kNew,     // nothing was read of it before
  kResume,  // it is as it was, and not read to its end
  kSame,    // the text that was read, and nothing more
  kGrown,   // the text that was read, and more
  kOther,   // other text
};

// Value. `state` is where to read on for kNew, kResume and kGrown; for kOther, where to begin
// again.
struct Looked {
  Content content = Content::kNew;
  FileState state = {};
};

// Hashes the text of the file, unless it is as it was. An error: the file cannot be read at all.
Result<Looked> look_at(Io& io, const ReadTask& task, const FileState* known);

}  // namespace lockstep
