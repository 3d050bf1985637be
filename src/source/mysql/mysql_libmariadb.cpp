// The connections, by libmariadb.
#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_log_reader.h"
#include "source/mysql/mysql_log_stream.h"
#include "source/mysql/mysql_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <mysql.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace lockstep {
namespace {

constexpr unsigned kMysqlConnectSeconds = 10;
// Of an answer: a server that is busy copying says something all the while.
constexpr unsigned kReadSeconds = 300;
// Of the log: the server says something every few seconds.
constexpr unsigned kLogReadSeconds = 60;
constexpr std::size_t kPacketMax = std::size_t{1} << 30;

struct FreeMysql {
  void operator()(MYSQL* connection) const { mysql_close(connection); }
};

struct FreeMysqlResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};

using MysqlHandle = std::unique_ptr<MYSQL, FreeMysql>;
using MysqlResultHandle = std::unique_ptr<MYSQL_RES, FreeMysqlResult>;

// Resource. A connection's socket, of which the library knows nothing: it may close its own at any
// moment, in the reader's thread, and another file may then have its number.
class HeldSocket final {
 public:
  explicit HeldSocket(int socket) : own_(fcntl(socket, F_DUPFD_CLOEXEC, 0)) {}

  ~HeldSocket() {
    if (own_ >= 0) close(own_);
  }

  HeldSocket(const HeldSocket&) = delete;
  HeldSocket& operator=(const HeldSocket&) = delete;

  // Whoever reads from it, or will, is told that it ended.
  void cut() const {
    if (own_ >= 0) shutdown(own_, SHUT_RDWR);
  }

 private:
  const int own_;
};

Code code_of_mysql(unsigned number, std::string_view state) {
  constexpr unsigned kNoRight = 1142;
  constexpr unsigned kNoPrivilege = 1227;
  if (state == "28000" || number == kNoRight || number == kNoPrivilege) return Code::kDenied;
  if (state.starts_with("42")) return Code::kInvalid;
  return Code::kIo;
}

std::string without_password(std::string text, const std::string& password) {
  if (password.empty()) return text;
  for (std::size_t at = text.find(password); at != std::string::npos; at = text.find(password, at))
    text.replace(at, password.size(), "***");
  return text;
}

// Whether the log that was asked for is not there, or never was: asking again will not help.
bool is_lost_place(unsigned number, std::string_view message) {
  constexpr unsigned kFatalReading = 1236;
  // It names what it lacks, but for a server whose transactions have ids no more.
  const auto has = [&](std::string_view words) { return message.find(words) != message.npos; };
  if (number != kFatalReading || has("GTID_MODE")) return false;
  return has("GTID") || has("requested") || has("AUTO_POSITION");
}

// "MariaDB", "MySQL": who speaks, as far as it said who it is.
std::string_view speaker(MYSQL* connection) {
  const char* const version = mysql_get_server_info(connection);
  const bool is_mysql =
      version != nullptr && std::string_view(version).find("MariaDB") == std::string_view::npos;
  return is_mysql ? "MySQL" : "MariaDB";
}

Error mysql_failure(MYSQL* connection, const std::string& password) {
  const unsigned number = mysql_errno(connection);
  std::string text = without_password(mysql_error(connection), password);
  if (is_lost_place(number, text)) {
    return make_error(Code::kRefused,
                      "the server cannot go on behind the position in the hub: " + text,
                      "lockstep resync of the source copies its tables anew and goes on behind it");
  }
  if (text.empty()) text = "the connection ended";
  return make_error(code_of_mysql(number, mysql_sqlstate(connection)),
                    fmt::format("{}: {}", speaker(connection), text));
}

// What may be wrong where no connection came about.
std::string connecting_hint(MYSQL* connection, const MysqlUrl& url) {
  const std::string_view text = mysql_error(connection);
  const auto has = [&](std::string_view words) { return text.find(words) != text.npos; };
  if (url.tls == MysqlUrl::Tls::kOff && (has("RSA") || has("sha2_password"))) {
    return "MySQL takes this user's password over TLS, or encrypted by a key that the server did "
           "not give: add ssl-mode=required, or better ssl-mode=verify-identity, to the url";
  }
  return "is the server running, and do url and the user's rights fit?";
}

// Each `?` in its order.
std::string with_parameters(const std::string& sql, const std::vector<std::string>& parameters) {
  std::string out;
  std::size_t next = 0;
  for (const char letter : sql) {
    if (letter == '?' && next < parameters.size()) {
      out += quote_mysql_text(parameters[next++]);
    } else {
      out += letter;
    }
  }
  return out;
}

// MySQL's own.
constexpr auto kMysqlJson = static_cast<enum_field_types>(245);

struct FieldName {
  enum_field_types type;
  const char* name;
};

// As information_schema names them.
constexpr std::array kFieldNames = {FieldName{MYSQL_TYPE_TINY, "tinyint"},
                                    FieldName{MYSQL_TYPE_SHORT, "smallint"},
                                    FieldName{MYSQL_TYPE_INT24, "mediumint"},
                                    FieldName{MYSQL_TYPE_LONG, "int"},
                                    FieldName{MYSQL_TYPE_LONGLONG, "bigint"},
                                    FieldName{MYSQL_TYPE_YEAR, "year"},
                                    FieldName{MYSQL_TYPE_BIT, "bit"},
                                    FieldName{MYSQL_TYPE_FLOAT, "float"},
                                    FieldName{MYSQL_TYPE_DOUBLE, "double"},
                                    FieldName{MYSQL_TYPE_DECIMAL, "decimal"},
                                    FieldName{MYSQL_TYPE_NEWDECIMAL, "decimal"},
                                    FieldName{MYSQL_TYPE_DATE, "date"},
                                    FieldName{MYSQL_TYPE_NEWDATE, "date"},
                                    FieldName{MYSQL_TYPE_DATETIME, "datetime"},
                                    FieldName{MYSQL_TYPE_TIMESTAMP, "timestamp"},
                                    FieldName{MYSQL_TYPE_TIME, "time"},
                                    FieldName{MYSQL_TYPE_GEOMETRY, "geometry"},
                                    FieldName{kMysqlJson, "longtext"}};

// What is in no table of names: texts, bytes, and what MariaDB sends as such.
std::string name_of_text_field(const MYSQL_FIELD& field) {
  constexpr unsigned kBinary = 63;
  MARIADB_CONST_STRING own{};
  if (mariadb_field_attr(&own, &field, MARIADB_FIELD_ATTR_DATA_TYPE_NAME) == 0 && own.length > 0) {
    const std::string name(own.str, own.length);
    return name == "json" ? "longtext" : name;
  }
  return field.charsetnr == kBinary ? "varbinary" : "varchar";
}

MysqlType type_of_field(const MYSQL_FIELD& field) {
  const auto found = std::ranges::find(kFieldNames, field.type, &FieldName::type);
  MysqlColumnInfo info;
  info.data_type = found == kFieldNames.end() ? name_of_text_field(field) : found->name;
  info.column_type = info.data_type;
  info.scale = field.decimals;
  const auto signs = (field.decimals > 0 ? 1 : 0) + ((field.flags & UNSIGNED_FLAG) != 0 ? 0 : 1);
  info.precision = static_cast<std::int64_t>(field.length) - signs;
  return mysql_type_of(info);
}

class LibmariadbLink final : public MysqlLink {
 public:
  LibmariadbLink(MysqlHandle connection, std::string password)
      : connection_(std::move(connection)), password_(std::move(password)) {}

  ~LibmariadbLink() override {
    reader_.reset();
    // Else what is left of the answer would be read to its end.
    if (result_) mariadb_cancel(connection_.get());
  }

  LibmariadbLink(const LibmariadbLink&) = delete;
  LibmariadbLink& operator=(const LibmariadbLink&) = delete;

  Result<MysqlAnswer> query(const std::string& sql,
                            const std::vector<std::string>& parameters) override {
    TRY(run(with_parameters(sql, parameters)));
    MysqlAnswer answer;
    const MysqlResultHandle result(mysql_store_result(connection_.get()));
    if (!result) {
      if (mysql_field_count(connection_.get()) != 0) return failure();
      return answer;
    }
    const unsigned count = mysql_num_fields(result.get());
    const MYSQL_FIELD* const fields = mysql_fetch_fields(result.get());
    for (unsigned column = 0; column < count; ++column)
      answer.columns.push_back({fields[column].name, type_of_field(fields[column])});
    while (char** const row = mysql_fetch_row(result.get())) {
      const auto* const lengths = mysql_fetch_lengths(result.get());
      MysqlAnswer::Row cells;
      for (unsigned column = 0; column < count; ++column) {
        cells.push_back(row[column] == nullptr ? std::optional<std::string>()
                                               : std::string(row[column], lengths[column]));
      }
      answer.rows.push_back(std::move(cells));
    }
    return answer;
  }

  Result<void> start_rows(const std::string& sql) override {
    result_.reset();
    TRY(run(sql));
    result_.reset(mysql_use_result(connection_.get()));
    if (!result_) return failure();
    return {};
  }

  Result<bool> next_row(Cells& cells) override {
    char** const row = mysql_fetch_row(result_.get());
    if (row == nullptr) {
      if (mysql_errno(connection_.get()) != 0) return failure();
      result_.reset();
      return false;
    }
    const auto* const lengths = mysql_fetch_lengths(result_.get());
    cells.resize(mysql_num_fields(result_.get()));
    for (std::size_t column = 0; column < cells.size(); ++column) {
      cells[column] = std::nullopt;
      if (row[column] != nullptr) cells[column] = std::string_view(row[column], lengths[column]);
    }
    return true;
  }

  Result<void> start_log(const LogRequest& request) override {
    stream_ = TRY(start_log_stream(connection_.get(), request, [this] { return failure(); }));
    socket_ = std::make_unique<HeldSocket>(mysql_get_socket(connection_.get()));
    reader_ = std::make_unique<MysqlLogReader>([this] { return stream_->fetch(); },
                                               [this] { socket_->cut(); });
    return {};
  }

  Result<std::optional<SentEvent>> receive() override { return reader_->receive(); }

  Result<bool> wait(std::int64_t timeout_us) override { return reader_->wait(timeout_us); }

  std::uint64_t waiting_bytes() override { return reader_ ? reader_->waiting_bytes() : 0; }

 private:
  Result<void> run(const std::string& sql) {
    if (mysql_real_query(connection_.get(), sql.data(), sql.size()) != 0) return failure();
    return {};
  }

  Error failure() { return mysql_failure(connection_.get(), password_); }

  const MysqlHandle connection_;
  const std::string password_;
  MysqlResultHandle result_;
  std::unique_ptr<MysqlLogStream> stream_;  // read in the reader's thread
  std::unique_ptr<HeldSocket> socket_;
  std::unique_ptr<MysqlLogReader> reader_;
};

void set_tls(MYSQL* connection, const MysqlUrl& url) {
  const auto file = [&](mysql_option option, const std::string& path) {
    if (!path.empty()) mysql_optionsv(connection, option, path.c_str());
  };
  file(MYSQL_OPT_SSL_CA, url.ca_file);
  file(MYSQL_OPT_SSL_CERT, url.certificate_file);
  file(MYSQL_OPT_SSL_KEY, url.key_file);
  const my_bool is_on = url.tls == MysqlUrl::Tls::kOff ? 0 : 1;
  const my_bool is_verified = url.tls == MysqlUrl::Tls::kVerified ? 1 : 0;
  mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &is_on);
  mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &is_verified);
}

class LibmariadbServer final : public MysqlServer {
 public:
  explicit LibmariadbServer(MysqlUrl url) : url_(std::move(url)) {}

  std::string database() const override { return url_.database; }

  bool has_password() const override { return !url_.password.empty(); }

  Result<std::unique_ptr<MysqlLink>> connect(MysqlLinkKind kind) override {
    MysqlHandle connection(mysql_init(nullptr));
    if (!connection) return make_error(Code::kIo, "MariaDB: out of memory");
    const unsigned read_seconds = kind == MysqlLinkKind::kLog ? kLogReadSeconds : kReadSeconds;
    const unsigned connect_seconds = kMysqlConnectSeconds;
    const unsigned no_files = 0;
    const std::size_t packet_max = kPacketMax;
    mysql_optionsv(connection.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
    mysql_optionsv(connection.get(), MYSQL_OPT_READ_TIMEOUT, &read_seconds);
    mysql_optionsv(connection.get(), MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max);
    mysql_optionsv(connection.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    // The server could ask for this machine's files.
    mysql_optionsv(connection.get(), MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_optionsv(connection.get(), MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "lockstep");
    // "localhost" is a host as all others: the library would take it for the socket.
    const unsigned protocol = MYSQL_PROTOCOL_TCP;
    if (url_.socket.empty() && !url_.host.empty())
      mysql_optionsv(connection.get(), MYSQL_OPT_PROTOCOL, &protocol);
    set_tls(connection.get(), url_);
    const auto text_of = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    if (mysql_real_connect(connection.get(),
                           text_of(url_.host),
                           text_of(url_.user),
                           text_of(url_.password),
                           text_of(url_.database),
                           url_.host.empty() ? 0 : url_.port,
                           text_of(url_.socket),
                           0) == nullptr) {
      Error error = mysql_failure(connection.get(), url_.password);
      error.hint = connecting_hint(connection.get(), url_);
      return std::move(error).with_context(fmt::format("connecting to {}", url_.place()));
    }
    return pinned(std::move(connection));
  }

 private:
  // What a cell's text looks like must not follow the server's settings; and a hub that is slow is
  // no reason to hang up.
  Result<std::unique_ptr<MysqlLink>> pinned(MysqlHandle connection) const {
    const bool is_mariadb = mariadb_connection(connection.get()) != 0;
    auto link = std::make_unique<LibmariadbLink>(std::move(connection), url_.password);
    TRY(link->query("SET time_zone = '+00:00', sql_mode = '', net_write_timeout = 86400", {}));
    TRY(link->query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", {}));
    TRY(link->query(
        is_mariadb ? "SET max_statement_time = 0" : "SET SESSION max_execution_time = 0", {}));
    return std::unique_ptr<MysqlLink>(std::move(link));
  }

  const MysqlUrl url_;
};

}  // namespace

Result<std::unique_ptr<MysqlServer>> make_mysql_server(const std::string& url) {
  return std::unique_ptr<MysqlServer>(
      std::make_unique<LibmariadbServer>(TRY(parse_mysql_url(url))));
}

std::string quote_mysql_name(std::string_view name) {
  std::string out = "`";
  for (const char letter : name) {
    if (letter == '`') out += letter;
    out += letter;
  }
  return out + "`";
}

std::string quote_mysql_text(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') out += letter;
    out += letter;
  }
  return out + "'";
}

}  // namespace lockstep
