// One file of a source of type `files`, read from where it was left.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/file_rows.h"
#include "source/files_position.h"
#include "source/files_settings.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lockstep {

// Value. A file to read, as it was when it was looked at.
struct ReadTask {
  std::string name;
  FileInfo info;
  FileFormat format = {};
  ParseOptions options = {};
  bool take_final_line = false;  // a last line without a newline is a record
  bool is_whole = false;         // mirrored: nothing more is expected of it
};

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

// Whether a plain text has no end of a line yet, not even of its header's.
Result<bool> first_line_is_open(Io& io, const ReadTask& task);

// Hashes the text of the file, unless it is as it was. An error: the file cannot be read at all.
Result<Looked> look_at(Io& io, const ReadTask& task, const FileState* known);

// Resource. Reads the file no further than `task.info.size_bytes`. `plan` must outlive it.
class FileReader final {
 public:
  // An empty file, and one whose first line has no end yet, have nothing to read: they end at once.
  static Result<std::unique_ptr<FileReader>> open(Io& io,
                                                  const ReadTask& task,
                                                  const RowPlan& plan,
                                                  const FileState& state);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  // Up to row_count_max records more; nullopt at the end. After an error the file cannot be read
  // on.
  Result<std::optional<SourceBatch>> next(std::int64_t row_count_max);

  const ReadTask& task() const { return task_; }

  // After what next() has given; `done` once nothing more will come.
  const FileState& state() const { return state_; }

 private:
  struct Piece {
    Decoded decoded;
    std::uint64_t offset_bytes = 0;
    bool open_end = false;
  };

  FileReader(Io& io, const ReadTask& task, const RowPlan& plan, const FileState& state);
  Result<void> start();
  Result<void> open_text(std::uint64_t offset, bool final_line);
  Result<void> check_columns() const;
  Result<void> skip_records();
  Result<Piece> fetch(std::int64_t row_count_max);
  Result<void> finish();
  bool takes_final_line() const;

  const std::unique_ptr<Io> io_;
  const ReadTask task_;
  const RowPlan& plan_;
  FileState state_;
  std::unique_ptr<Decoder> decoder_;  // none: nothing to read
  bool final_line_ = false;           // what decoder_ was opened with
  std::uint64_t text_bytes_ = 0;
  std::optional<Result<Piece>> ahead_;  // read to see whether the piece before was the last
};

}  // namespace lockstep
