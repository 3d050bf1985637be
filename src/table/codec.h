// Reading and writing rows in the formats that sources and exports use.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/batch.h"
#include "table/types.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

enum class Format { kCsv, kTsv, kNdjson, kParquet };
enum class Compression { kNone, kGzip, kZstd };

struct FileFormat {
  Format format = Format::kCsv;
  Compression compression = Compression::kNone;
};

// By the ending: .csv .tsv .ndjson .jsonl .parquet, with .gz or .zst behind the text ones.
Result<FileFormat> format_of_path(std::string_view path);

struct ParseOptions {
  std::vector<std::string> null_words = {
      ""};  // unquoted fields that mean null; "" in quotes is an empty text
  char delimiter = ',';
  bool decimal_comma = false;  // 1.234,5: comma for the point; no thousands separator is taken
  std::string encoding =
      "utf-8";  // utf-8 | latin1 | windows-1252 | utf-16le | utf-16be; a BOM is skipped
  int utc_offset_minutes = 0;       // of timestamps without a zone
  std::string date_format = "iso";  // iso | dmy | mdy: 31.01.2026, 31/01/2026; 01/31/2026
  std::uint64_t row_bytes_max = 16u << 20;
};

// One record of a text file that could not become a row.
struct BadRow {
  std::uint64_t line =
      0;               // 1-based, of its first byte, in the decompressed text; Parquet: row number
  std::string reason;  // "column 'age': '7x' is not an int"
  std::string text;    // the record, cut at 4 KiB
  // The cells that could be read, by name, when the record's shape was right (else empty): for its
  // key.
  std::vector<std::pair<std::string, Value>> cells;
};

struct Decoded {
  Batch rows;                        // all signs +1
  std::vector<std::uint64_t> lines;  // of each row
  std::vector<BadRow> bad;
};

// Resource. Reads records out of a growing text, or a whole Parquet file, in bounded pieces.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // The columns that the file itself names (a CSV header, the first NDJSON records, a Parquet
  // schema), in its order. Known after open.
  virtual const std::vector<std::string>& column_names() const = 0;
  // Up to row_count_max records more; nothing (0 rows, 0 bad) means the end was reached.
  virtual Result<Decoded> next(std::int64_t row_count_max) = 0;
  // Bytes of decompressed text consumed in whole records so far (Parquet: row groups' rows).
  virtual std::uint64_t offset() const = 0;
};

struct DecodeRequest {
  FileFormat format;
  ParseOptions options;
  // What to read, by name, with types. Columns of the file that are not here are not decoded. A
  // column that the file lacks gives nulls, if `missing_is_null`, else an error that names the
  // nearest.
  Schema schema;
  bool missing_is_null = false;
  // Where to go on in a text that has grown: bytes of decompressed text; the header is read again.
  std::uint64_t start_offset = 0;
  // false: a last line without a newline is left for later (the file may still be written). Parquet
  // is always whole.
  bool final_line = true;
};

// Fails for a file that cannot be read at all: truncated or corrupt compression, wrong encoding, no
// header, two columns of one name, not Parquet. A bad record is not an error: it is in
// Decoded::bad.
Result<std::unique_ptr<Decoder>> open_decoder(Io& io,
                                              const std::string& path,
                                              const DecodeRequest& request);

// The types that the first `row_count_max` records allow: bool, int, float, date, timestamp, else
// text. Leading zeros (0123) make a text. A column with nothing but nulls is text.
Result<Schema> infer_schema(Io& io,
                            const std::string& path,
                            FileFormat format,
                            const ParseOptions& options,
                            std::int64_t row_count_max = 10'000);

// SHA-256 of the first `length_bytes` of the decompressed text (Parquet: of the file), and how long
// it is in all; nullopt when it is shorter.
struct PrefixHash {
  std::optional<std::string> prefix_sha256;
  std::string whole_sha256;
  std::uint64_t length_bytes = 0;
};

Result<PrefixHash> hash_prefix(Io& io,
                               const std::string& path,
                               FileFormat format,
                               std::uint64_t length_bytes);

// Resource. Writes rows to a file, or to a function for standard output. Parquet: zstd, dictionary.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual Result<void> write(
      const Batch& batch) = 0;        // +1 and -1 alike: signs are the caller's business
  virtual Result<void> finish() = 0;  // durable after it
};

Result<std::unique_ptr<Encoder>> open_encoder(Io& io,
                                              const std::string& path,
                                              FileFormat format,
                                              Schema schema);
// Text formats only.
Result<std::unique_ptr<Encoder>> open_text_encoder(
    std::function<Result<void>(std::string_view)> sink, Format format, Schema schema);

}  // namespace lockstep
