// The connections, by libpq.
#include "source/postgres/postgres_link.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <libpq-fe.h>
#include <poll.h>
#include <utility>

namespace lockstep {
namespace {

// What a cell's text looks like must not follow the server's or the role's settings.
constexpr const char* kPinned =
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 "
    "-c bytea_output=hex -c statement_timeout=0 -c idle_in_transaction_session_timeout=0";
constexpr const char* kConnectSeconds = "10";
constexpr const char* kUnheardMs = "60000";

struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};

struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};

using ConnectionHandle = std::unique_ptr<PGconn, FreeConnection>;
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;
using MemoryHandle = std::unique_ptr<char, FreeMemory>;

// One line, without "ERROR:  " in front, and without the password.
std::string message_of(const char* raw, const std::string& password) {
  std::string text = raw == nullptr ? "" : raw;
  while (text.ends_with('\n'))
    text.pop_back();
  for (char& letter : text) {
    if (letter == '\n') letter = ' ';
  }
  for (const std::string_view front : {"ERROR:  ", "FATAL:  "}) {
    if (text.starts_with(front)) text.erase(0, front.size());
  }
  if (password.empty()) return text;
  for (std::size_t at = text.find(password); at != std::string::npos; at = text.find(password, at))
    text.replace(at, password.size(), "***");
  return text;
}

Code code_of(const std::string& sqlstate) {
  if (sqlstate.starts_with("28") || sqlstate == "42501") return Code::kDenied;
  if (sqlstate.starts_with("42")) return Code::kInvalid;
  return Code::kIo;
}

class LibpqLink final : public PostgresLink {
 public:
  LibpqLink(ConnectionHandle connection, std::string password)
      : connection_(std::move(connection)), password_(std::move(password)) {}

  Result<PostgresAnswer> query(const std::string& sql,
                               const std::vector<std::string>& parameters) override {
    std::vector<const char*> values;
    for (const std::string& parameter : parameters)
      values.push_back(parameter.c_str());
    const ResultHandle result(parameters.empty() ? PQexec(connection_.get(), sql.c_str())
                                                 : PQexecParams(connection_.get(),
                                                                sql.c_str(),
                                                                static_cast<int>(values.size()),
                                                                nullptr,
                                                                values.data(),
                                                                nullptr,
                                                                nullptr,
                                                                0));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return failure(result.get());
    PostgresAnswer answer;
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      answer.columns.push_back({PQfname(result.get(), column),
                                PQftype(result.get(), column),
                                PQfmod(result.get(), column)});
    }
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      PostgresAnswer::Row cells;
      for (int column = 0; column < PQnfields(result.get()); ++column) {
        if (PQgetisnull(result.get(), row, column) != 0) {
          cells.emplace_back(std::nullopt);
        } else {
          cells.emplace_back(PQgetvalue(result.get(), row, column));
        }
      }
      answer.rows.push_back(std::move(cells));
    }
    return answer;
  }

  Result<void> start_stream(const std::string& sql) override {
    const ResultHandle result(PQexec(connection_.get(), sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COPY_BOTH && status != PGRES_COPY_OUT) return failure(result.get());
    return {};
  }

  Result<Received> receive() override {
    Received received;
    if (TRY(take(received))) return received;
    // Nothing is in libpq's memory: what the socket has is fetched, without waiting.
    if (PQconsumeInput(connection_.get()) == 0) return failure(nullptr);
    TRY(take(received));
    return received;
  }

  Result<void> send(std::string_view bytes) override {
    const bool sent =
        PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) == 1 &&
        PQflush(connection_.get()) >= 0;
    if (!sent) return failure(nullptr);
    return {};
  }

  Result<bool> wait(std::int64_t timeout_us) override {
    pollfd descriptor{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    constexpr std::int64_t kUsPerMs = 1'000;
    const std::int64_t timeout_ms = (timeout_us + kUsPerMs - 1) / kUsPerMs;
    const int ready = poll(&descriptor, 1, static_cast<int>(timeout_ms));
    if (ready < 0 && errno != EINTR)
      return make_error(Code::kIo, fmt::format("waiting for PostgreSQL: {}", std::strerror(errno)));
    return ready > 0;
  }

  std::string error_code() const override { return error_code_; }

 private:
  // true: `received` is final.
  Result<bool> take(Received& received) {
    char* bytes = nullptr;
    const int size = PQgetCopyData(connection_.get(), &bytes, 1);
    message_.reset(bytes);
    if (size > 0) {
      received.message = std::string_view(bytes, static_cast<std::size_t>(size));
      return true;
    }
    if (size == 0) return false;
    if (size < -1) return failure(nullptr);
    received.ended = true;
    // The stream's end, or the error that ended it.
    while (const ResultHandle result{PQgetResult(connection_.get())}) {
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_FATAL_ERROR) return failure(result.get());
      if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) break;
    }
    return true;
  }

  Error failure(const PGresult* result) {
    const char* code = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    error_code_ = code == nullptr ? "" : code;
    const char* primary =
        result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    std::string text =
        message_of(primary == nullptr ? PQerrorMessage(connection_.get()) : primary, password_);
    if (text.empty()) text = "the connection ended";
    return make_error(code_of(error_code_), "PostgreSQL: " + text);
  }

  const ConnectionHandle connection_;
  const std::string password_;
  MemoryHandle message_;
  std::string error_code_;
};

class LibpqServer final : public PostgresServer {
 public:
  LibpqServer(std::string url, std::string password, std::string options, std::string place)
      : url_(std::move(url)),
        password_(std::move(password)),
        options_(std::move(options)),
        place_(std::move(place)) {}

  bool has_password() const override { return !password_.empty(); }

  Result<std::unique_ptr<PostgresLink>> connect(LinkKind kind) override {
    // A peer that vanished without a word is noticed after a minute, not after two hours.
    std::vector<const char*> names = {"connect_timeout",
                                      "keepalives_idle",
                                      "keepalives_interval",
                                      "keepalives_count",
                                      "tcp_user_timeout",
                                      "fallback_application_name",
                                      "dbname",
                                      "client_encoding",
                                      "options"};
    std::vector<const char*> values = {kConnectSeconds,
                                       "30",
                                       "10",
                                       "3",
                                       kUnheardMs,
                                       "lockstep",
                                       url_.c_str(),
                                       "UTF8",
                                       options_.c_str()};
    if (kind == LinkKind::kReplication) {
      names.push_back("replication");
      values.push_back("database");
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    ConnectionHandle connection(PQconnectdbParams(names.data(), values.data(), 1));
    if (connection == nullptr || PQstatus(connection.get()) != CONNECTION_OK) {
      const std::string why = connection == nullptr
                                  ? "out of memory"
                                  : message_of(PQerrorMessage(connection.get()), password_);
      return make_error(Code::kIo,
                        fmt::format("connecting to PostgreSQL at {}: {}", place_, why),
                        "is the server running, and do url, role and pg_hba.conf fit?");
    }
    return std::unique_ptr<PostgresLink>(
        std::make_unique<LibpqLink>(std::move(connection), password_));
  }

 private:
  const std::string url_;
  const std::string password_;
  const std::string options_;
  const std::string place_;
};

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char letter : text) {
    if (letter == quote) out += letter;
    out += letter;
  }
  return out + quote;
}

}  // namespace

Result<std::unique_ptr<PostgresServer>> make_postgres_server(const std::string& url) {
  char* raw_why = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &raw_why);
  const MemoryHandle why(raw_why);  // not told: it quotes the url, and with it the password
  if (options == nullptr) {
    return invalid("the url of the database is not one",
                   "write postgresql://user:password@host:5432/database");
  }
  std::string password;
  std::string pinned;
  std::string host = "the local socket";
  std::string port = "5432";
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "password") password = option->val;
    if (keyword == "options") pinned = std::string(option->val) + " ";
    if (keyword == "host" || (keyword == "hostaddr" && host.empty())) host = option->val;
    if (keyword == "port") port = option->val;
  }
  PQconninfoFree(options);
  return std::unique_ptr<PostgresServer>(std::make_unique<LibpqServer>(
      url, std::move(password), pinned + kPinned, fmt::format("{}:{}", host, port)));
}

std::string quote_name(std::string_view name) {
  return doubled(name, '"');
}

std::string quote_text(std::string_view text) {
  return doubled(text, '\'');
}

}  // namespace lockstep
