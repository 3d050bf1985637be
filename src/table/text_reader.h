// A text file as records: decompressed, turned to UTF-8, and cut by a format's scanner, with lines
// and offsets.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/byte_source.h"
#include "table/codec.h"
#include "table/encoding.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Resource. A window on the text that moves forward.
class TextReader final {
 public:
  TextReader(std::string path, std::unique_ptr<ByteSource> bytes, Encoding encoding);

  std::string_view window() const { return std::string_view(text_).substr(start_); }

  // Makes the window longer, by at least its own length where the file has that. False: the text
  // ends with the window. What is no character in the encoding is an error, after all text before
  // it was read.
  Result<bool> more();

  void consume(std::size_t count);

  std::uint64_t line() const { return line_; }  // 1-based, of the window's start

  std::uint64_t offset() const {
    return offset_;
  }  // of the window's start, in the file's decompressed bytes

  const std::string& path() const { return path_; }

  char last_consumed() const { return last_consumed_; }  // a line end before anything was

  std::uint64_t bytes_of(std::string_view text) const { return bytes_in(encoding_, text); }

  // Consumes up to `offset`; fails where the text is shorter.
  Result<void> skip_to(std::uint64_t offset);

 private:
  Result<void> read_piece(std::size_t count);
  Error not_text() const;

  std::string path_;
  std::unique_ptr<ByteSource> bytes_;
  Encoding encoding_;
  std::string text_;
  std::size_t start_ = 0;
  std::string raw_;  // read, and not yet in text_: the start of a character, or what is none
  std::size_t piece_bytes_ = std::size_t{8} << 10;  // to be read next: little of a small text
  std::uint64_t line_ = 1;
  char last_consumed_ = '\n';
  std::uint64_t offset_ = 0;
  bool opened_ = false;   // the byte order mark was looked for
  bool at_end_ = false;   // of the bytes
  bool invalid_ = false;  // raw_ starts with what is no character
};

// Interface. Finds where a record ends.
class RecordScanner {
 public:
  virtual ~RecordScanner() = default;
  // The length of the record at the front of `text` with its line end; nothing: it goes on behind
  // `text`. With `at_end` nothing comes behind, and the record ends there at the latest. `text` is
  // not empty.
  virtual std::optional<std::size_t> scan(std::string_view text, bool at_end) = 0;
  // Whether a line end inside two quotes belongs to the record.
  virtual bool has_quotes() const = 0;
};

struct Record {
  std::string_view text;  // with its line end; valid until the next record is asked for
  std::uint64_t line = 0;
  bool too_long = false;  // then `text` is only the start
};

// Resource. Gives records one by one.
class RecordReader final {
 public:
  RecordReader(std::unique_ptr<TextReader> text,
               RecordScanner& scanner,
               const DecodeRequest& request);

  // Nothing: the end, or a last line that is left for later.
  Result<std::optional<Record>> next();

  // Behind the last record that was given, in the file's decompressed bytes.
  std::uint64_t offset() const { return offset_; }

  // Goes on at an offset that an earlier reader gave. The line end that it may have missed is
  // passed over.
  Result<void> skip_to(std::uint64_t offset);

 private:
  Record given(std::size_t length);
  Result<std::optional<Record>> next_too_long();

  std::unique_ptr<TextReader> text_;
  RecordScanner& scanner_;
  std::uint64_t row_bytes_max_;
  bool final_line_;
  std::size_t given_ = 0;  // length of the record that the caller still looks at
  std::uint64_t offset_ = 0;
  std::string start_of_long_;
};

Result<std::unique_ptr<TextReader>> open_text(Io& io,
                                              const std::string& path,
                                              const DecodeRequest& request);

}  // namespace lockstep
