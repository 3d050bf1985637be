// The one file that calls yaml-cpp and the JSON library.
#include "base/config.h"
#include "base/config_tree.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace lockstep {
namespace {

// Carries an Error out of the library's parser, which knows no other way to stop.
class Stopped final : public std::exception {
 public:
  explicit Stopped(Error error) : error_(std::move(error)) {}

  const Error& error() const { return error_; }

 private:
  Error error_;
};

Mark mark_of(const YAML::Mark& mark, std::string_view file) {
  return {std::string(file), mark.line + 1, mark.column + 1};
}

class YamlEvents final : public YAML::EventHandler {
 public:
  YamlEvents(TreeBuilder& tree, std::string_view file) : tree_(tree), file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override {}

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    hold(tree_.null(at(mark)));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Stopped(invalid_at(
        at(mark), "'*name' refers to another place, which is not allowed", "write the value out"));
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    hold(tree_.scalar(value, tag == "!", at(mark)));
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    hold(tree_.open(Node::Kind::kList, at(mark)));
  }

  void OnSequenceEnd() override { hold(tree_.close()); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check(mark, tag, anchor);
    hold(tree_.open(Node::Kind::kMap, at(mark)));
  }

  void OnMapEnd() override { hold(tree_.close()); }

 private:
  Mark at(const YAML::Mark& mark) const { return mark_of(mark, file_); }

  static void hold(const Result<void>& result) {
    if (!result.ok()) throw Stopped(result.error());
  }

  // The library marks quoted scalars with the tag "!" and plain ones with "?".
  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      throw Stopped(invalid_at(
          at(mark), "'&name' names a place, which is not allowed", "write the value out"));
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Stopped(invalid_at(
          at(mark), fmt::format("the tag '{}' is not allowed", tag), "write the value without it"));
    }
  }

  TreeBuilder& tree_;
  std::string_view file_;
};

// A tab or an unclosed bracket makes the library say little; the usual reasons go beside it.
constexpr const char* kYamlHint =
    "check the indentation (spaces, not tabs), the space after ':', and that quotes and brackets "
    "close";

Result<void> read_yaml(std::string_view text, std::string_view file, TreeBuilder& tree) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    YamlEvents events(tree, file);
    if (!parser.HandleNextDocument(events)) return {};
    TreeBuilder ignored;
    YamlEvents second(ignored, file);
    if (!parser.HandleNextDocument(second)) return {};
    return invalid_at({std::string(file), 1, 1},
                      "the text holds more than one document",
                      "remove '---' and what follows it");
  } catch (const Stopped& stopped) {
    return stopped.error();
  } catch (const YAML::Exception& failure) {
    return invalid_at(mark_of(failure.mark, file), "not YAML: " + failure.msg, kYamlHint);
  }
}

// The events of the JSON reader; it asks for these names and gives no positions.
class JsonEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonEvents(TreeBuilder& tree) : tree_(tree) {}

  bool null() override { return hold(tree_.null({})); }

  bool boolean(bool value) override {
    return hold(tree_.scalar(value ? "true" : "false", false, {}));
  }

  bool number_integer(number_integer_t value) override { return plain(fmt::to_string(value)); }

  bool number_unsigned(number_unsigned_t value) override { return plain(fmt::to_string(value)); }

  bool number_float(number_float_t, const string_t& text) override { return plain(text); }

  bool string(string_t& text) override { return hold(tree_.scalar(text, true, {})); }

  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return hold(tree_.open(Node::Kind::kMap, {})); }

  bool key(string_t& text) override { return hold(tree_.scalar(text, true, {})); }

  bool end_object() override { return hold(tree_.close()); }

  bool start_array(std::size_t) override { return hold(tree_.open(Node::Kind::kList, {})); }

  bool end_array() override { return hold(tree_.close()); }

  bool parse_error(std::size_t position,
                   const std::string&,
                   const nlohmann::json::exception& failure) override {
    result_ = invalid(fmt::format("not JSON, at byte {}: {}", position, failure.what()),
                      "check that quotes and brackets close, and commas stand between values");
    return false;
  }

  const Result<void>& result() const { return result_; }

 private:
  bool plain(const std::string& text) { return hold(tree_.scalar(text, false, {})); }

  bool hold(Result<void> result) {
    result_ = std::move(result);
    return result_.ok();
  }

  TreeBuilder& tree_;
  Result<void> result_;
};

}  // namespace

Result<Node> parse_yaml(std::string_view text, std::string_view file) {
  TRY(check_config_text(text, file));
  TreeBuilder tree;
  TRY(read_yaml(text, file, tree));
  return tree.take();
}

Result<Node> node_from_json(std::string_view json) {
  TRY(check_config_text(json, "json"));
  TreeBuilder tree;
  JsonEvents events(tree);
  const bool read = nlohmann::json::sax_parse(json, &events);
  TRY(Result<void>(events.result()));
  LOCKSTEP_ASSERT(read, "the JSON reader stopped without an error");
  return tree.take();
}

}  // namespace lockstep
