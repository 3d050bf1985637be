#include "source/file_reader.h"

#include "source/snapshot_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {
namespace {

// How far the end of a first line is looked for before a file without one counts as wrong.
constexpr std::size_t kFirstLineBytesMax = 64u << 10;

std::int64_t record_count(const Decoded& decoded) {
  return decoded.rows.row_count() + static_cast<std::int64_t>(decoded.bad.size());
}

std::uint64_t last_line(const Decoded& decoded) {
  const std::uint64_t row = decoded.lines.empty() ? 0 : decoded.lines.back();
  return decoded.bad.empty() ? row : std::max(row, decoded.bad.back().line);
}

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

}  // namespace

Result<bool> first_line_is_open(Io& io, const ReadTask& task) {
  if (task.format.compression != Compression::kNone) return false;
  if (task.format.format == Format::kParquet) return false;
  const std::string bytes = TRY(read_bytes(io, task.info.path, 0, kFirstLineBytesMax));
  return bytes.size() < kFirstLineBytesMax && bytes.find('\n') == std::string::npos;
}

Result<Looked> look_at(Io& io, const ReadTask& task, const FileState* known) {
  const bool is_unchanged = known != nullptr && known->size_bytes == task.info.size_bytes &&
                            known->modified_us == task.info.modified_us;
  if (is_unchanged && known->offset_bytes > 0 && !known->done && !known->failed) {
    return Looked{.content = Content::kResume, .state = *known};
  }
  PrefixHash hash;
  const std::uint64_t known_bytes = known == nullptr ? 0 : known->hashed_bytes;
  if (task.info.size_bytes > 0) {
    const std::unique_ptr<Io> snapshot = make_snapshot_io(io, task.info);
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

FileReader::FileReader(Io& io, const ReadTask& task, const RowPlan& plan, const FileState& state)
    : io_(make_snapshot_io(io, task.info)),
      task_(task),
      plan_(plan),
      state_(state),
      text_bytes_(state.hashed_bytes) {
}

FileReader::~FileReader() = default;

Result<std::unique_ptr<FileReader>> FileReader::open(Io& io,
                                                     const ReadTask& task,
                                                     const RowPlan& plan,
                                                     const FileState& state) {
  std::unique_ptr<FileReader> reader(new FileReader(io, task, plan, state));
  TRY(reader->start());
  return reader;
}

bool FileReader::takes_final_line() const {
  return task_.take_final_line || task_.is_whole ||
         task_.format.compression != Compression::kNone || task_.format.format == Format::kParquet;
}

Result<void> FileReader::start() {
  state_.done = false;
  state_.failed = false;
  state_.waiting = false;
  if (task_.info.size_bytes == 0 || text_bytes_ == 0) return {};
  if (!takes_final_line() && TRY(first_line_is_open(*io_, task_))) return {};
  const bool is_at_once = task_.is_whole || task_.format.format == Format::kParquet;
  Result<void> opened = open_text(state_.offset_bytes, is_at_once);
  // A header alone, without its newline, is a whole header where the last line is taken.
  if (!opened.ok() && !is_at_once && takes_final_line())
    opened = open_text(state_.offset_bytes, true);
  TRY(std::move(opened));
  TRY(check_columns());
  return skip_records();
}

Result<void> FileReader::open_text(std::uint64_t offset, bool final_line) {
  final_line_ = final_line;
  DecodeRequest request{.format = task_.format,
                        .options = task_.options,
                        .schema = plan_.decoded,
                        .missing_is_null = false,
                        .start_offset = offset,
                        .final_line = final_line};
  if (task_.format.format == Format::kParquet) request.start_offset = 0;
  decoder_ = TRY(open_decoder(*io_, task_.info.path, request));
  return {};
}

Result<void> FileReader::check_columns() const {
  if (!plan_.makes_key()) return {};
  for (const std::string& name : decoder_->column_names()) {
    if (name != kFileColumn && name != kRowColumn) continue;
    return invalid(fmt::format("column '{}' has a name that rows without a key are given", name),
                   "rename the column, or give the dataset a key");
  }
  return {};
}

// A Parquet file has no offset to go on at: what was given is read over.
Result<void> FileReader::skip_records() {
  if (task_.format.format != Format::kParquet) return {};
  constexpr std::int64_t kSkipRows = 65'536;
  auto left = static_cast<std::int64_t>(state_.record_count);
  while (left > 0) {
    const std::int64_t count = record_count(TRY(decoder_->next(std::min(left, kSkipRows))));
    if (count == 0) return make_error(Code::kCorrupt, "it has fewer rows than were read before");
    left -= count;
  }
  return {};
}

Result<FileReader::Piece> FileReader::fetch(std::int64_t row_count_max) {
  Piece piece;
  piece.decoded = TRY(decoder_->next(row_count_max));
  piece.offset_bytes = decoder_->offset();
  const bool is_end = record_count(piece.decoded) == 0;
  if (!is_end || final_line_ || !takes_final_line()) return piece;
  if (piece.offset_bytes >= text_bytes_) return piece;
  // What is left is a last line without its end, and is taken: its bytes are read again as a whole
  // text.
  TRY(open_text(piece.offset_bytes, true));
  piece.decoded = TRY(decoder_->next(row_count_max));
  piece.offset_bytes = decoder_->offset();
  piece.open_end = record_count(piece.decoded) > 0;
  return piece;
}

Result<std::optional<SourceBatch>> FileReader::next(std::int64_t row_count_max) {
  LOCKSTEP_ASSERT(row_count_max > 0, "source-3: a batch of no rows was asked for");
  if (state_.done) return std::optional<SourceBatch>();
  if (!decoder_) {
    TRY(finish());
    return std::optional<SourceBatch>();
  }
  Result<Piece> fetched = ahead_ ? std::move(*ahead_) : fetch(row_count_max);
  ahead_.reset();
  const Piece piece = TRY(std::move(fetched));
  const std::int64_t count = record_count(piece.decoded);
  const bool is_parquet = task_.format.format == Format::kParquet;
  std::optional<SourceBatch> batch;
  if (count > 0) {
    batch = TRY(rows_of(plan_,
                        {.name = task_.name,
                         .records_before = state_.record_count,
                         .unit = is_parquet ? "row" : "line"},
                        piece.decoded));
    // A piece that is not full may be the last; then the position says so, and the file is not
    // opened again.
    if (count < row_count_max) ahead_ = fetch(row_count_max);
    state_.line = last_line(piece.decoded);
  }
  state_.record_count += static_cast<std::uint64_t>(count);
  state_.offset_bytes = piece.offset_bytes;
  state_.open_end = piece.open_end;
  const bool is_last = ahead_ && ahead_->ok() && record_count(ahead_->value().decoded) == 0;
  if (count == 0 || is_last) TRY(finish());
  return batch;
}

// Leaves in the state the hash of what was given, so that an unfinished last line may still become
// another.
Result<void> FileReader::finish() {
  state_.done = true;
  if (task_.format.format == Format::kParquet || state_.offset_bytes >= text_bytes_) return {};
  state_.waiting = !takes_final_line();
  if (!state_.waiting) return {};
  const PrefixHash hash =
      TRY(hash_prefix(*io_, task_.info.path, task_.format, state_.offset_bytes));
  if (!hash.prefix_sha256) {
    return make_error(Code::kCorrupt, "it became shorter while it was read");
  }
  state_.hashed_bytes = state_.offset_bytes;
  state_.sha256 = *hash.prefix_sha256;
  return {};
}

}  // namespace lockstep
