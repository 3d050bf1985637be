// What a source tells of itself: what is in its way, and how far it is behind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

// What stands between a source and its changes, or is worth knowing of it: for `check`.
struct SourceFinding {
  enum class Level : std::uint8_t { kOk, kWarning, kFailure };
  Level level = Level::kOk;
  std::string text;
  std::string hint;  // what to do: the exact statement, where there is one
};

// How far the source is ahead of the last batch that it gave, as far as it knows.
struct SourceLag {
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::int64_t> messages = {};  // or rows
  std::optional<std::int64_t> us = {};        // age of the oldest change that was not given
  // So much may the source still grow before it drops what was not read.
  std::optional<std::int64_t> safe_bytes = {};
};

}  // namespace lockstep
