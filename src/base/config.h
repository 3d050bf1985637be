// Configuration values: YAML as a tree that remembers where each value stood, and tables of
// settings from which the parser, `lockstep check`, the JSON schema and the manual are made.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// Where a value stands in the configuration; 1-based. line 0: not from a file.
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;

  std::string text() const;  // "lockstep.yaml:12:7"

  bool operator==(const Mark&) const = default;
};

// Value. One node of the configuration. A scalar keeps its text: whoever reads it decides the type.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };

  // In the source file, where Node is complete: a vector of pairs with it needs that.
  Node();
  Node(const Node& other);
  Node(Node&& other) noexcept;
  Node& operator=(const Node& other);
  Node& operator=(Node&& other) noexcept;
  ~Node();

  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  // "12" in quotes is text, never a number
  std::vector<Node> items;
  std::vector<std::pair<std::string, Node>> fields;  // in the order of the file; names unique
  Mark mark;

  const Node* find(std::string_view name) const;  // nullptr: no such field

  bool is_null() const { return kind == Kind::kNull; }

  bool is_scalar() const { return kind == Kind::kScalar; }

  bool is_list() const { return kind == Kind::kList; }

  bool is_map() const { return kind == Kind::kMap; }

  // Each fails with mark, the text found, and what to write instead.
  Result<std::string> text(std::string_view what) const;
  Result<std::int64_t> integer(std::string_view what) const;
  Result<double> number(std::string_view what) const;  // finite
  Result<bool> boolean(std::string_view what) const;   // true | false
  // A list of texts; one scalar counts as a list of one.
  Result<std::vector<std::string>> texts(std::string_view what) const;

  std::string json()
      const;  // canonical: for definitions and for the stored configuration. No marks.
};

// An error at a place: "lockstep.yaml:12:7: <message>".
Error invalid_at(const Mark& mark, std::string message, std::string hint = {});

// Parses YAML 1.2 text. Refuses duplicate names, aliases and anchors, tags, and nesting deeper
// than 32.
Result<Node> parse_yaml(std::string_view text, std::string_view file);

// Builders, for tests and for values made in code.
Node node_of(std::string_view scalar);
Node node_of(std::vector<Node> items);
Node node_of(std::vector<std::pair<std::string, Node>> fields);
Result<Node> node_from_json(std::string_view json);

// One setting: the one source of its name, type, default, bounds and text.
struct Setting {
  enum class Type { kText, kInteger, kNumber, kBoolean, kTexts, kChoice, kDuration, kBytes, kNode };

  std::string_view name = {};
  Type type = Type::kText;
  std::string_view fallback = {};  // the default as YAML; empty: none
  std::string_view text = {};      // one sentence for the manual
  bool required = false;
  std::string_view choices = {};  // for kChoice: "append | upsert | mirror"
  // Bounds of the value; of a duration in microseconds, of a list on its length.
  std::optional<double> min = {};
  std::optional<double> max = {};
};

// What a map of settings held, with defaults filled in. Getters assert that the setting is in the
// table.
class Settings final {
 public:
  // Checks every field of `node` against the table: unknown names (with the nearest right one),
  // types, bounds, choices, required ones. `what` names the thing: "source 'drop'".
  static Result<Settings> parse(const Node& node,
                                std::span<const Setting> table,
                                std::string_view what);

  bool has(std::string_view name) const;           // given or with a default
  const Node* given(std::string_view name) const;  // what the file says, or nullptr
  std::string text(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  std::int64_t duration_us(std::string_view name) const;  // "10m", "100ms", "7d"
  std::int64_t bytes(std::string_view name) const;        // "1GB", "512MiB"
  const Node& node(std::string_view name) const;

  const Mark& mark() const { return mark_; }

 private:
  const Node* find(std::string_view name) const;

  std::vector<std::string> names_;  // of the whole table
  std::vector<std::pair<std::string, Node>> values_;
  std::vector<std::string> given_;
  Mark mark_;
};

Result<std::int64_t> parse_duration_us(std::string_view text);
Result<std::int64_t> parse_bytes(std::string_view text);

// The nearest of `candidates` by edit distance, if near enough to be a slip of the finger.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace lockstep
