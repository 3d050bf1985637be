#include "source/files/files_listing.h"

#include "source/files/file_look.h"
#include "source/files/object_store_io.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace lockstep {
namespace {

// Nothing: the file has nothing to show yet, or is gone.
Result<std::optional<Schema>> infer_one(Io& io,
                                        const ListingRequest& request,
                                        const GlobMatch& match) {
  const ReadTask task = TRY(make_task(io, request.settings, match.name, match.info));
  if (task.read_bytes == 0) return std::optional<Schema>();
  const std::unique_ptr<Io> snapshot = task_io(io, task);
  const Schema schema =
      TRY_IN(infer_schema(*snapshot, match.info.path, task.format, task.options), match.name);
  std::vector<Field> fields = schema.fields();
  std::erase_if(
      fields, [&request](const Field& field) { return field.name == request.settings.operation; });
  return std::optional<Schema>(Schema(std::move(fields)));
}

// A folder's name alone finds nothing, and would go on finding nothing without a word.
Result<void> check_patterns_name_files(Io& io, const ListingRequest& request) {
  for (const std::string& pattern : request.settings.patterns) {
    const Result<FileInfo> info = io.info(join_path(request.directory, pattern));
    if (!info.ok() || !info.value().is_directory) continue;
    return invalid(fmt::format("'path' names the folder {}, and no files in it", pattern),
                   fmt::format("write {}/*.csv, or the ending that its files have", pattern));
  }
  return {};
}

}  // namespace

Result<std::vector<GlobMatch>> list_files(Io& io, const ListingRequest& request) {
  std::vector<GlobMatch> matches =
      TRY(find_files(io, request.directory, request.settings.patterns));
  if (matches.empty()) TRY(check_patterns_name_files(io, request));
  const auto order = [&](const GlobMatch& match) {
    const std::int64_t time_us = match.info.modified_us;
    return std::pair(request.settings.bucket ? whole_second(time_us) : time_us,
                     std::string_view(match.name));
  };
  std::ranges::sort(matches, {}, order);
  return matches;
}

std::vector<std::string> watched_directories(const ListingRequest& request) {
  std::vector<std::string> directories;
  for (const std::string& pattern : request.settings.patterns) {
    directories.push_back(fixed_directory(request.directory, pattern));
  }
  std::sort(directories.begin(), directories.end());
  directories.erase(std::unique(directories.begin(), directories.end()), directories.end());
  return directories;
}

Result<void> check_directories(Io& io, const ListingRequest& request) {
  for (const std::string& directory : watched_directories(request)) {
    const Result<FileInfo> info = io.info(directory);
    if (info.ok() && info.value().is_directory) continue;
    if (!info.ok() && info.error().code != Code::kNotFound) return info.error();
    return make_error(
        Code::kRefused,
        fmt::format("folder {} is gone; the rows of its mirrored files stay", directory),
        "bring the folder back, or change 'path'");
  }
  return {};
}

namespace {

// Of the first of these files that can be read.
Result<Schema> infer_from(Io& io,
                          const ListingRequest& request,
                          const std::vector<GlobMatch>& matches) {
  std::optional<Error> failure;
  for (const GlobMatch& match : matches) {
    Result<std::optional<Schema>> schema = infer_one(io, request, match);
    if (!schema.ok() && schema.error().code == Code::kInterrupted) return schema.error();
    if (!schema.ok() && !failure) failure = schema.error();
    if (schema.ok() && schema.value()) return *std::move(schema).value();
  }
  if (failure && failure->code != Code::kNotFound) return *failure;
  return make_error(
      Code::kNotFound,
      fmt::format("no file of {} has a row yet", fmt::join(request.settings.patterns, ", ")),
      "put a file there, or declare the dataset's columns");
}

}  // namespace

Result<Schema> infer_from_files(Io& io, const ListingRequest& request) {
  return infer_from(io, request, TRY(list_files(io, request)));
}

Result<Schema> infer_from_newest_file(Io& io, const ListingRequest& request) {
  std::vector<GlobMatch> matches = TRY(list_files(io, request));
  std::reverse(matches.begin(), matches.end());
  return infer_from(io, request, matches);
}

Result<void> check_file_name(std::string_view name) {
  if (!first_invalid_utf8(name)) return {};
  return invalid(fmt::format("the file's name {} is not UTF-8", printable_name(name)),
                 "rename the file");
}

std::string printable_name(std::string_view name) {
  std::string printable(name);
  while (const std::optional<std::size_t> invalid_at_byte = first_invalid_utf8(printable)) {
    printable[*invalid_at_byte] = '?';
  }
  return printable;
}

}  // namespace lockstep
