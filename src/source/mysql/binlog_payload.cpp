#include "source/mysql/binlog_payload.h"

#include "source/mysql/binlog.h"
#include "source/mysql/binlog_bytes.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kEventHeaderSize = 19;
constexpr std::size_t kTypeOffset = 4;
constexpr std::size_t kEventLengthOffset = 9;
constexpr std::size_t kEndOffset = 13;
// No server writes a longer one. Memory is taken as the bytes come, not as a length promises.
constexpr std::uint64_t kUnpackedEventMax = std::uint64_t{1} << 30;
constexpr std::size_t kUnpackedPiece = std::size_t{1} << 16;

Error damaged_payload(std::string_view why) {
  return make_error(Code::kCorrupt,
                    fmt::format("a compressed transaction of the binary log is damaged: {}", why));
}

}  // namespace

BinlogUnpacker::BinlogUnpacker() : stream_(nullptr, ZSTD_freeDCtx) {
}

BinlogUnpacker::~BinlogUnpacker() = default;

Result<bool> BinlogUnpacker::begin(std::string_view bytes) {
  if (bytes.size() < kEventHeaderSize) return false;  // its reader says so
  const auto type = static_cast<BinlogEventType>(bytes[kTypeOffset]);
  if (type == BinlogEventType::kFormat)
    has_checksum_ = TRY(parse_binlog_format(TRY(parse_binlog_event(bytes, false))));
  if (type != BinlogEventType::kTransactionPayload) return false;
  const BinlogEvent event =
      TRY(parse_binlog_event(bytes, has_checksum_ ? *has_checksum_ : ends_in_checksum(bytes)));
  end_ = event.end;
  TRY(open(event.body));
  return true;
}

Result<void> BinlogUnpacker::open(std::string_view body) {
  constexpr std::uint64_t kSize = 1;
  constexpr std::uint64_t kAlgorithm = 2;
  constexpr std::uint64_t kUnpackedSize = 3;
  constexpr std::uint64_t kZstd = 0;
  constexpr std::uint64_t kNone = 255;
  BinlogBytes in(body);
  std::uint64_t size = 0;
  std::uint64_t algorithm = kNone;
  told_.reset();
  for (std::uint64_t kind = in.count(); kind != 0; kind = in.count()) {
    BinlogBytes value(in.take(in.count()));
    if (kind == kSize) size = value.count();
    if (kind == kAlgorithm) algorithm = value.count();
    if (kind == kUnpackedSize) told_ = value.count();
    if (!in.is_good() || !value.is_good()) return damaged_payload("its head is cut short");
  }
  left_ = in.take(size);
  if (!in.is_good()) return damaged_payload("it is cut short");
  if (algorithm != kZstd && algorithm != kNone) {
    return make_error(Code::kUnsupported,
                      fmt::format("a transaction of the binary log is compressed by method {}, "
                                  "which is not known",
                                  algorithm),
                      "run: SET PERSIST binlog_transaction_compression = OFF; and then lockstep "
                      "resync of the source");
  }
  is_packed_ = algorithm == kZstd;
  is_frame_done_ = false;
  made_ = 0;
  is_open_ = true;
  if (!is_packed_) return {};
  if (!stream_) stream_.reset(ZSTD_createDCtx());
  if (!stream_) return make_error(Code::kIo, "zstd: out of memory");
  ZSTD_DCtx_reset(stream_.get(), ZSTD_reset_session_only);
  return {};
}

Result<std::optional<std::string_view>> BinlogUnpacker::next() {
  if (!is_open_) return std::optional<std::string_view>();
  event_.clear();
  if (!TRY(fill(kEventHeaderSize))) {
    is_open_ = false;
    if (!event_.empty() || (told_ && made_ != *told_))
      return damaged_payload("it ends within an event");
    return std::optional<std::string_view>();
  }
  if (static_cast<BinlogEventType>(event_[kTypeOffset]) == BinlogEventType::kTransactionPayload)
    return damaged_payload("it has another in it");
  const std::uint64_t length =
      BinlogBytes(std::string_view(event_).substr(kEventLengthOffset)).number(4);
  if (length < kEventHeaderSize || length > kUnpackedEventMax)
    return damaged_payload(fmt::format("an event of {} bytes is in it", length));
  if (!TRY(fill(static_cast<std::size_t>(length))))
    return damaged_payload("it ends within an event");
  // As far as the file goes, it ends where the payload does.
  for (unsigned byte = 0; byte < sizeof(end_); ++byte)
    event_[kEndOffset + byte] = static_cast<char>(end_ >> (8 * byte) & 0xFF);
  return std::optional<std::string_view>(event_);
}

// Until the event has that many bytes. false: the payload has no more.
Result<bool> BinlogUnpacker::fill(std::size_t size) {
  while (event_.size() < size) {
    const std::size_t at = event_.size();
    const std::size_t wanted = std::min(size - at, kUnpackedPiece);
    event_.resize(at + wanted);
    const Result<std::size_t> made = unpack(event_.data() + at, wanted);
    event_.resize(at + (made.ok() ? made.value() : 0));
    if (!made.ok()) return made.error();
    if (made.value() == 0) return false;
    made_ += made.value();
    if (told_ && made_ > *told_) return damaged_payload("more is in it than it says");
  }
  return true;
}

// 0: there is no more.
Result<std::size_t> BinlogUnpacker::unpack(char* out, std::size_t size) {
  if (!is_packed_) {
    const std::size_t taken = left_.copy(out, size);
    left_.remove_prefix(taken);
    return taken;
  }
  ZSTD_outBuffer output{out, size, 0};
  while (!left_.empty() || !is_frame_done_) {
    ZSTD_inBuffer input{left_.data(), left_.size(), 0};
    const std::size_t done = ZSTD_decompressStream(stream_.get(), &output, &input);
    if (ZSTD_isError(done) != 0) return damaged_payload(ZSTD_getErrorName(done));
    left_.remove_prefix(input.pos);
    is_frame_done_ = done == 0;
    if (output.pos > 0) return output.pos;
    if (left_.empty() && !is_frame_done_) return damaged_payload("it is cut short");
  }
  return std::size_t{0};
}

}  // namespace lockstep
