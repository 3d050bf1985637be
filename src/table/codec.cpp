#include "table/codec.h"

#include "base/config.h"
#include "base/hash.h"
#include "table/byte_source.h"
#include "table/decoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lockstep {

namespace {

struct Ending {
  std::string_view ending;
  Format format;
};

constexpr std::array<Ending, 5> kEndings = {{
    {".csv", Format::kCsv},
    {".tsv", Format::kTsv},
    {".ndjson", Format::kNdjson},
    {".jsonl", Format::kNdjson},
    {".parquet", Format::kParquet},
}};

Compression take_compression(std::string_view& path) {
  if (path.ends_with(".gz")) {
    path.remove_suffix(3);
    return Compression::kGzip;
  }
  if (!path.ends_with(".zst")) return Compression::kNone;
  path.remove_suffix(4);
  return Compression::kZstd;
}

}  // namespace

Result<FileFormat> format_of_path(std::string_view path) {
  std::string_view rest = path;
  const Compression compression = take_compression(rest);
  for (const auto& [ending, format] : kEndings) {
    if (!rest.ends_with(ending)) continue;
    if (format == Format::kParquet && compression != Compression::kNone) break;
    return FileFormat{format, compression};
  }
  return invalid(fmt::format("the ending of '{}' names no format", path),
                 "the endings are .csv .tsv .ndjson .jsonl, each also with .gz or .zst, and "
                 ".parquet; or set `format`");
}

Result<void> check_wanted(const DecodeRequest& request, const std::vector<std::string>& names) {
  if (request.missing_is_null) return {};
  for (const Field& field : request.schema.fields()) {
    if (std::ranges::find(names, field.name) != names.end()) continue;
    const std::optional<std::string> near = nearest(field.name, names);
    return invalid(fmt::format("there is no column '{}'", field.name),
                   near ? fmt::format("did you mean '{}'?", *near)
                        : fmt::format("the file's columns are {}", fmt::join(names, ", ")));
  }
  return {};
}

Result<std::unique_ptr<Decoder>> open_decoder(Io& io,
                                              const std::string& path,
                                              const DecodeRequest& request) {
  const bool is_parquet = request.format.format == Format::kParquet;
  return is_parquet ? open_parquet_decoder(io, path, request)
                    : open_text_decoder(io, path, request);
}

Result<PrefixHash> hash_prefix(Io& io,
                               const std::string& path,
                               FileFormat format,
                               std::uint64_t length_bytes) {
  const bool is_parquet = format.format == Format::kParquet;
  const auto bytes =
      TRY(open_bytes(io, path, is_parquet ? Compression::kNone : format.compression));
  Sha256 hash;
  PrefixHash out;
  std::vector<char> buffer(256 << 10);
  for (;;) {
    if (out.length_bytes == length_bytes) out.prefix_sha256 = hash.hex();
    // A read ends at the prefix, so that its hash can be taken there.
    std::span<char> piece = buffer;
    if (out.length_bytes < length_bytes) {
      piece = piece.first(std::min<std::uint64_t>(piece.size(), length_bytes - out.length_bytes));
    }
    const std::size_t count = TRY_IN(bytes->read(piece), "reading " + path);
    if (count == 0) break;
    hash.add(std::string_view(piece.data(), count));
    out.length_bytes += count;
  }
  out.whole_sha256 = hash.hex();
  return out;
}

}  // namespace lockstep
