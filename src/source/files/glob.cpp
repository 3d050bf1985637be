#include "source/files/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lockstep {
namespace {

constexpr std::string_view kAnyFolders = "**";

bool has_wildcard(std::string_view part) {
  return part.find_first_of("*?[") != std::string_view::npos;
}

// Bytes of the UTF-8 character at the front; a stray byte counts as one.
std::size_t character_bytes(std::string_view text) {
  std::size_t count = 1;
  while (count < text.size() && (static_cast<unsigned char>(text[count]) & 0xC0U) == 0x80U)
    ++count;
  return count;
}

// Takes the character at the front of `text`. UTF-8 orders by bytes as by code points, so views
// compare well.
std::string_view take_character(std::string_view& text) {
  const std::size_t count = character_bytes(text);
  const std::string_view character = text.substr(0, count);
  text.remove_prefix(count);
  return character;
}

struct SetMatch {
  bool closed = false;  // a whole [...] stood there
  bool matches = false;
};

// `pattern` stands behind `[`, and behind the `]` afterwards, if there is one.
SetMatch match_set(std::string_view& pattern, std::string_view character) {
  std::string_view rest = pattern;
  const bool negated = !rest.empty() && (rest.front() == '!' || rest.front() == '^');
  if (negated) rest.remove_prefix(1);
  bool found = false;
  bool first = true;
  while (!rest.empty() && (first || rest.front() != ']')) {
    first = false;
    const std::string_view low = take_character(rest);
    std::string_view high = low;
    if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      high = take_character(rest);
    }
    found = found || (low <= character && character <= high);
  }
  if (rest.empty()) return {};
  pattern = rest.substr(1);
  return {.closed = true, .matches = found != negated};
}

// One step of `pattern`, which is not `*`, against one character of `name`; both move on.
bool match_one(std::string_view& pattern, std::string_view& name) {
  const std::string_view wanted = take_character(pattern);
  const std::string_view character = take_character(name);
  if (wanted == "?") return true;
  if (wanted != "[") return wanted == character;
  const SetMatch set = match_set(pattern, character);
  return set.closed ? set.matches : character == "[";
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (const std::string_view part = path.substr(0, end); !part.empty() && part != ".") {
      parts.emplace_back(part);
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

std::string below(const std::string& parent, const std::string& name) {
  if (parent.empty()) return name;
  return parent == "/" ? "/" + name : parent + "/" + name;
}

// Walks one pattern.
class Walk final {
 public:
  Walk(Io& io, const std::string& directory, const GlobLimits& limits)
      : io_(io), directory_(directory), limits_(limits) {}

  Result<void> find(const std::string& pattern, std::map<std::string, FileInfo>& found) {
    parts_ = split_path(pattern);
    pending_.push_back({.name = pattern.starts_with('/') ? "/" : "", .part = 0});
    while (!pending_.empty()) {
      const Place place = std::move(pending_.back());
      pending_.pop_back();
      TRY(visit(place, found));
    }
    return {};
  }

 private:
  // A folder, and the part of the pattern that its entries must match.
  struct Place {
    std::string name;
    std::size_t part = 0;
  };

  std::string path_of(const std::string& name) const { return join_path(directory_, name); }

  Result<void> visit(const Place& place, std::map<std::string, FileInfo>& found) {
    if (place.part >= parts_.size()) return {};
    const std::string& part = parts_[place.part];
    if (part == kAnyFolders) {
      pending_.push_back({.name = place.name, .part = place.part + 1});
      return enter(place, found);
    }
    if (has_wildcard(part)) return enter(place, found);
    const std::string name = below(place.name, part);
    const Result<FileInfo> info = io_.info(path_of(name));
    if (!info.ok() && info.error().code != Code::kNotFound) return info.error();
    if (info.ok()) TRY(take(name, place.part, info.value(), found));
    return {};
  }

  // Lists a folder and takes what matches.
  Result<void> enter(const Place& place, std::map<std::string, FileInfo>& found) {
    const std::string path = place.name.empty() ? directory_ : path_of(place.name);
    if (!TRY(first_visit(path, place.part))) return {};
    const auto entries = io_.list(path);
    if (!entries.ok() && entries.error().code == Code::kNotFound) return {};
    if (!entries.ok()) return entries.error();
    const std::string& part = parts_[place.part];
    for (const FileInfo& entry : entries.value()) {
      const std::string name(file_name(entry.path));
      if (part == kAnyFolders) {
        if (!entry.is_directory || name.starts_with('.')) continue;
        pending_.push_back({.name = below(place.name, name), .part = place.part});
      } else if (matches_name(part, name)) {
        TRY(take(below(place.name, name), place.part, entry, found));
      }
    }
    return {};
  }

  Result<bool> first_visit(const std::string& path, std::size_t part) {
    const auto real = io_.absolute(path);
    if (!real.ok() && real.error().code == Code::kNotFound) return false;
    if (!real.ok()) return real.error();
    if (!visited_.emplace(real.value(), part).second) return false;
    if (visited_.size() > limits_.directory_count_max) {
      return make_error(Code::kUnsupported,
                        fmt::format("the pattern leads through more than {} folders",
                                    limits_.directory_count_max),
                        "name the folders more closely, without '**'");
    }
    return true;
  }

  // Something has matched part `part`: a file at the last one, a folder to go into before.
  Result<void> take(const std::string& name,
                    std::size_t part,
                    FileInfo info,
                    std::map<std::string, FileInfo>& found) {
    if (name.size() > limits_.path_bytes_max) {
      return make_error(
          Code::kUnsupported,
          fmt::format(
              "the path {}... is longer than {} bytes", name.substr(0, 64), limits_.path_bytes_max),
          "use shorter names");
    }
    if (part + 1 < parts_.size()) {
      if (info.is_directory) pending_.push_back({.name = name, .part = part + 1});
      return {};
    }
    if (info.is_directory) return {};
    info.path = path_of(name);
    found.emplace(name, std::move(info));
    if (found.size() > limits_.file_count_max) {
      return make_error(Code::kUnsupported,
                        fmt::format("the pattern finds more than {} files", limits_.file_count_max),
                        "move files that were read to another folder");
    }
    return {};
  }

  Io& io_;
  const std::string& directory_;
  const GlobLimits& limits_;
  std::vector<std::string> parts_;
  std::vector<Place> pending_;
  std::set<std::pair<std::string, std::size_t>> visited_;
};

}  // namespace

bool matches_name(std::string_view pattern, std::string_view name) {
  if (name.starts_with('.') && !pattern.starts_with('.')) return false;
  std::string_view star_pattern;  // behind the last star
  std::string_view star_name;     // what that star has not eaten yet
  bool has_star = false;
  while (!name.empty()) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      star_pattern = pattern;
      star_name = name;
      has_star = true;
      continue;
    }
    if (!pattern.empty() && match_one(pattern, name)) continue;
    if (!has_star) return false;
    take_character(star_name);
    pattern = star_pattern;
    name = star_name;
  }
  return pattern.find_first_not_of('*') == std::string_view::npos;
}

std::string normal_pattern(std::string_view directory, std::string_view pattern) {
  std::string normal = pattern.starts_with('/') ? "/" : "";
  for (const std::string& part : split_path(pattern))
    normal = below(normal, part);
  const std::string prefix = below(std::string(directory), "");
  if (directory.starts_with('/') && normal.size() > prefix.size() && normal.starts_with(prefix)) {
    normal.erase(0, prefix.size());
  }
  return normal;
}

std::string fixed_directory(std::string_view directory, std::string_view pattern) {
  std::string name = pattern.starts_with('/') ? "/" : "";
  const std::vector<std::string> parts = split_path(pattern);
  for (std::size_t part = 0; part + 1 < parts.size() && !has_wildcard(parts[part]); ++part) {
    name = below(name, parts[part]);
  }
  if (name.starts_with('/')) return name;
  return name.empty() ? std::string(directory) : join_path(directory, name);
}

Result<std::vector<GlobMatch>> find_files(Io& io,
                                          const std::string& directory,
                                          const std::vector<std::string>& patterns,
                                          const GlobLimits& limits) {
  std::map<std::string, FileInfo> found;
  for (const std::string& pattern : patterns) {
    TRY_IN(Walk(io, directory, limits).find(normal_pattern(directory, pattern), found),
           "looking for " + pattern);
  }
  std::vector<GlobMatch> matches;
  matches.reserve(found.size());
  for (auto& [name, info] : found)
    matches.push_back({name, std::move(info)});
  return matches;
}

}  // namespace lockstep
