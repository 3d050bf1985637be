#include "table/json_row.h"

#include "table/scalar_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lockstep {

namespace {

using Kind = JsonMember::Kind;

// Takes nlohmann's events. Only the members of the outermost object are kept, so deep nesting costs
// nothing.
class RowEvents {
 public:
  explicit RowEvents(std::vector<JsonMember>& members) : members_(members) {}

  const std::string& problem() const { return problem_; }

  bool null() {
    if (JsonMember* member = scalar(Kind::kNull)) member->text = "null";
    return ok();
  }

  bool boolean(bool value) {
    if (JsonMember* member = scalar(Kind::kBool)) {
      member->boolean = value;
      member->text = value ? "true" : "false";
    }
    return ok();
  }

  bool number_integer(std::int64_t value) {
    if (JsonMember* member = scalar(Kind::kInt)) {
      member->whole = value;
      member->number = static_cast<double>(value);
      member->text = fmt::format("{}", value);
    }
    return ok();
  }

  bool number_unsigned(std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
      return number_integer(static_cast<std::int64_t>(value));
    }
    return number_float(static_cast<double>(value), fmt::format("{}", value));
  }

  bool number_float(double value, const std::string& spelling) {
    if (JsonMember* member = scalar(Kind::kNumber)) {
      member->number = value;
      member->text = spelling;
    }
    return ok();
  }

  bool string(std::string& value) {
    if (JsonMember* member = scalar(Kind::kText)) member->text = std::move(value);
    return ok();
  }

  bool binary(nlohmann::json::binary_t&) {
    problem_ = "the line is not JSON";
    return false;
  }

  bool start_object(std::size_t) { return start(true); }

  bool start_array(std::size_t) { return start(false); }

  bool end_object() {
    --depth_;
    return true;
  }

  bool end_array() {
    --depth_;
    return true;
  }

  bool key(std::string& name) {
    if (depth_ == 1) members_.emplace_back().name = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    problem_ = fmt::format("the line is not JSON: character {} is unexpected", position);
    return false;
  }

 private:
  bool ok() const { return problem_.empty(); }

  // The member whose value this is; nullptr inside a nested value, or where there is no object at
  // all.
  JsonMember* scalar(Kind kind) {
    if (depth_ == 0) problem_ = "the line is not an object";
    if (depth_ != 1) return nullptr;
    members_.back().kind = kind;
    return &members_.back();
  }

  bool start(bool is_object) {
    if (depth_ == 0 && !is_object) problem_ = "the line is not an object";
    if (depth_ == 1) {
      members_.back().kind = Kind::kNested;
      members_.back().text = is_object ? "{...}" : "[...]";
    }
    ++depth_;
    return ok();
  }

  std::vector<JsonMember>& members_;
  int depth_ = 0;
  std::string problem_;
};

}  // namespace

bool read_json_row(std::string_view line, std::vector<JsonMember>& members, std::string& reason) {
  members.clear();
  RowEvents events(members);
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &events)) {
    reason = events.problem();
    return false;
  }
  std::vector<std::string_view> names;
  for (const JsonMember& member : members)
    names.push_back(member.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return true;
  reason = fmt::format("the line has two values for '{}'", *twice);
  return false;
}

}  // namespace lockstep
