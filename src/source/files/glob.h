// Patterns for paths: `*` and `?` within a name, `[a-z]` and `[!a-z]`, and `**` for any number of
// folders.
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Whether one name (no `/`) is what `pattern` means. A name that begins with a dot is hidden: only
// a pattern that begins with one finds it, so that a file which is still being written under such a
// name is left alone.
// `[` without its `]` stands for itself. Takes time in the product of both lengths, never more.
bool matches_name(std::string_view pattern, std::string_view name);

struct GlobMatch {
  std::string name;  // relative to `directory` where it lies below it, else absolute
  FileInfo info;     // with the path to open
};

struct GlobLimits {
  std::size_t file_count_max = 1'000'000;
  std::size_t directory_count_max = 100'000;
  std::size_t path_bytes_max = 4096;
};

// `./` and doubled slashes taken out of `pattern`, and `directory` in front of it: one spelling for
// one place.
std::string normal_pattern(std::string_view directory, std::string_view pattern);

// The folder above the first part of `pattern` that has a wildcard: what to watch.
std::string fixed_directory(std::string_view directory, std::string_view pattern);

// Every file that a pattern names, each once, by name. A folder that is missing or vanishes has no
// files; one that may not be read is an error. Links are followed, and a folder is entered once a
// pattern, however many links lead there.
Result<std::vector<GlobMatch>> find_files(Io& io,
                                          const std::string& directory,
                                          const std::vector<std::string>& patterns,
                                          const GlobLimits& limits = {});

}  // namespace lockstep
