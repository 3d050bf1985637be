// One file of a source of type `files`, read from where it was left.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/files/file_look.h"
#include "source/files/file_rows.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lockstep {

// Resource. Reads the file no further than `task.read_bytes`. `plan` must outlive it.
class FileReader final {
 public:
  // A file without a byte to read ends at once.
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
