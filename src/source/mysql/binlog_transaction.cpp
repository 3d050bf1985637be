#include "source/mysql/binlog_transaction.h"

#include "source/mysql/binlog_bytes.h"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::size_t kSourceUuidSize = 16;
constexpr std::uint64_t kNumberBehindAll = std::uint64_t{1} << 63;

Error damaged_gtid_event() {
  return make_error(Code::kCorrupt, "the binary log's event GTID is damaged");
}

// 1 to 9 bytes: as many as there are one-bits at the low end of the first, and one more.
std::uint64_t take_packed(BinlogBytes& in) {
  constexpr unsigned kLongest = 8;
  constexpr unsigned kByteBits = 8;
  const auto first = static_cast<std::uint8_t>(in.number(1));
  const auto more = static_cast<unsigned>(std::countr_one(first));
  const std::uint64_t rest = in.number(more);
  if (more >= kLongest - 1) return rest;  // the first has no bit of it left
  return (static_cast<std::uint64_t>(first) >> (more + 1)) | rest << (kByteBits - 1 - more);
}

LogTransaction transaction_of(std::string source, std::uint64_t number) {
  return {.gtid = MysqlGtid{std::move(source), number}, .is_standalone = std::nullopt};
}

Result<LogTransaction> parse_mysql_gtid(std::string_view body) {
  BinlogBytes in(body);
  in.take(1);  // flags
  std::string source = mysql_uuid_text(in.take(kSourceUuidSize));
  const std::uint64_t number = in.number(sizeof(number));
  if (!in.is_good() || number == 0 || number >= kNumberBehindAll) return damaged_gtid_event();
  return transaction_of(std::move(source), number);
}

Result<LogTransaction> parse_tagged_gtid(std::string_view body) {
  BinlogBytes in(body);
  take_packed(in);  // the form's version
  take_packed(in);  // the message's size
  take_packed(in);  // its last field that must be known
  bool is_good = take_packed(in) == 0;
  take_packed(in);  // flags
  is_good = is_good && take_packed(in) == 1;
  std::string uuid;
  for (std::size_t at = 0; at < kSourceUuidSize; ++at)
    uuid += static_cast<char>(take_packed(in) & 0xFF);
  is_good = is_good && take_packed(in) == 2;
  const std::uint64_t number = take_packed(in);  // the low bit is its sign
  is_good = is_good && (number & 1) == 0 && number > 0;
  is_good = is_good && take_packed(in) == 3;
  const std::string_view tag = in.take(take_packed(in));
  if (!is_good || !in.is_good()) return damaged_gtid_event();
  std::string source = mysql_uuid_text(uuid);
  if (!tag.empty()) source += ":" + std::string(tag);
  return transaction_of(std::move(source), number >> 1);
}

}  // namespace

Result<LogTransaction> parse_log_transaction(const BinlogEvent& event) {
  switch (event.type) {
    case BinlogEventType::kMysqlGtid:
      return parse_mysql_gtid(event.body);
    case BinlogEventType::kTaggedGtid:
      return parse_tagged_gtid(event.body);
    case BinlogEventType::kAnonymousGtid:
      return make_error(
          Code::kRefused,
          fmt::format("the binary log has a transaction without an id, that ends before {}: "
                      "gtid_mode was not ON",
                      event.end),
          "run: SET PERSIST gtid_mode = ON; and then lockstep resync of the source");
    default: {
      const BinlogGtid begun = TRY(parse_binlog_gtid(event));
      return LogTransaction{.gtid = begun.gtid,
                            .is_standalone = begun.is_standalone,
                            .is_prepared_xa = begun.is_prepared_xa};
    }
  }
}

Result<GtidSet> parse_previous_gtids(const BinlogEvent& event) {
  std::optional<GtidSet> set = parse_gtid_set_bytes(event.body);
  if (!set) return make_error(Code::kCorrupt, "the binary log's event PREVIOUS_GTIDS is damaged");
  return *std::move(set);
}

}  // namespace lockstep
