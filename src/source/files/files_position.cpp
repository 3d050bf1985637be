#include "source/files/files_position.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <initializer_list>
#include <utility>

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kFilesPositionVersion = 1;
constexpr std::size_t kSha256Digits = 64;

Json json_of(const FileState& state) {
  Json file = {{"size", state.size_bytes},
               {"modified_us", state.modified_us},
               {"offset", state.offset_bytes},
               {"records", state.record_count},
               {"lines", state.line},
               {"hashed", state.hashed_bytes},
               {"sha256", state.sha256},
               {"done", state.done}};
  const std::initializer_list<std::pair<const char*, bool>> flags = {
      {"failed", state.failed}, {"waiting", state.waiting}, {"open_end", state.open_end}};
  for (const auto& [flag, is_set] : flags) {
    if (is_set) file[flag] = true;
  }
  return file;
}

Error corrupt(std::string_view why) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the files is unreadable: {}", why),
                    "restore the hub from a back-up, or read into a new one");
}

Result<std::uint64_t> count_in(const Json& file, const char* name) {
  const auto found = file.find(name);
  if (found == file.end() || !found->is_number_unsigned()) {
    return corrupt(fmt::format("'{}' is not a count", name));
  }
  return found->get<std::uint64_t>();
}

Result<std::string> text_in(const Json& file, const char* name) {
  const auto found = file.find(name);
  if (found == file.end() || !found->is_string()) {
    return corrupt(fmt::format("'{}' is not a text", name));
  }
  return found->get<std::string>();
}

Result<bool> flag_in(const Json& file, const char* name) {
  const auto found = file.find(name);
  if (found == file.end()) return false;
  if (!found->is_boolean()) return corrupt(fmt::format("'{}' is not true or false", name));
  return found->get<bool>();
}

Result<FileState> state_of(const Json& file) {
  FileState state;
  state.size_bytes = TRY(count_in(file, "size"));
  const auto modified = file.find("modified_us");
  if (modified == file.end() || !modified->is_number_integer()) {
    return corrupt("'modified_us' is not a time");
  }
  state.modified_us = modified->get<std::int64_t>();
  state.offset_bytes = TRY(count_in(file, "offset"));
  state.record_count = TRY(count_in(file, "records"));
  state.line = TRY(count_in(file, "lines"));
  state.hashed_bytes = TRY(count_in(file, "hashed"));
  state.sha256 = TRY(text_in(file, "sha256"));
  if (!state.sha256.empty() && state.sha256.size() != kSha256Digits) {
    return corrupt("'sha256' is not a hash");
  }
  state.done = TRY(flag_in(file, "done"));
  state.failed = TRY(flag_in(file, "failed"));
  state.waiting = TRY(flag_in(file, "waiting"));
  state.open_end = TRY(flag_in(file, "open_end"));
  return state;
}

}  // namespace

std::string part_text(const FileState& state) {
  return json_of(state).dump();
}

std::string head_text(const std::string& last) {
  const Json json = {{"version", kFilesPositionVersion}, {"last", last}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<FilesPosition> parse_position(const Position& parts) {
  FilesPosition position;
  if (parts.empty()) return position;
  const auto head = parts.find("");
  if (head == parts.end()) return corrupt("it has no head");
  for (const auto& [name, text] : parts) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return corrupt(fmt::format("the part '{}' is not a JSON object", name));
    if (!name.empty()) {
      position.files.emplace(name, TRY(state_of(json)));
      continue;
    }
    if (TRY(count_in(json, "version")) > static_cast<std::uint64_t>(kFilesPositionVersion)) {
      return make_error(Code::kTooNew,
                        "the position of the files was written by a newer lockstep",
                        "install the newer version");
    }
    position.last = TRY(text_in(json, "last"));
  }
  return position;
}

std::string describe_position(const FilesPosition& position) {
  if (position.files.empty()) return "no files yet";
  const std::size_t count = position.files.size();
  std::string text = fmt::format("{} {}", count, count == 1 ? "file" : "files");
  if (const auto last = position.files.find(position.last); last != position.files.end()) {
    text += fmt::format(", {} at line {}", position.last, last->second.line);
  }
  std::size_t waiting_count = 0;
  std::size_t failed_count = 0;
  for (const auto& [name, state] : position.files) {
    waiting_count += state.waiting ? 1 : 0;
    failed_count += state.failed ? 1 : 0;
  }
  if (waiting_count > 0) text += fmt::format(", {} with an unfinished last line", waiting_count);
  if (failed_count > 0) text += fmt::format(", {} unreadable", failed_count);
  return text;
}

}  // namespace lockstep
