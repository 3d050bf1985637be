// Builds a Node from parser events, with the limits that every format shares. YAML and JSON readers
// drive it; only they include this.
#pragma once

#include "base/config.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

constexpr std::size_t kNestingMax = 32;
constexpr std::size_t kConfigBytesMax = 4 << 20;
constexpr std::size_t kConfigNodesMax = 200'000;

// The bytes themselves: size, zero bytes, control characters, UTF-8. `file` names the text in
// errors.
Result<void> check_config_text(std::string_view text, std::string_view file);

// Resource. Events in the order of the text. Inside a map, scalars alternate between name and
// value.
class TreeBuilder final {
 public:
  Result<void> scalar(std::string text, bool quoted, Mark mark);
  Result<void> null(Mark mark);
  Result<void> open(Node::Kind kind, Mark mark);  // kList or kMap
  Result<void> close();

  Node take() { return std::move(root_); }

 private:
  struct Level {
    Node node;
    std::string name;  // of the value that comes next, when has_name
    bool has_name = false;
  };

  Result<void> put(Node node);
  Result<void> name(const Node& node);
  bool wants_name() const;
  Result<void> count(const Mark& mark);

  Node root_;
  std::vector<Level> levels_;
  std::size_t node_count_ = 0;
};

// JSON text of a string, with quotes.
std::string json_quoted(std::string_view text);

}  // namespace lockstep
