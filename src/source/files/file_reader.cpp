#include "source/files/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lockstep {
namespace {

std::int64_t record_count(const Decoded& decoded) {
  return decoded.rows.row_count() + static_cast<std::int64_t>(decoded.bad.size());
}

std::uint64_t last_line(const Decoded& decoded) {
  const std::uint64_t row = decoded.lines.empty() ? 0 : decoded.lines.back();
  return decoded.bad.empty() ? row : std::max(row, decoded.bad.back().line);
}

}  // namespace

FileReader::FileReader(Io& io, const ReadTask& task, const RowPlan& plan, const FileState& state)
    : io_(task_io(io, task)),
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

Result<void> FileReader::start() {
  state_.done = false;
  state_.failed = false;
  state_.waiting = false;
  if (task_.read_bytes == 0 || text_bytes_ == 0) return {};
  const bool is_at_once = task_.is_whole || task_.format.format == Format::kParquet;
  Result<void> opened = open_text(state_.offset_bytes, is_at_once);
  // A header alone, without its newline, is a whole header where the last line is taken.
  if (!opened.ok() && !is_at_once && task_.take_final_line)
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
  if (!is_end || final_line_ || !task_.take_final_line) return piece;
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
    batch->begins_origin = state_.record_count == 0;
  }
  state_.record_count += static_cast<std::uint64_t>(count);
  state_.offset_bytes = piece.offset_bytes;
  state_.open_end = piece.open_end;
  const bool is_last = ahead_ && ahead_->ok() && record_count(ahead_->value().decoded) == 0;
  if (count == 0 || is_last) TRY(finish());
  if (batch) batch->has_more = !state_.done;
  return batch;
}

// Leaves in the state the hash of what was given: a record that has newlines in quotes, and no end
// yet, may still become another.
Result<void> FileReader::finish() {
  state_.done = true;
  state_.waiting = task_.read_bytes < task_.info.size_bytes;
  if (task_.take_final_line || state_.offset_bytes >= text_bytes_) return {};
  state_.waiting = true;
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
