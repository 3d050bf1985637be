#include "source/mysql/mysql_url.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

namespace lockstep {
namespace {

Error no_mysql_url() {
  return invalid("the url of the database is not one",
                 "write mysql://user:password@host:3306/database");
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[at + 1]);
    const int low = hex_digit(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

// What is in front of `mark`, which is taken off with it; all of it where there is no mark.
std::string_view take_until(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view taken = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return taken;
}

Result<void> read_option(std::string_view name, std::string value, MysqlUrl& out) {
  if (name == "ssl-ca") {
    out.ca_file = std::move(value);
  } else if (name == "ssl-cert") {
    out.certificate_file = std::move(value);
  } else if (name == "ssl-key") {
    out.key_file = std::move(value);
  } else if (name == "socket") {
    out.socket = std::move(value);
  } else if (name == "ssl-mode" && value == "disabled") {
    out.tls = MysqlUrl::Tls::kOff;
  } else if (name == "ssl-mode" && value == "required") {
    out.tls = MysqlUrl::Tls::kRequired;
  } else if (name == "ssl-mode" && value == "verify-identity") {
    out.tls = MysqlUrl::Tls::kVerified;
  } else {
    return invalid(fmt::format("the database's url has the option '{}', or a value of it, that "
                               "Lockstep does not know",
                               name),
                   "it takes ssl-mode=disabled|required|verify-identity, ssl-ca, ssl-cert, ssl-key "
                   "and socket");
  }
  return {};
}

Result<void> read_options(std::string_view options, MysqlUrl& out) {
  while (!options.empty()) {
    std::string_view one = take_until(options, '&');
    const std::string_view name = take_until(one, '=');
    std::optional<std::string> value = percent_decoded(one);
    if (!value) return no_mysql_url();
    TRY(read_option(name, *std::move(value), out));
  }
  return {};
}

Result<void> read_host(std::string_view text, MysqlUrl& out) {
  std::string_view port;
  if (text.starts_with('[')) {  // IPv6
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return no_mysql_url();
    out.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (port.starts_with(':')) port.remove_prefix(1);
  } else {
    out.host = take_until(text, ':');
    port = text;
  }
  if (port.empty()) return {};
  const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  constexpr unsigned kPortMax = 65'535;
  const bool is_port = failed == std::errc() && end == port.data() + port.size() && out.port > 0 &&
                       out.port <= kPortMax;
  return is_port ? Result<void>() : no_mysql_url();
}

}  // namespace

std::string MysqlUrl::place() const {
  return host.empty() ? "the local socket" : fmt::format("{}:{}", host, port);
}

Result<MysqlUrl> parse_mysql_url(std::string_view url) {
  MysqlUrl out;
  const std::size_t scheme = url.find("://");
  const std::string_view name = url.substr(0, scheme);
  if (scheme == std::string_view::npos || (name != "mysql" && name != "mariadb"))
    return no_mysql_url();
  std::string_view rest = url.substr(scheme + 3);
  std::string_view front = take_until(rest, '?');
  TRY(read_options(rest, out));
  std::string_view server = take_until(front, '/');
  const std::size_t at = server.rfind('@');
  if (at != std::string_view::npos) {
    std::string_view login = server.substr(0, at);
    std::optional<std::string> user = percent_decoded(take_until(login, ':'));
    std::optional<std::string> password = percent_decoded(login);
    if (!user || !password) return no_mysql_url();
    out.user = *std::move(user);
    out.password = *std::move(password);
    server.remove_prefix(at + 1);
  }
  std::optional<std::string> database = percent_decoded(front);
  if (!database) return no_mysql_url();
  out.database = *std::move(database);
  TRY(read_host(server, out));
  return out;
}

}  // namespace lockstep
