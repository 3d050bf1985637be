#include "source/files/files_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace lockstep {
namespace {

constexpr int kOffsetHoursMax = 14;
constexpr std::int64_t kFolderPollUs = 1'000'000;
constexpr std::int64_t kBucketPollUs = 10'000'000;

constexpr std::array kFilesTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "path",
            .type = Setting::Type::kTexts,
            .text = "A pattern, or a list of them: `*`, `?`, `[a-z]`, and `**` for any folders; "
                    "relative to lockstep.yaml, or s3://bucket/folder/*.csv.",
            .required = true},
    Setting{.name = "format",
            .type = Setting::Type::kChoice,
            .text = "The files' format; left out, their ending tells it. `.gz` and `.zst` are "
                    "always told by the ending.",
            .choices = "csv | tsv | ndjson | parquet"},
    Setting{.name = "mode",
            .type = Setting::Type::kChoice,
            .fallback = "append",
            .text = "What changed content means: `append` lets files grow only, `upsert` reads a "
                    "changed file again, `mirror` replaces all rows that the file gave.",
            .choices = "append | upsert | mirror"},
    Setting{.name = "operation",
            .text = "The column that says I (insert), U (update) or D (delete) for each row."},
    Setting{.name = "null",
            .type = Setting::Type::kTexts,
            .fallback = "\"\"",
            .text = "Words that stand for a missing value."},
    Setting{.name = "delimiter",
            .text = "What separates the fields of a CSV file: one character, or `tab`."},
    Setting{.name = "encoding",
            .type = Setting::Type::kChoice,
            .fallback = "utf-8",
            .text = "The text files' encoding.",
            .choices = "utf-8 | latin1 | windows-1252 | utf-16le | utf-16be"},
    Setting{.name = "decimal_comma",
            .type = Setting::Type::kBoolean,
            .fallback = "false",
            .text = "Numbers have a comma for the point: 1,5."},
    Setting{.name = "date_format",
            .type = Setting::Type::kChoice,
            .fallback = "iso",
            .text = "How dates are written: 2026-01-31, 31.01.2026 (`dmy`) or 01/31/2026 (`mdy`).",
            .choices = "iso | dmy | mdy"},
    Setting{.name = "utc_offset",
            .fallback = "\"+00:00\"",
            .text = "The offset of times that are written without one, as +02:00."},
    Setting{.name = "final_line",
            .type = Setting::Type::kChoice,
            .fallback = "wait",
            .text = "Whether a last line without its newline may still grow (`wait`) or is taken "
                    "(`take`). Compressed and mirrored files are always taken whole.",
            .choices = "wait | take"},
    Setting{.name = "region", .text = "Of an S3 bucket; left out, `AWS_REGION`, or us-east-1."},
    Setting{.name = "endpoint",
            .text = "The address of an S3 server that is not Amazon's, as http://127.0.0.1:9000."},
    Setting{.name = "poll",
            .type = Setting::Type::kDuration,
            .text = "How often files are looked for where no event tells of them: `10s` in a "
                    "bucket, else `1s`, if left out.",
            .min = 100'000.0},
    Setting{.name = "max_delete",
            .fallback = "20%",
            .text = "A mirrored file that would delete more of the dataset than this is held back "
                    "until it is confirmed."},
};

FilesMode mode_of(std::string_view word) {
  if (word == "upsert") return FilesMode::kUpsert;
  return word == "mirror" ? FilesMode::kMirror : FilesMode::kAppend;
}

Format format_of_word(std::string_view word) {
  if (word == "tsv") return Format::kTsv;
  if (word == "ndjson") return Format::kNdjson;
  return word == "parquet" ? Format::kParquet : Format::kCsv;
}

const Mark& mark_of(const Settings& settings, std::string_view name) {
  const Node* node = settings.given(name);
  return node == nullptr ? settings.mark() : node->mark;
}

Result<char> parse_delimiter(const Settings& settings) {
  const std::string text = settings.text("delimiter");
  if (text == "tab" || text == "\\t") return '\t';
  const bool is_usable = text.size() == 1 && static_cast<unsigned char>(text[0]) < 0x80 &&
                         text != "\"" && text != "\n" && text != "\r";
  if (is_usable) return text[0];
  return invalid_at(mark_of(settings, "delimiter"),
                    fmt::format("'{}' is not a delimiter", text),
                    "write one character, as ';', or tab");
}

Result<ParseOptions> parse_options(const Settings& settings) {
  ParseOptions options;
  options.null_words = settings.texts("null");
  options.encoding = settings.text("encoding");
  options.decimal_comma = settings.boolean("decimal_comma");
  options.date_format = settings.text("date_format");
  if (settings.has("delimiter")) options.delimiter = TRY(parse_delimiter(settings));
  const std::string offset = settings.text("utc_offset");
  const std::optional<int> minutes = parse_utc_offset(offset);
  if (!minutes) {
    return invalid_at(mark_of(settings, "utc_offset"),
                      fmt::format("'{}' is not an offset from UTC", offset),
                      "write it as \"+02:00\"");
  }
  options.utc_offset_minutes = *minutes;
  return options;
}

Result<void> check_patterns(const Settings& settings, const FilesSettings& files) {
  const Mark& mark = mark_of(settings, "path");
  if (files.patterns.empty()) {
    return invalid_at(mark, "'path' names no file", "write a pattern, as incoming/*.csv");
  }
  for (const std::string& pattern : files.patterns) {
    if (!pattern.empty() && !pattern.ends_with('/')) continue;
    return invalid_at(mark,
                      fmt::format("'path' has the pattern '{}', which names no file", pattern),
                      fmt::format("write {}*.csv", pattern));
  }
  return {};
}

constexpr std::string_view kS3Scheme = "s3://";

bool has_only(std::string_view text, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [also](char character) {
    const bool is_letter =
        (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    const bool is_digit = character >= '0' && character <= '9';
    return is_letter || is_digit || also.find(character) != std::string_view::npos;
  });
}

// They go into a URI as they are.
Result<void> check_place(const Settings& settings, const BucketPlace& place) {
  if (!has_only(place.bucket, ".-_")) {
    return invalid_at(mark_of(settings, "path"),
                      fmt::format("'{}' is not the name of a bucket", place.bucket),
                      "write s3://bucket/folder/*.csv");
  }
  if (!has_only(place.region, "-")) {
    return invalid_at(mark_of(settings, "region"),
                      fmt::format("'{}' is not a region", place.region),
                      "write it as eu-central-1");
  }
  const std::string_view endpoint = place.endpoint;
  const bool has_scheme = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!endpoint.empty() &&
      !(has_scheme && has_only(endpoint.substr(endpoint.find("://") + 3), ".-:[]"))) {
    return invalid_at(mark_of(settings, "endpoint"),
                      fmt::format("'{}' is not the address of an S3 server", endpoint),
                      "write it as http://127.0.0.1:9000");
  }
  return {};
}

// Takes the bucket off the patterns. All of them or none name one, and the same.
Result<void> take_bucket(Io& io, const Settings& settings, FilesSettings& files) {
  const auto is_s3 = [](const std::string& pattern) { return pattern.starts_with(kS3Scheme); };
  if (!std::any_of(files.patterns.begin(), files.patterns.end(), is_s3)) {
    for (const char* name : {"region", "endpoint"}) {
      if (!settings.has(name)) continue;
      return invalid_at(mark_of(settings, name),
                        fmt::format("'{}' is for a path in a bucket", name),
                        "write the path as s3://bucket/folder/*.csv, or leave it out");
    }
    return {};
  }
  BucketPlace place;
  for (std::string& pattern : files.patterns) {
    const std::size_t slash = std::min(pattern.find('/', kS3Scheme.size()), pattern.size());
    const std::string bucket =
        is_s3(pattern) ? pattern.substr(kS3Scheme.size(), slash - kS3Scheme.size()) : "";
    if (!place.bucket.empty() && bucket != place.bucket) {
      return invalid_at(mark_of(settings, "path"),
                        "the patterns of 'path' are not in one bucket",
                        "make a source for each bucket");
    }
    place.bucket = bucket;
    pattern.erase(0, slash);
    if (pattern.size() < 2) {
      return invalid_at(mark_of(settings, "path"),
                        fmt::format("'path' names bucket '{}', and no object in it", bucket),
                        fmt::format("write s3://{}/*.csv", bucket));
    }
  }
  const std::string region = io.environment("AWS_REGION").value_or("us-east-1");
  place.region = settings.has("region") ? settings.text("region") : region;
  if (settings.has("endpoint")) place.endpoint = settings.text("endpoint");
  TRY(check_place(settings, place));
  files.bucket = std::move(place);
  return {};
}

Result<void> check_operation(const SourceRequest& request, const FilesSettings& files) {
  if (files.operation.empty()) return {};
  if (files.mode == FilesMode::kMirror) {
    return invalid_at(request.settings.mark,
                      fmt::format("source '{}' has 'operation' and 'mode: mirror'", request.name),
                      "a mirrored file holds the rows themselves; leave one of the two out");
  }
  if (request.targets.empty() || !request.targets.front().schema.index_of(files.operation))
    return {};
  return invalid_at(
      request.settings.mark,
      fmt::format("column '{}' is the operation column of source '{}', and a column of its dataset",
                  files.operation,
                  request.name),
      "take it out of the dataset's columns");
}

}  // namespace

std::span<const Setting> files_setting_table() {
  return kFilesTable;
}

std::optional<int> parse_utc_offset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() != 6 || text[3] != ':' || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  int hours = 0;
  int minutes = 0;
  const auto read = [&text](std::size_t at, int& number) {
    const char* end = text.data() + at + 2;
    const auto result = std::from_chars(text.data() + at, end, number);
    return result.ec == std::errc() && result.ptr == end && number >= 0;
  };
  if (!read(1, hours) || !read(4, minutes)) return std::nullopt;
  const int total = hours * 60 + minutes;
  if (minutes > 59 || total > kOffsetHoursMax * 60) return std::nullopt;
  return text[0] == '-' ? -total : total;
}

Result<FileFormat> FilesSettings::format_of(std::string_view path) const {
  if (!format) return format_of_path(path);
  FileFormat result{.format = *format};
  if (*format == Format::kParquet) return result;
  if (path.ends_with(".gz")) result.compression = Compression::kGzip;
  if (path.ends_with(".zst")) result.compression = Compression::kZstd;
  return result;
}

ParseOptions FilesSettings::options_for(Format file_format) const {
  ParseOptions result = options;
  if (!delimiter_given) result.delimiter = file_format == Format::kTsv ? '\t' : ',';
  return result;
}

Result<FilesSettings> parse_files_settings(Io& io, const SourceRequest& request) {
  const std::string what = fmt::format("source '{}'", request.name);
  const Settings settings = TRY(Settings::parse(request.settings, kFilesTable, what));
  FilesSettings files;
  files.patterns = settings.texts("path");
  if (settings.has("format")) files.format = format_of_word(settings.text("format"));
  files.mode = mode_of(settings.text("mode"));
  if (settings.has("operation")) files.operation = settings.text("operation");
  files.options = TRY(parse_options(settings));
  files.delimiter_given = settings.has("delimiter");
  files.take_final_line = settings.text("final_line") == "take";
  TRY(check_patterns(settings, files));
  TRY(take_bucket(io, settings, files));
  files.poll_us = settings.has("poll") ? settings.duration_us("poll")
                                       : (files.bucket ? kBucketPollUs : kFolderPollUs);
  TRY(check_operation(request, files));
  return files;
}

}  // namespace lockstep
