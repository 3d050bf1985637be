// Where a catalog can live, for the conformance tests: a row in kWorlds is all that a new kind of
// catalog needs.
#pragma once

#include "catalog/catalog.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace lockstep {

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return std::move(result).value();
}

inline void must_do(const Result<void>& result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
}

// Resource. A disk with one catalog on it.
class World {
 public:
  virtual ~World() = default;
  virtual Io& io() = 0;
  virtual std::string path() = 0;
  virtual Result<std::unique_ptr<Catalog>> open(CatalogMode mode) = 0;
  // In the catalog's place, where nothing is yet.
  virtual void write_file(const std::string& bytes) = 0;
  // Runs `work`, and lets everything die right before the file operation of this number, counted
  // from 1. false: there were fewer operations, and work came to its end.
  virtual bool run_and_die_at(int operation, const std::function<void()>& work) = 0;
};

class SystemWorld final : public World {
 public:
  SystemWorld() : io_(make_system_io()) {
    folder_ = (std::filesystem::temp_directory_path() / "catalog-XXXXXX").string();
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
  }

  ~SystemWorld() override { std::filesystem::remove_all(folder_); }

  Io& io() override { return *io_; }

  std::string path() override { return folder_ + "/catalog.sqlite"; }

  Result<std::unique_ptr<Catalog>> open(CatalogMode mode) override {
    return open_sqlite(*io_, path(), mode);
  }

  void write_file(const std::string& bytes) override {
    auto file = io_->open(path(), OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok()) << file.error().message;
    const Result<void> written = file.value()->write_at(0, std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  // In a process of its own, which ends without tidying up.
  bool run_and_die_at(int operation, const std::function<void()>& work) override {
    constexpr int kDied = 77;
    const pid_t child = fork();
    if (child == 0) {
      int count = 0;
      io_->observe([&](IoOperation, std::string_view) -> Result<void> {
        if (++count == operation) _exit(kDied);
        return {};
      });
      work();
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_NE(WEXITSTATUS(status), 1) << "the work failed before its end";
    return WEXITSTATUS(status) == kDied;
  }

 private:
  std::unique_ptr<Io> io_;
  std::string folder_;
};

class SimulatedWorld final : public World {
 public:
  explicit SimulatedWorld(std::uint64_t seed) : io_(make_simulated_io(seed)) {}

  Io& io() override { return *io_; }

  std::string path() override { return "/catalog.sqlite"; }

  Result<std::unique_ptr<Catalog>> open(CatalogMode mode) override {
    return open_sqlite(*io_, path(), mode, SqliteFiles::kIo);
  }

  void write_file(const std::string& bytes) override {
    const Result<void> written = write_file_atomically(*io_, path(), bytes);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  // From that operation on the disk does nothing more, and then loses what was not synced.
  bool run_and_die_at(int operation, const std::function<void()>& work) override {
    int count = 0;
    io_->observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++count >= operation) return make_error(Code::kIo, "the machine is off");
      return {};
    });
    work();
    io_->observe({});
    io_->crash();
    return count >= operation;
  }

 private:
  std::unique_ptr<SimulatedIo> io_;
};

struct WorldMaker {
  const char* name;
  std::unique_ptr<World> (*make)(std::uint64_t seed);
  int seed_count;  // how many seeds show something new
};

inline const std::array kWorlds = {
    WorldMaker{
        "SqliteOnSystemFiles",
        [](std::uint64_t) -> std::unique_ptr<World> { return std::make_unique<SystemWorld>(); },
        1},
    WorldMaker{"SqliteOnASimulatedDisk",
               [](std::uint64_t seed) -> std::unique_ptr<World> {
                 return std::make_unique<SimulatedWorld>(seed);
               },
               8},
};

}  // namespace lockstep
