#include "source/mysql/mysql_log_stream.h"

#include <fmt/format.h>

// The second needs the first.
// clang-format off
#include <mysql.h>
#include <mariadb_rpl.h>
// clang-format on

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {
namespace {

// The server says something that often, be it only that it is there.
constexpr std::uint64_t kHeartbeatNs = 5'000'000'000;

Error log_ended(const char* server) {
  return make_error(
      Code::kIo, fmt::format("{} ended the stream of its log", server), "it is tried again");
}

Result<void> run_statement(st_mysql* connection,
                           const std::string& sql,
                           const MysqlFailure& failure) {
  if (mysql_real_query(connection, sql.data(), sql.size()) != 0) return failure();
  return {};
}

struct FreeReplication {
  void operator()(MARIADB_RPL* replication) const { mariadb_rpl_close(replication); }
};

struct FreeEvent {
  void operator()(MARIADB_RPL_EVENT* event) const { mariadb_free_rpl_event(event); }
};

class MariadbLogStream final : public MysqlLogStream {
 public:
  MariadbLogStream(st_mysql* connection, MysqlFailure failure)
      : connection_(connection), failure_(std::move(failure)) {}

  Result<void> start(const LogRequest& request) {
    // What a replica says before it asks: that it takes all kinds of events, in this form.
    for (const std::string& sql :
         {std::string("SET @mariadb_slave_capability=4, "
                      "@master_binlog_checksum=@@global.binlog_checksum, "
                      "@slave_gtid_strict_mode=1, @slave_gtid_ignore_duplicates=0"),
          fmt::format("SET @master_heartbeat_period={}", kHeartbeatNs),
          "SET @slave_connect_state=" + quote_mysql_text(request.after.text())}) {
      TRY(run_statement(connection_, sql, failure_));
    }
    replication_.reset(mariadb_rpl_init(connection_));
    if (!replication_) return make_error(Code::kIo, "MariaDB: out of memory");
    // No file: the server finds it by the transaction's id.
    mariadb_rpl_optionsv(replication_.get(), MARIADB_RPL_FILENAME, "", std::size_t{0});
    mariadb_rpl_optionsv(replication_.get(), MARIADB_RPL_START, 4UL);
    mariadb_rpl_optionsv(replication_.get(), MARIADB_RPL_SERVER_ID, request.client);
    mariadb_rpl_optionsv(replication_.get(), MARIADB_RPL_FLAGS, 0U);
    if (mariadb_rpl_open(replication_.get()) != 0) return failure_();
    return {};
  }

  // The library looks into the event, too; what it made of it is not used.
  Result<SentEvent> fetch() override {
    // It takes the last event, and gives it back, or frees it.
    event_.reset(mariadb_rpl_fetch(replication_.get(), event_.release()));
    if (event_ == nullptr) {
      if (mysql_errno(connection_) != 0) return failure_();
      return log_ended("MariaDB");
    }
    // A byte of status stands in front.
    return SentEvent{std::string_view(reinterpret_cast<const char*>(event_->raw_data) + 1,
                                      event_->raw_data_size - 1)};
  }

 private:
  st_mysql* const connection_;
  const MysqlFailure failure_;
  std::unique_ptr<MARIADB_RPL, FreeReplication> replication_;
  std::unique_ptr<MARIADB_RPL_EVENT, FreeEvent> event_;
};

void append_number(std::string& out, std::uint64_t number, unsigned size) {
  constexpr unsigned kByte = 8;
  for (unsigned at = 0; at < size; ++at)
    out += static_cast<char>(number >> (kByte * at) & 0xFF);
}

// The library's replication functions send no set of ids, and stop at events that they do not know
// (a compressed transaction is one): the packets are read as they come.
class Mysql8LogStream final : public MysqlLogStream {
 public:
  Mysql8LogStream(st_mysql* connection, MysqlFailure failure)
      : connection_(connection), failure_(std::move(failure)) {}

  Result<void> start(const LogRequest& request) {
    // MySQL before 8.0.26 knows the first name of each, newer ones the second. By the uuid the
    // server ends what is left of a connection that broke.
    const std::string uuid = fmt::format("4c6f636b-7374-4570-8000-0000{:08x}", request.client);
    const std::string sql = fmt::format(
        "SET @master_binlog_checksum = @@global.binlog_checksum, "
        "@source_binlog_checksum = @@global.binlog_checksum, "
        "@master_heartbeat_period = {0}, @source_heartbeat_period = {0}, "
        "@slave_uuid = '{1}', @replica_uuid = '{1}'",
        kHeartbeatNs,
        uuid);
    TRY(run_statement(connection_, sql, failure_));
    constexpr auto kDumpByIds = static_cast<enum_server_command>(30);  // COM_BINLOG_DUMP_GTID
    constexpr unsigned kThroughIds = 4;
    constexpr unsigned kFirstPlace = 4;  // in whichever file the server finds by the ids
    const std::string ids = request.after.mysql()->bytes();
    std::string command;
    append_number(command, kThroughIds, 2);
    append_number(command, request.client, 4);
    append_number(command, 0, 4);  // no file's name
    append_number(command, kFirstPlace, 8);
    append_number(command, ids.size(), 4);
    command += ids;
    const int failed = connection_->methods->db_command(
        connection_, kDumpByIds, command.data(), command.size(), 1, nullptr);
    if (failed != 0) return failure_();
    return {};
  }

  Result<SentEvent> fetch() override {
    for (;;) {
      if (const std::optional<std::string_view> event = TRY(unpacker_.next()))
        return SentEvent{*event, true};
      const std::string_view event = TRY(read_packet());
      if (!TRY(unpacker_.begin(event))) return SentEvent{event};
    }
  }

 private:
  Result<std::string_view> read_packet() {
    constexpr unsigned char kEnd = 0xFE;
    constexpr std::size_t kEndSizeMax = 8;
    const auto size = static_cast<std::size_t>(mysql_net_read_packet(connection_));
    if (size == static_cast<std::size_t>(packet_error)) return failure_();
    const unsigned char* const packet = connection_->net.read_pos;
    if (size <= kEndSizeMax && packet[0] == kEnd) return log_ended("MySQL");
    // A byte of status stands in front.
    return std::string_view(reinterpret_cast<const char*>(packet) + 1, size - 1);
  }

  st_mysql* const connection_;
  const MysqlFailure failure_;
  BinlogUnpacker unpacker_;
};

template <typename Stream>
Result<std::unique_ptr<MysqlLogStream>> started(std::unique_ptr<Stream> stream,
                                                const LogRequest& request) {
  TRY(stream->start(request));
  return std::unique_ptr<MysqlLogStream>(std::move(stream));
}

}  // namespace

Result<std::unique_ptr<MysqlLogStream>> start_log_stream(st_mysql* connection,
                                                         const LogRequest& request,
                                                         const MysqlFailure& failure) {
  if (request.after.mysql() != nullptr)
    return started(std::make_unique<Mysql8LogStream>(connection, failure), request);
  return started(std::make_unique<MariadbLogStream>(connection, failure), request);
}

}  // namespace lockstep
