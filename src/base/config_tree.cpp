#include "base/config_tree.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

// Length of the UTF-8 character that `text` starts with; 0: it is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
  };
  const auto follows = [&](std::size_t index) { return (byte(index) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first < 0xC2U) return 0;
  if (first < 0xE0U) return follows(1) ? 2 : 0;
  if (first < 0xF0U) {
    const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
    const bool surrogate = first == 0xEDU && byte(1) >= 0xA0U;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first > 0xF4U) return 0;
  const bool overlong = first == 0xF0U && byte(1) < 0x90U;
  const bool too_high = first == 0xF4U && byte(1) >= 0x90U;
  return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
}

}  // namespace

Result<void> check_config_text(std::string_view text, std::string_view file) {
  Mark mark{std::string(file), 1, 1};
  if (text.size() > kConfigBytesMax) {
    return invalid_at(
        mark,
        fmt::format("the text has {} bytes; the limit is {}", text.size(), kConfigBytesMax),
        "see whether this is the configuration and not a data file");
  }
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      return invalid_at(
          mark, fmt::format("byte 0x{:02X} is not UTF-8 text", first), "save the file as UTF-8");
    }
    const bool is_space = first == '\t' || first == '\n' || first == '\r';
    if ((first < 0x20 && !is_space) || first == 0x7F) {
      return invalid_at(mark,
                        fmt::format("control character 0x{:02X}", first),
                        "remove it; in double quotes it can be written as an escape");
    }
    mark.column += 1;
    if (first == '\n') mark = {mark.file, mark.line + 1, 1};
    text.remove_prefix(length);
  }
  return {};
}

Result<void> TreeBuilder::scalar(std::string text, bool quoted, Mark mark) {
  TRY(count(mark));
  Node node;
  node.kind = Node::Kind::kScalar;
  node.scalar = std::move(text);
  node.quoted = quoted;
  node.mark = std::move(mark);
  return wants_name() ? name(node) : put(std::move(node));
}

Result<void> TreeBuilder::null(Mark mark) {
  TRY(count(mark));
  Node node;
  node.mark = std::move(mark);
  if (wants_name()) {
    // As a name, `null` is a word: the files source has a setting of that name.
    node.kind = Node::Kind::kScalar;
    node.scalar = "null";
    return name(node);
  }
  return put(std::move(node));
}

Result<void> TreeBuilder::open(Node::Kind kind, Mark mark) {
  TRY(count(mark));
  if (wants_name()) {
    return invalid_at(mark, "the name of a field is a list or a map", "write 'name: value'");
  }
  if (levels_.size() >= kNestingMax) {
    return invalid_at(
        mark, fmt::format("nested deeper than {} levels", kNestingMax), "write it flatter");
  }
  Level level;
  level.node.kind = kind;
  level.node.mark = std::move(mark);
  levels_.push_back(std::move(level));
  return {};
}

Result<void> TreeBuilder::close() {
  LOCKSTEP_ASSERT(!levels_.empty(), "a list or map closes that never opened");
  Node node = std::move(levels_.back().node);
  levels_.pop_back();
  return put(std::move(node));
}

bool TreeBuilder::wants_name() const {
  return !levels_.empty() && levels_.back().node.is_map() && !levels_.back().has_name;
}

Result<void> TreeBuilder::name(const Node& node) {
  Level& level = levels_.back();
  if (const Node* before = level.node.find(node.scalar); before != nullptr) {
    return invalid_at(
        node.mark,
        fmt::format("'{}' is given twice, first in line {}", node.scalar, before->mark.line),
        "remove one of the two");
  }
  level.name = node.scalar;
  level.has_name = true;
  return {};
}

Result<void> TreeBuilder::put(Node node) {
  if (levels_.empty()) {
    root_ = std::move(node);
    return {};
  }
  Level& level = levels_.back();
  if (level.node.is_list()) {
    level.node.items.push_back(std::move(node));
    return {};
  }
  level.node.fields.emplace_back(std::move(level.name), std::move(node));
  level.has_name = false;
  return {};
}

Result<void> TreeBuilder::count(const Mark& mark) {
  if (++node_count_ <= kConfigNodesMax) return {};
  return invalid_at(mark,
                    fmt::format("more than {} values", kConfigNodesMax),
                    "see whether this is the configuration and not a data file");
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      quoted += '\\';
      quoted += letter;
    } else if (letter == '\n') {
      quoted += "\\n";
    } else if (code < 0x20) {
      quoted += fmt::format("\\u{:04x}", code);
    } else {
      quoted += letter;
    }
  }
  return quoted + '"';
}

}  // namespace lockstep
