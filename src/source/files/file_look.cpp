#include "source/files/file_look.h"

#include "source/files/snapshot_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace lockstep {
namespace {

constexpr std::uint64_t kPieceBytes = 64u << 10;

// Bytes of the file itself, not of its text.
Result<std::string> read_bytes(Io& io,
                               const std::string& path,
                               std::uint64_t offset,
                               std::size_t count) {
  const std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kRead));
  std::string bytes(count, '\0');
  bytes.resize(TRY(file->read_at(offset, std::as_writable_bytes(std::span(bytes)))));
  return bytes;
}

// Whether the text behind a last line that was taken without an end begins with that end.
Result<bool> line_ended(Io& io, const ReadTask& task, std::uint64_t offset) {
  if (task.format.compression != Compression::kNone) return false;
  const std::string bytes = TRY(read_bytes(io, task.info.path, offset, 2));
  if (bytes.starts_with('\n') || bytes.starts_with('\r')) return true;
  return bytes == std::string("\0\n", 2) || bytes == std::string("\0\r", 2);
}

FileState fresh_state(const ReadTask& task, const PrefixHash& hash) {
  FileState state;
  state.size_bytes = task.info.size_bytes;
  state.modified_us = task.info.modified_us;
  state.hashed_bytes = hash.length_bytes;
  state.sha256 = hash.whole_sha256;
  state.waiting = task.read_bytes < task.info.size_bytes;
  return state;
}

Result<Content> compare(Io& io,
                        const ReadTask& task,
                        const FileState& known,
                        const PrefixHash& hash) {
  if (known.hashed_bytes == 0) return Content::kNew;
  if (hash.prefix_sha256 != known.sha256) return Content::kOther;
  if (hash.length_bytes == known.hashed_bytes) return Content::kSame;
  // A Parquet file is written at once: its end tells what is in it.
  if (task.format.format == Format::kParquet) return Content::kOther;
  if (!known.open_end) return Content::kGrown;
  return TRY(line_ended(io, task, known.hashed_bytes)) ? Content::kGrown : Content::kOther;
}

// A newline as the file has it. In UTF-16 it stands at even offsets only.
std::string newline_of(std::string_view encoding) {
  if (encoding == "utf-16le") return {'\n', '\0'};
  if (encoding == "utf-16be") return {'\0', '\n'};
  return "\n";
}

// Behind the last newline of `bytes`, which start at a whole character; 0: there is none.
std::size_t end_of_last_line(std::string_view bytes, std::string_view newline) {
  std::size_t at = bytes.rfind(newline);
  while (at != std::string_view::npos && at % newline.size() != 0)
    at = bytes.rfind(newline, at - 1);
  return at == std::string_view::npos ? 0 : at + newline.size();
}

// How much of a plain text is whole lines. Looks from the end, so that a long file costs one piece.
Result<std::uint64_t> whole_lines_bytes(Io& io, const ReadTask& task) {
  const std::string newline = newline_of(task.options.encoding);
  std::uint64_t end = task.info.size_bytes;
  while (end > 0) {
    const std::uint64_t start = (end - 1) / kPieceBytes * kPieceBytes;
    const auto count = static_cast<std::size_t>(end - start);
    const std::string bytes = TRY(read_bytes(io, task.info.path, start, count));
    if (const std::size_t found = end_of_last_line(bytes, newline); found > 0) return start + found;
    end = start;
  }
  return std::uint64_t{0};
}

}  // namespace

Result<ReadTask> make_task(Io& io, const FilesSettings& settings, std::string name, FileInfo info) {
  ReadTask task{.name = std::move(name), .info = std::move(info)};
  task.format = TRY(settings.format_of(task.name));
  task.options = settings.options_for(task.format.format);
  task.is_whole = settings.mode == FilesMode::kMirror;
  const bool is_plain =
      task.format.compression == Compression::kNone && task.format.format != Format::kParquet;
  task.take_final_line = settings.take_final_line || task.is_whole || !is_plain;
  task.read_bytes = task.take_final_line ? task.info.size_bytes : TRY(whole_lines_bytes(io, task));
  return task;
}

std::unique_ptr<Io> task_io(Io& io, const ReadTask& task) {
  FileInfo end = task.info;
  end.size_bytes = task.read_bytes;
  return make_snapshot_io(io, end);
}

Result<Looked> look_at(Io& io, const ReadTask& task, const FileState* known) {
  const bool is_unchanged = known != nullptr && known->size_bytes == task.info.size_bytes &&
                            known->modified_us == task.info.modified_us;
  if (is_unchanged && known->offset_bytes > 0 && !known->done && !known->failed) {
    return Looked{.content = Content::kResume, .state = *known};
  }
  PrefixHash hash;
  const std::uint64_t known_bytes = known == nullptr ? 0 : known->hashed_bytes;
  if (task.read_bytes > 0) {
    const std::unique_ptr<Io> snapshot = task_io(io, task);
    hash = TRY(hash_prefix(*snapshot, task.info.path, task.format, known_bytes));
  }
  Looked looked{.state = fresh_state(task, hash)};
  if (known == nullptr) return looked;
  looked.content = TRY(compare(io, task, *known, hash));
  if (looked.content == Content::kOther) return looked;
  looked.state.offset_bytes = known->offset_bytes;
  looked.state.record_count = known->record_count;
  looked.state.line = known->line;
  if (looked.content != Content::kSame) return looked;
  looked.state.open_end = known->open_end;
  looked.state.done = known->done;
  // Read in part, then touched: the rest is still to come.
  if (!known->done) looked.content = Content::kResume;
  return looked;
}

}  // namespace lockstep
