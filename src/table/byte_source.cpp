#include "table/byte_source.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <vector>

namespace lockstep {

namespace {

constexpr std::size_t kInputPieceBytes = 128 << 10;

class FileBytes final : public ByteSource {
 public:
  explicit FileBytes(std::unique_ptr<File> file) : file_(std::move(file)) {}

  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t count = TRY(file_->read_at(offset_, std::as_writable_bytes(buffer)));
    offset_ += count;
    return count;
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

// A piece of compressed bytes, refilled when it is used up.
class Piece {
 public:
  explicit Piece(std::unique_ptr<ByteSource> source)
      : source_(std::move(source)), bytes_(kInputPieceBytes) {}

  Result<void> refill() {
    if (!rest_.empty() || at_end_) return {};
    const std::size_t count = TRY(source_->read(bytes_));
    at_end_ = count == 0;
    rest_ = std::span(bytes_).first(count);
    return {};
  }

  // Only after refill().
  bool at_end() const { return at_end_; }

  std::span<char> rest() const { return rest_; }

  void drop(std::size_t count) { rest_ = rest_.subspan(count); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::vector<char> bytes_;
  std::span<char> rest_;
  bool at_end_ = false;
};

Error truncated(const std::string& path, std::string_view kind) {
  return invalid(fmt::format("{} is truncated: its {} data ends too early", path, kind),
                 "copy the file again");
}

Error corrupt(const std::string& path, std::string_view kind, std::string_view why) {
  return invalid(fmt::format("{} is not good {} data: {}", path, kind, why), "copy the file again");
}

class GzipBytes final : public ByteSource {
 public:
  GzipBytes(std::string path, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), piece_(std::move(source)) {}

  ~GzipBytes() override { inflateEnd(&stream_); }

  Result<void> start() {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK) return {};
    return make_error(Code::kIo, "reading " + path_ + ": there is no memory for decompression");
  }

  Result<std::size_t> read(std::span<char> buffer) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    while (stream_.avail_out == buffer.size() && !done_)
      TRY(step());
    return buffer.size() - stream_.avail_out;
  }

 private:
  Result<void> step() {
    TRY(piece_.refill());
    if (piece_.at_end()) {
      if (in_member_ || !any_member_) return truncated(path_, "gzip");
      done_ = true;
      return {};
    }
    if (!in_member_ && any_member_ && skip_padding()) return {};
    in_member_ = true;
    const std::span<char> input = piece_.rest();
    stream_.next_in = reinterpret_cast<Bytef*>(input.data());
    stream_.avail_in = static_cast<uInt>(input.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    piece_.drop(input.size() - stream_.avail_in);
    if (status == Z_STREAM_END) {
      any_member_ = true;
      in_member_ = false;
      inflateReset(&stream_);
      return {};
    }
    if (status == Z_OK || status == Z_BUF_ERROR) return {};
    return corrupt(path_, "gzip", stream_.msg == nullptr ? "it is damaged" : stream_.msg);
  }

  bool skip_padding() {
    if (piece_.rest().front() != '\0') return false;
    piece_.drop(1);
    return true;
  }

  std::string path_;
  Piece piece_;
  z_stream stream_{};
  bool in_member_ = false;
  bool any_member_ = false;
  bool done_ = false;
};

struct FreeDecompressor {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class ZstdBytes final : public ByteSource {
 public:
  ZstdBytes(std::string path, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), piece_(std::move(source)), stream_(ZSTD_createDStream()) {}

  Result<void> start() {
    if (stream_ && ZSTD_isError(ZSTD_initDStream(stream_.get())) == 0) return {};
    return make_error(Code::kIo, "reading " + path_ + ": there is no memory for decompression");
  }

  Result<std::size_t> read(std::span<char> buffer) override {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    while (output.pos == 0 && !done_)
      TRY(step(output));
    return output.pos;
  }

 private:
  Result<void> step(ZSTD_outBuffer& output) {
    TRY(piece_.refill());
    const std::span<char> rest = piece_.rest();
    if (piece_.at_end() && !in_frame_) {
      if (!any_frame_) return truncated(path_, "zstd");
      done_ = true;
      return {};
    }
    ZSTD_inBuffer input{rest.data(), rest.size(), 0};
    // At the end of the input what the decoder still holds is asked for once more.
    const std::size_t status = ZSTD_decompressStream(stream_.get(), &output, &input);
    if (ZSTD_isError(status) != 0) return corrupt(path_, "zstd", ZSTD_getErrorName(status));
    if (piece_.at_end() && status != 0 && output.pos == 0) return truncated(path_, "zstd");
    piece_.drop(input.pos);
    in_frame_ = status != 0;
    any_frame_ = any_frame_ || status == 0;
    return {};
  }

  std::string path_;
  Piece piece_;
  std::unique_ptr<ZSTD_DStream, FreeDecompressor> stream_;
  bool in_frame_ = false;
  bool any_frame_ = false;
  bool done_ = false;
};

template <typename Source>
Result<std::unique_ptr<ByteSource>> decompressed(const std::string& path,
                                                 std::unique_ptr<ByteSource> file) {
  auto source = std::make_unique<Source>(path, std::move(file));
  TRY(source->start());
  return std::unique_ptr<ByteSource>(std::move(source));
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_bytes(Io& io,
                                               const std::string& path,
                                               Compression compression) {
  std::unique_ptr<ByteSource> file =
      std::make_unique<FileBytes>(TRY(io.open(path, OpenMode::kRead)));
  switch (compression) {
    case Compression::kNone:
      return file;
    case Compression::kGzip:
      return decompressed<GzipBytes>(path, std::move(file));
    case Compression::kZstd:
      return decompressed<ZstdBytes>(path, std::move(file));
  }
  LOCKSTEP_ASSERT(false, "a compression without a reader");
}

}  // namespace lockstep
