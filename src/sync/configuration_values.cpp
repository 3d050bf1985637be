#include "sync/configuration_values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::uint64_t kSecretBytesMax = 64 * 1024;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  return text;
}

// The number in front of `unit`, or alone. false: it is neither.
bool number_with_unit(std::string_view text,
                      std::string_view unit,
                      double& number,
                      bool& had_unit) {
  text = trimmed(text);
  had_unit = text.ends_with(unit);
  if (had_unit) text = trimmed(text.substr(0, text.size() - unit.size()));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<std::string> secret_of(Io& io, const std::string& path, const std::string& directory) {
  const std::string whole = path.starts_with('/') ? path : join_path(directory, path);
  std::string text = TRY(read_file(io, whole, kSecretBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  return text;
}

Result<std::string> filled(Io& io, const Node& node, const std::string& directory) {
  std::string out;
  std::string_view rest = node.scalar;
  for (;;) {
    const std::size_t open = rest.find("${");
    if (open == std::string_view::npos) return out.append(rest);
    const std::size_t close = rest.find('}', open);
    if (close == std::string_view::npos) {
      return invalid_at(node.mark,
                        fmt::format("'{}' opens ${{ and does not close it", node.scalar),
                        "write ${NAME}, or ${file:PATH}");
    }
    out.append(rest.substr(0, open));
    const std::string name(rest.substr(open + 2, close - open - 2));
    if (name.starts_with("file:")) {
      Result<std::string> secret = secret_of(io, name.substr(5), directory);
      if (!secret.ok()) return invalid_at(node.mark, secret.error().message, secret.error().hint);
      out += secret.value();
    } else {
      const std::optional<std::string> value = io.environment(name);
      if (!value) {
        return invalid_at(node.mark,
                          fmt::format("environment variable {} is not set", name),
                          fmt::format("export {}=...", name));
      }
      out += *value;
    }
    rest.remove_prefix(close + 1);
  }
}

}  // namespace

Result<double> share_of(const Node& node, const std::string& what) {
  double number = 0;
  bool percent = false;
  if (!node.is_scalar() || !number_with_unit(node.scalar, "%", number, percent)) {
    return invalid_at(
        node.mark, fmt::format("{} is '{}', not a share", what, node.scalar), "write 20% or 0.2");
  }
  if (percent) number /= 100;
  if (!(number >= 0 && number <= 1)) {
    return invalid_at(node.mark,
                      fmt::format("{} is {}, outside 0% to 100%", what, node.scalar),
                      "write 20% or 0.2");
  }
  return number;
}

Result<double> factor_of(const Node& node, const std::string& what) {
  double number = 0;
  bool times = false;
  if (!node.is_scalar() || !number_with_unit(node.scalar, "x", number, times) || !(number > 1) ||
      std::isinf(number)) {
    return invalid_at(
        node.mark, fmt::format("{} is '{}', not a factor above 1", what, node.scalar), "write 2x");
  }
  return number;
}

Result<std::int64_t> rows_of(const Node& node, const std::string& what) {
  double number = 0;
  bool rows = false;
  const bool read = node.is_scalar() && number_with_unit(node.scalar, "rows", number, rows);
  if (!read || !(number >= 1 && number <= 1e12) || number != std::floor(number)) {
    return invalid_at(node.mark,
                      fmt::format("{} is '{}', not a number of rows", what, node.scalar),
                      "write 1000 rows");
  }
  return static_cast<std::int64_t>(number);
}

Result<Node> fill_in(Io& io, const Node& node, const std::string& directory) {
  Node out = node;
  if (node.is_scalar() && node.scalar.find("${") != std::string::npos) {
    out.scalar = TRY(filled(io, node, directory));
  }
  for (Node& item : out.items)
    item = TRY(fill_in(io, item, directory));
  for (auto& [name, field] : out.fields)
    field = TRY(fill_in(io, field, directory));
  return out;
}

}  // namespace lockstep
