// The url of a MariaDB or MySQL database. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace lockstep {

// Value.
struct MysqlUrl {
  std::string user;
  std::string password;
  std::string host;  // empty: the socket
  unsigned port = 3306;
  std::string database;
  std::string socket;
  enum class Tls { kOff, kRequired, kVerified };
  Tls tls = Tls::kOff;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;

  std::string place() const;  // "db:3306", for messages
};

// mysql://user:password@host:3306/database?ssl-mode=verify-identity&ssl-ca=FILE, percent-encoded.
// No error quotes it.
Result<MysqlUrl> parse_mysql_url(std::string_view url);

}  // namespace lockstep
