#include "base/config.h"

#include "base/config_tree.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace lockstep {
namespace {

const char* kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "empty";
    case Node::Kind::kScalar:
      return "a value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  LOCKSTEP_ASSERT(false, "a kind of node has no name");
  return "";
}

// What was found, as the user wrote it; long texts are cut.
std::string found(const Node& node) {
  constexpr std::size_t kShownMax = 60;
  if (!node.is_scalar()) return kind_name(node);
  if (node.scalar.size() > kShownMax) return "'" + node.scalar.substr(0, kShownMax) + "...'";
  const char* quotes = node.quoted ? "\"" : "'";
  return quotes + node.scalar + quotes;
}

Error wrong(const Node& node, std::string_view what, std::string_view expected, std::string hint) {
  return invalid_at(
      node.mark, fmt::format("{} is {}, not {}", what, found(node), expected), std::move(hint));
}

// JSON's grammar of a number, so that 007 and 1_000 stay text; YAML also allows a plus sign, we do
// not: what a number is must be the same in both.
bool looks_like_number(std::string_view text) {
  const auto digits = [&text] {
    std::size_t count = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      text.remove_prefix(1);
      ++count;
    }
    return count;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool leading_zero = text.starts_with('0');
  const std::size_t whole = digits();
  if (whole == 0 || (leading_zero && whole > 1)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

template <typename Number>
std::optional<Number> read_whole(std::string_view text) {
  Number value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string scalar_json(const Node& node) {
  const std::string& text = node.scalar;
  if (node.quoted) return json_quoted(text);
  if (text == "true" || text == "false") return text;
  if (!looks_like_number(text)) return json_quoted(text);
  if (const auto integer = read_whole<std::int64_t>(text)) return fmt::to_string(*integer);
  const auto number = read_whole<double>(text);
  // A whole number beyond 64 bits would lose digits as a double, so it stays text.
  const bool is_whole = text.find_first_of(".eE") == std::string::npos;
  if (!number || is_whole || !std::isfinite(*number)) return json_quoted(text);
  return *number == 0 ? "0" : fmt::format("{}", *number);
}

}  // namespace

std::string Mark::text() const {
  return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column);
}

Error invalid_at(const Mark& mark, std::string message, std::string hint) {
  const std::string place = mark.text();
  if (!place.empty()) message = place + ": " + message;
  return invalid(std::move(message), std::move(hint));
}

Node::Node() = default;
Node::Node(const Node& other) = default;
Node::Node(Node&& other) noexcept = default;
Node& Node::operator=(const Node& other) = default;
Node& Node::operator=(Node&& other) noexcept = default;
Node::~Node() = default;

const Node* Node::find(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return &value;
  }
  return nullptr;
}

Result<std::string> Node::text(std::string_view what) const {
  if (!is_scalar()) return wrong(*this, what, "a text", "write one value, in quotes if need be");
  return scalar;
}

Result<std::int64_t> Node::integer(std::string_view what) const {
  constexpr const char* kHint = "write a whole number without quotes, such as 1000";
  if (!is_scalar() || quoted) return wrong(*this, what, "a whole number", kHint);
  const auto value = read_whole<std::int64_t>(scalar);
  if (!value || !looks_like_number(scalar)) return wrong(*this, what, "a whole number", kHint);
  return *value;
}

Result<double> Node::number(std::string_view what) const {
  constexpr const char* kHint = "write a number without quotes, such as 0.5 or 1e-3";
  if (!is_scalar() || quoted) return wrong(*this, what, "a number", kHint);
  const auto value = read_whole<double>(scalar);
  if (!value || !looks_like_number(scalar)) return wrong(*this, what, "a number", kHint);
  if (!std::isfinite(*value)) return wrong(*this, what, "a finite number", kHint);
  return *value;
}

Result<bool> Node::boolean(std::string_view what) const {
  if (is_scalar() && !quoted && scalar == "true") return true;
  if (is_scalar() && !quoted && scalar == "false") return false;
  return wrong(*this, what, "true or false", "write true or false, without quotes");
}

Result<std::vector<std::string>> Node::texts(std::string_view what) const {
  if (is_scalar()) return std::vector{scalar};
  if (!is_list()) return wrong(*this, what, "a list of texts", "write [one, two]");
  std::vector<std::string> values;
  for (const Node& item : items)
    values.push_back(TRY(item.text(fmt::format("an item of {}", what))));
  return values;
}

// Recursion ends: parsers refuse what is nested deeper than 32.
std::string Node::json() const {
  if (is_null()) return "null";
  if (is_scalar()) return scalar_json(*this);
  std::string text;
  for (const Node& item : items)
    text += (text.empty() ? "" : ",") + item.json();
  if (is_list()) return "[" + text + "]";
  for (const auto& [name, value] : fields) {
    text += (text.empty() ? "" : ",") + json_quoted(name) + ":" + value.json();
  }
  return "{" + text + "}";
}

Node node_of(std::string_view scalar) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.scalar = scalar;
  return node;
}

Node node_of(std::vector<Node> items) {
  Node node;
  node.kind = Node::Kind::kList;
  node.items = std::move(items);
  return node;
}

Node node_of(std::vector<std::pair<std::string, Node>> fields) {
  Node node;
  node.kind = Node::Kind::kMap;
  node.fields = std::move(fields);
  return node;
}

}  // namespace lockstep
