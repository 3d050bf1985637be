// Transactions that MySQL compressed (binlog_transaction_compression): one event with those of the
// whole transaction in it, from BEGIN to its end. Pure.
//
//   TRANSACTION_PAYLOAD 40  {count kind, count size, value}... up to kind 0, payload
//     1 size of the payload   2 algorithm: 0 zstd, 255 none   3 size of what is in it
//
// The events in it have no checksum and no end in the file. They are given one by one as they are
// unpacked: a payload of a few megabytes may hold millions of rows.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ZSTD_DCtx_s;

namespace lockstep {

// Value. An event as the server sent it. One out of a payload has no checksum.
struct SentEvent {
  std::string_view bytes;
  bool is_unpacked = false;
};

// Resource.
class BinlogUnpacker final {
 public:
  BinlogUnpacker();
  ~BinlogUnpacker();
  BinlogUnpacker(const BinlogUnpacker&) = delete;
  BinlogUnpacker& operator=(const BinlogUnpacker&) = delete;

  // Of all events that come, in their order. true: it is a payload, whose events next() gives; its
  // bytes must stay until there are none. kCorrupt: damaged, or cut short.
  Result<bool> begin(std::string_view bytes);

  // The next event out of the payload, good until the next call; nullopt: there is none.
  Result<std::optional<std::string_view>> next();

 private:
  Result<void> open(std::string_view body);
  Result<bool> fill(std::size_t size);
  Result<std::size_t> unpack(char* out, std::size_t size);

  std::optional<bool> has_checksum_;  // of events; known from the first FORMAT event on
  bool is_open_ = false;
  bool is_packed_ = false;
  bool is_frame_done_ = false;         // of zstd: what is behind it is another, or nothing
  std::string_view left_;              // of the payload
  std::optional<std::uint64_t> told_;  // how many bytes are in it
  std::uint64_t made_ = 0;             // of those
  std::uint32_t end_ = 0;              // of the payload, in its file
  std::unique_ptr<ZSTD_DCtx_s, std::size_t (*)(ZSTD_DCtx_s*)> stream_;
  std::string event_;
};

}  // namespace lockstep
