#include "table/text_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

constexpr std::size_t kReadBytesMax = 256 << 10;
constexpr std::size_t kStartOfLongBytes = 4096;

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TextReader::TextReader(std::string path, std::unique_ptr<ByteSource> bytes, Encoding encoding)
    : path_(std::move(path)), bytes_(std::move(bytes)), encoding_(encoding) {
}

Result<bool> TextReader::more() {
  text_.erase(0, start_);
  start_ = 0;
  const std::size_t before = text_.size();
  const std::size_t piece = std::max(piece_bytes_, before);
  piece_bytes_ = std::min(2 * piece_bytes_, kReadBytesMax);
  while (text_.size() == before) {
    if (invalid_) return not_text();
    if (at_end_) return false;
    TRY(read_piece(piece));
  }
  return true;
}

Result<void> TextReader::read_piece(std::size_t count) {
  const std::size_t kept = raw_.size();
  raw_.resize(kept + count);
  Result<std::size_t> read = bytes_->read(std::span(raw_).subspan(kept));
  raw_.resize(kept + (read.ok() ? read.value() : 0));
  if (!read.ok()) return std::move(read).error();
  at_end_ = read.value() == 0;
  std::string_view rest = raw_;
  const std::string_view mark = byte_order_mark(encoding_);
  if (!opened_ && rest.size() < mark.size() && !at_end_) return {};
  if (!opened_ && rest.starts_with(mark)) {
    rest.remove_prefix(mark.size());
    offset_ = mark.size();
  }
  opened_ = true;
  invalid_ = !transcode(encoding_, at_end_, rest, text_);
  raw_.erase(0, raw_.size() - rest.size());
  return {};
}

Error TextReader::not_text() const {
  constexpr std::string_view kNames[] = {"utf-8", "latin1", "windows-1252", "utf-16le", "utf-16be"};
  return invalid(fmt::format("line {}, at byte {}: this is not {} text",
                             line_ + count_lines(window()),
                             offset_ + bytes_in(encoding_, window()),
                             kNames[static_cast<std::size_t>(encoding_)]),
                 "set `encoding` to what the file is written in");
}

void TextReader::consume(std::size_t count) {
  const std::string_view gone = window().substr(0, count);
  line_ += count_lines(gone);
  offset_ += bytes_in(encoding_, gone);
  if (!gone.empty()) last_consumed_ = gone.back();
  start_ += count;
}

Result<void> TextReader::skip_to(std::uint64_t offset) {
  while (offset_ < offset) {
    if (window().empty() && !TRY(more())) {
      return invalid(
          fmt::format("it is {} bytes long, shorter than the {} read before", offset_, offset));
    }
    // No character is shorter in the file than one byte, nor longer in UTF-8 than three times that.
    const std::size_t most = (offset - offset_ + 2) / 3;
    std::size_t count = std::min<std::size_t>(window().size(), most);
    if (encoding_ == Encoding::kUtf8) {
      count = std::min<std::uint64_t>(window().size(), offset - offset_);
    }
    while (encoding_ != Encoding::kUtf8 && count < window().size() &&
           (static_cast<unsigned char>(window()[count]) & 0xC0) == 0x80) {
      ++count;
    }
    consume(count);
  }
  return {};
}

RecordReader::RecordReader(std::unique_ptr<TextReader> text,
                           RecordScanner& scanner,
                           const DecodeRequest& request)
    : text_(std::move(text)),
      scanner_(scanner),
      row_bytes_max_(request.options.row_bytes_max),
      final_line_(request.final_line) {
}

Result<std::optional<Record>> RecordReader::next() {
  text_->consume(given_);
  given_ = 0;
  bool at_end = false;
  for (;;) {
    const std::string_view window = text_->window();
    const auto length =
        window.empty() ? std::nullopt : scanner_.scan(window, at_end && final_line_);
    if (length && *length > row_bytes_max_) return next_too_long();
    if (length) return std::optional<Record>(given(*length));
    if (window.size() > row_bytes_max_) return next_too_long();
    if (at_end) return std::optional<Record>();
    at_end = !TRY(text_->more());
  }
}

Record RecordReader::given(std::size_t length) {
  const std::string_view record = text_->window().substr(0, length);
  const Record out{record, text_->line(), false};
  given_ = length;
  offset_ = text_->offset() + text_->bytes_of(record);
  return out;
}

// Passes over a record that does not fit in memory, a window at a time.
Result<std::optional<Record>> RecordReader::next_too_long() {
  const std::uint64_t line = text_->line();
  start_of_long_ = text_->window().substr(0, kStartOfLongBytes);
  bool in_quotes = false;
  for (;;) {
    const std::string_view window = text_->window();
    std::size_t at = 0;
    while (at < window.size() && (in_quotes || window[at] != '\n')) {
      if (window[at] == '"' && scanner_.has_quotes()) in_quotes = !in_quotes;
      ++at;
    }
    const bool ended = at < window.size();
    text_->consume(ended ? at + 1 : at);
    if (!ended && TRY(text_->more())) continue;
    if (!ended && !final_line_) return std::optional<Record>();
    offset_ = text_->offset();
    return std::optional<Record>(Record{start_of_long_, line, true});
  }
}

Result<void> RecordReader::skip_to(std::uint64_t offset) {
  text_->consume(given_);
  given_ = 0;
  if (offset <= text_->offset()) return {};
  TRY(text_->skip_to(offset));
  offset_ = text_->offset();
  if (text_->window().size() < 2) TRY(text_->more());
  if (text_->last_consumed() == '\n') return {};
  if (text_->window().starts_with("\r\n")) text_->consume(2);
  if (text_->window().starts_with('\n')) text_->consume(1);
  return {};
}

Result<std::unique_ptr<TextReader>> open_text(Io& io,
                                              const std::string& path,
                                              const DecodeRequest& request) {
  const Encoding encoding = TRY(encoding_of_name(request.options.encoding));
  auto bytes = TRY(open_bytes(io, path, request.format.compression));
  return std::make_unique<TextReader>(path, std::move(bytes), encoding);
}

}  // namespace lockstep
