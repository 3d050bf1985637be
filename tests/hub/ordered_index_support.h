// What the tests of ordered indexes share: a hub of small pieces, and a table of its groups.
#pragma once

#include "hub/grouped_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace lockstep {

// Files and inlined rows, a small key index, and entries sorted a few at a time.
inline constexpr HubOptions kSmallPieces{.inline_rows_max = 6,
                                         .log_bytes_max = 100 << 10,
                                         .index = {.recent_max = 8, .build_max = 16},
                                         .change_window_bytes = 1'000};

inline GroupOrder names_by_x() {
  return {{"name"}, {"x"}};
}

inline CommitRequest change_of(Batch rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, std::move(rows)});
  return request;
}

inline CommitRequest creation_of(Batch rows) {
  CommitRequest request = change_of(std::move(rows));
  request.create.push_back(small_table());
  return request;
}

// A few rows at a time, until nothing is left to do.
inline void compact_small(Hub& hub) {
  while (must(hub.compact({.rows_min = 1, .rows_max = 20, .older_rows_min = 1})).state !=
         CompactionState::kNothing) {
  }
}

inline std::string difference_now(Hub& hub) {
  return difference_of_groups_now(hub, small_table().name, names_by_x());
}

inline void expect_small_groups(Hub& hub) {
  ASSERT_EQ(difference_now(hub), "");
}

inline std::vector<std::string> ordered_files(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(folder + "/catalog.sqlite.index")) {
    if (file.path().extension() == ".ordered") found.push_back(file.path().string());
  }
  return found;
}

}  // namespace lockstep
