#include "serve/http_message.h"

#include <string_view>

namespace lockstep {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
      continue;
    }
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

std::optional<HttpTarget> parse_target(const std::string& target) {
  if (!target.starts_with('/')) return std::nullopt;
  const std::string_view whole(target);
  const std::size_t mark = whole.find('?');
  HttpTarget out;
  const auto path = decoded(whole.substr(0, mark), false);
  if (!path) return std::nullopt;
  out.path = *path;
  std::string_view rest =
      mark == std::string_view::npos ? std::string_view() : whole.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const auto name = decoded(pair.substr(0, equals), true);
    const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                        : decoded(pair.substr(equals + 1), true);
    if (!name || !value) return std::nullopt;
    out.query[*name] = *value;
  }
  return out;
}

}  // namespace lockstep
