#include "table/byte_sink.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <span>
#include <vector>

namespace lockstep {

namespace {

constexpr std::size_t kOutputPieceBytes = 128 << 10;
constexpr int kZstdLevel = 3;

class FileSink final : public ByteSink {
 public:
  FileSink(Io& io, std::string path, std::unique_ptr<File> file)
      : io_(io), path_(std::move(path)), file_(std::move(file)) {}

  Result<void> write(std::string_view bytes) override {
    TRY(file_->write_at(offset_, std::as_bytes(std::span(bytes))));
    offset_ += bytes.size();
    return {};
  }

  Result<void> finish() override {
    TRY(file_->sync());
    return io_.sync_directory(parent_path(path_));
  }

 private:
  Io& io_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

class GzipSink final : public ByteSink {
 public:
  explicit GzipSink(std::unique_ptr<ByteSink> file)
      : file_(std::move(file)), piece_(kOutputPieceBytes) {}

  ~GzipSink() override { deflateEnd(&stream_); }

  Result<void> start() {
    constexpr int kGzip = 16;
    constexpr int kMemoryLevel = 8;
    const int status = deflateInit2(&stream_,
                                    Z_DEFAULT_COMPRESSION,
                                    Z_DEFLATED,
                                    MAX_WBITS + kGzip,
                                    kMemoryLevel,
                                    Z_DEFAULT_STRATEGY);
    if (status == Z_OK) return {};
    return make_error(Code::kIo, "there is no memory for compression");
  }

  Result<void> write(std::string_view bytes) override { return compress(bytes, Z_NO_FLUSH); }

  Result<void> finish() override {
    TRY(compress({}, Z_FINISH));
    return file_->finish();
  }

 private:
  Result<void> compress(std::string_view bytes, int flush) {
    // zlib does not write to its input; its interface only lacks the const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_out = static_cast<uInt>(piece_.size());
      const int status = deflate(&stream_, flush);
      LOCKSTEP_ASSERT(status != Z_STREAM_ERROR, "the compressor was used after its end");
      TRY(file_->write(std::string_view(piece_.data(), piece_.size() - stream_.avail_out)));
    } while (stream_.avail_out == 0);
    return {};
  }

  std::unique_ptr<ByteSink> file_;
  std::vector<char> piece_;
  z_stream stream_{};
};

struct FreeCompressor {
  void operator()(ZSTD_CStream* stream) const { ZSTD_freeCStream(stream); }
};

class ZstdSink final : public ByteSink {
 public:
  explicit ZstdSink(std::unique_ptr<ByteSink> file)
      : file_(std::move(file)), piece_(kOutputPieceBytes), stream_(ZSTD_createCStream()) {}

  Result<void> start() {
    if (stream_ && ZSTD_isError(ZSTD_initCStream(stream_.get(), kZstdLevel)) == 0) return {};
    return make_error(Code::kIo, "there is no memory for compression");
  }

  Result<void> write(std::string_view bytes) override { return compress(bytes, ZSTD_e_continue); }

  Result<void> finish() override {
    TRY(compress({}, ZSTD_e_end));
    return file_->finish();
  }

 private:
  Result<void> compress(std::string_view bytes, ZSTD_EndDirective end) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{piece_.data(), piece_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream_.get(), &output, &input, end);
      if (ZSTD_isError(left) != 0) {
        return make_error(Code::kIo, fmt::format("compressing: {}", ZSTD_getErrorName(left)));
      }
      TRY(file_->write(std::string_view(piece_.data(), output.pos)));
      if (end == ZSTD_e_end ? left == 0 : input.pos == input.size) return {};
    }
  }

  std::unique_ptr<ByteSink> file_;
  std::vector<char> piece_;
  std::unique_ptr<ZSTD_CStream, FreeCompressor> stream_;
};

template <typename Sink>
Result<std::unique_ptr<ByteSink>> compressed(std::unique_ptr<ByteSink> file) {
  auto sink = std::make_unique<Sink>(std::move(file));
  TRY(sink->start());
  return std::unique_ptr<ByteSink>(std::move(sink));
}

}  // namespace

Result<std::unique_ptr<ByteSink>> create_bytes(Io& io,
                                               const std::string& path,
                                               Compression compression) {
  std::unique_ptr<ByteSink> file =
      std::make_unique<FileSink>(io, path, TRY(io.open(path, OpenMode::kCreateNew)));
  switch (compression) {
    case Compression::kNone:
      return file;
    case Compression::kGzip:
      return compressed<GzipSink>(std::move(file));
    case Compression::kZstd:
      return compressed<ZstdSink>(std::move(file));
  }
  LOCKSTEP_ASSERT(false, "a compression without a writer");
}

}  // namespace lockstep
