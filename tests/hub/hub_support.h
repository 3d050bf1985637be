// What the hub's tests share: a hub in a folder of its own, and rows to put there.
#pragma once

#include "hub/hub_over_ducklake.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdlib.h>
#include <string>
#include <vector>

namespace lockstep {

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().message;
    abort();
  }
  return std::move(result).value();
}

inline void must(Result<void> result) {
  ASSERT_TRUE(result.ok()) << result.error().message;
}

// A hub in a temporary folder, which goes with it.
class HubPlayground {
 public:
  explicit HubPlayground(std::string folder = {}) : io_(make_system_io()), keep_(!folder.empty()) {
    if (folder.empty()) {
      std::string name = (std::filesystem::temp_directory_path() / "lockstep-hub-XXXXXX").string();
      folder = mkdtemp(name.data());
    }
    folder_ = folder;
    const auto made = Hub::create(*io_, place(), "configuration: here");
    EXPECT_TRUE(made.ok()) << made.error().message;
  }

  ~HubPlayground() {
    if (!keep_) std::filesystem::remove_all(folder_);
  }

  HubPlace place() const { return {"sqlite:" + folder_ + "/catalog.sqlite", folder_ + "/data"}; }

  std::unique_ptr<Hub> open(const HubOptions& options = {}, HubMode mode = HubMode::kWrite) {
    return must(open_hub(*io_, place(), mode, options));
  }

  Io& io() { return *io_; }

  const std::string& folder() const { return folder_; }

 private:
  std::unique_ptr<Io> io_;
  std::string folder_;
  bool keep_ = false;
};

inline Batch batch_of(const Schema& schema,
                      const std::vector<std::vector<Value>>& rows,
                      const std::vector<int>& signs = {}) {
  BatchBuilder builder(schema);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    builder.append_row(rows[row], signs.empty() ? 1 : signs[row]);
  }
  return must(builder.finish());
}

inline TableDefinition all_types() {
  return {{Layer::kRaw, "types"},
          Schema({{"id", Type::kInt},
                  {"flag", Type::kBool},
                  {"amount", Type::kFloat},
                  {"note", Type::kText},
                  {"day", Type::kDate},
                  {"time", Type::kTimestamp}}),
          {"id"}};
}

inline TableDefinition small_table(Layer layer = Layer::kRaw) {
  return {{layer, "vitals"},
          Schema({{"id", Type::kInt}, {"name", Type::kText}, {"x", Type::kFloat}}),
          {"id"}};
}

// Rows of small_table with ids [first, end).
inline Batch numbered_rows(std::int64_t first,
                           std::int64_t end,
                           int sign = 1,
                           double factor = 0.5) {
  BatchBuilder builder(small_table().schema);
  for (std::int64_t id = first; id < end; ++id) {
    builder.append_row(
        std::vector<Value>{id, "name " + std::to_string(id % 17), static_cast<double>(id) * factor},
        sign);
  }
  return must(builder.finish());
}

}  // namespace lockstep
