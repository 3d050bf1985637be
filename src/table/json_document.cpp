#include "table/json_document.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <simdjson.h>
#include <utility>

namespace lockstep {

namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t kDepthMax = 1000;

// Takes nlohmann's events: for texts that simdjson does not take, as those with huge whole numbers,
// and to say what is wrong with the others.
class ValueEvents final {
 public:
  ValueEvents(std::vector<JsonValue>& values, std::deque<std::string>& texts, std::string_view what)
      : values_(values), texts_(texts), what_(what) {}

  const std::string& problem() const { return problem_; }

  bool null() {
    add(Kind::kNull);
    return true;
  }

  bool boolean(bool value) {
    add(Kind::kBool).boolean = value;
    return true;
  }

  bool number_integer(std::int64_t value) {
    JsonValue& added = add(Kind::kInt);
    added.whole = value;
    added.number = static_cast<double>(value);
    return true;
  }

  bool number_unsigned(std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX))
      return number_integer(static_cast<std::int64_t>(value));
    return number_float(static_cast<double>(value), fmt::format("{}", value));
  }

  bool number_float(double value, const std::string& spelling) {
    JsonValue& added = add(Kind::kNumber);
    added.number = value;
    added.text = kept(spelling);
    return true;
  }

  bool string(std::string& value) {
    add(Kind::kText).text = kept(std::move(value));
    return true;
  }

  bool binary(nlohmann::json::binary_t&) { return false; }

  bool start_object(std::size_t) { return start(Kind::kObject); }

  bool start_array(std::size_t) { return start(Kind::kArray); }

  bool end_object() { return end(); }

  bool end_array() { return end(); }

  bool key(std::string& name) {
    name_ = kept(std::move(name));
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    problem_ = fmt::format("{} is not JSON: character {} is unexpected", what_, position);
    return false;
  }

 private:
  std::string_view kept(std::string text) { return texts_.emplace_back(std::move(text)); }

  JsonValue& add(Kind kind) {
    JsonValue& added = values_.emplace_back();
    added.kind = kind;
    added.name = std::exchange(name_, {});
    added.end = static_cast<std::uint32_t>(values_.size());
    return added;
  }

  bool start(Kind kind) {
    open_.push_back(values_.size());
    add(kind);
    if (open_.size() <= kDepthMax) return true;
    problem_ = fmt::format("{} nests deeper than {}", what_, kDepthMax);
    return false;
  }

  bool end() {
    values_[open_.back()].end = static_cast<std::uint32_t>(values_.size());
    open_.pop_back();
    return true;
  }

  std::vector<JsonValue>& values_;
  std::deque<std::string>& texts_;
  const std::string_view what_;
  std::vector<std::size_t> open_;
  std::string_view name_;
  std::string problem_;
};

// Goes through what simdjson has parsed. No error can come: the types were asked for.
class Walk final {
 public:
  Walk(std::vector<JsonValue>& values, std::deque<std::string>& texts)
      : values_(values), texts_(texts) {}

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the parser lets a text be
  void add(std::string_view name, simdjson::dom::element element) {
    const std::size_t at = values_.size();
    values_.emplace_back().name = name;
    simdjson::dom::object object;
    simdjson::dom::array array;
    if (element.get(object) == simdjson::SUCCESS) {
      values_[at].kind = Kind::kObject;
      for (const simdjson::dom::key_value_pair member : object)
        add(member.key, member.value);
    } else if (element.get(array) == simdjson::SUCCESS) {
      values_[at].kind = Kind::kArray;
      for (const simdjson::dom::element one : array)
        add({}, one);
    } else {
      read_scalar(element, values_[at]);
    }
    values_[at].end = static_cast<std::uint32_t>(values_.size());
  }

 private:
  void read_scalar(simdjson::dom::element element, JsonValue& out) {
    std::uint64_t large = 0;
    if (element.get(out.text) == simdjson::SUCCESS) {
      out.kind = Kind::kText;
    } else if (element.get(out.whole) == simdjson::SUCCESS) {
      out.kind = Kind::kInt;
      out.number = static_cast<double>(out.whole);
    } else if (element.get(large) == simdjson::SUCCESS) {  // above the largest int
      out.kind = Kind::kNumber;
      out.number = static_cast<double>(large);
      out.text = texts_.emplace_back(fmt::format("{}", large));
    } else if (element.get(out.number) == simdjson::SUCCESS) {
      out.kind = Kind::kNumber;
    } else if (element.get(out.boolean) == simdjson::SUCCESS) {
      out.kind = Kind::kBool;
    }
  }

  std::vector<JsonValue>& values_;
  std::deque<std::string>& texts_;
};

}  // namespace

namespace {

// A number that was no whole one shows so.
std::string number_spelling(double number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

struct JsonDocument::Parser {
  simdjson::dom::parser parser;
  std::string padded;  // the text, with what simdjson may read behind it
};

JsonDocument::JsonDocument() : parser_(std::make_unique<Parser>()) {
}

JsonDocument::~JsonDocument() = default;

std::string JsonValue::spelling() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean ? "true" : "false";
    case Kind::kInt:
      return fmt::format("{}", whole);
    case Kind::kNumber:
      return text.empty() ? number_spelling(number) : std::string(text);
    case Kind::kText:
      return std::string(text);
    case Kind::kObject:
      return "{...}";
    case Kind::kArray:
      return "[...]";
  }
  return {};
}

bool JsonDocument::read(std::string_view text, std::string_view what, std::string& reason) {
  begin_values();
  std::string& padded = parser_->padded;
  padded.assign(text);
  padded.append(simdjson::SIMDJSON_PADDING, '\0');
  simdjson::dom::element root;
  const simdjson::error_code failed =
      parser_->parser.parse(padded.data(), text.size(), false).get(root);
  if (failed != simdjson::SUCCESS) return read_slowly(text, what, reason);
  Walk(values_, texts_).add({}, root);
  return true;
}

bool JsonDocument::read_slowly(std::string_view text, std::string_view what, std::string& reason) {
  ValueEvents events(values_, texts_, what);
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &events)) return true;
  reason = events.problem();
  return false;
}

bool JsonDocument::read_object(std::string_view text, std::string_view what, std::string& reason) {
  return read(text, what, reason) && check_object(what, reason);
}

std::vector<JsonValue>& JsonDocument::begin_values() {
  values_.clear();
  texts_.clear();
  return values_;
}

bool JsonDocument::check_object(std::string_view what, std::string& reason) {
  if (root().kind != Kind::kObject) {
    reason = fmt::format("{} is not an object", what);
    return false;
  }
  std::string_view name;
  if (!has_name_twice(name)) return true;
  reason = fmt::format("{} has two values for '{}'", what, name);
  return false;
}

bool JsonDocument::has_name_twice(std::string_view& name) {
  std::size_t count = 0;
  bool is_as_last = true;
  for_each(root(), [&](const JsonValue& member) {
    is_as_last = is_as_last && count < last_names_.size() && last_names_[count] == member.name;
    ++count;
  });
  if (is_as_last && count == last_names_.size()) return false;
  std::vector<std::string_view> names;
  for_each(root(), [&](const JsonValue& member) { names.push_back(member.name); });
  last_names_.assign(names.begin(), names.end());
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return false;
  name = *twice;
  last_names_.clear();
  return true;
}

const JsonValue* JsonDocument::find(const JsonValue& object, std::string_view name) const {
  if (object.kind != Kind::kObject) return nullptr;
  const JsonValue* found = nullptr;
  for_each(object, [&](const JsonValue& member) {
    if (found == nullptr && member.name == name) found = &member;
  });
  return found;
}

}  // namespace lockstep
