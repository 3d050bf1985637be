// A folder with a lockstep.yaml and CSV files, and the engine over it.
#pragma once

#include "base/io.h"
#include "base/log.h"
#include "hub/hub.h"
#include "sync/configuration.h"
#include "sync/sync.h"
#include "table/batch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdlib.h>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {

// Memory, where the machine has it as a folder: a thousand hubs cost no disk.
inline std::string temporary_root() {
  return std::filesystem::is_directory("/dev/shm")
             ? "/dev/shm"
             : std::filesystem::temp_directory_path().string();
}

class World final {
 public:
  World() : io_(make_system_io()), log_(make_silent_log()) {
    folder_ = temporary_root() + "/lockstep-sync-XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    clock_ = std::filesystem::last_write_time(folder_) - std::chrono::hours(24);
  }

  ~World() {
    engine_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Io& io() { return *io_; }

  Log& log() { return *log_; }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // The whole content of a file, with a time of change a second after the last one's.
  void put(const std::string& name, const std::string& text) {
    const std::string whole = path(name);
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    const std::string beside = path("beside.tmp");
    std::ofstream(beside, std::ios::binary) << text;
    clock_ += std::chrono::seconds(1);
    std::filesystem::last_write_time(beside, clock_);
    std::filesystem::rename(beside, whole);
  }

  void remove(const std::string& name) { std::filesystem::remove(path(name)); }

  void configure(const std::string& yaml) { put("lockstep.yaml", yaml); }

  Result<Configuration> configuration() { return load_configuration(*io_, path("lockstep.yaml")); }

  Result<void> try_open(const EngineOptions& options = {}) {
    engine_.reset();
    const Configuration configuration = TRY(this->configuration());
    engine_ = TRY(Engine::open(*io_, *log_, configuration, options));
    return {};
  }

  void open(const EngineOptions& options = {}) {
    const Result<void> opened = try_open(options);
    if (!opened.ok()) FAIL() << opened.error().message;
  }

  void close() { engine_.reset(); }

  bool is_open() const { return engine_ != nullptr; }

  Engine& engine() { return *engine_; }

  Hub& hub() { return engine_->hub(); }

  // Reads all sources; no source may fail.
  Json sync() {
    Result<Json> report = engine_->sync();
    EXPECT_TRUE(report.ok()) << report.error().message;
    if (!report.ok()) return Json::object();
    EXPECT_EQ(report.value()["errors"].dump(), "[]");
    return report.value();
  }

  Result<Json> try_run(const Json& command) { return engine_->execute(command); }

  Json run(const Json& command) {
    Result<Json> report = try_run(command);
    EXPECT_TRUE(report.ok()) << command.dump() << ": " << report.error().message;
    return report.ok() ? report.value() : Json::object();
  }

  Batch read(Layer layer, const std::string& dataset) {
    Result<Batch> rows = hub().read({layer, dataset}, hub().latest_snapshot());
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return rows.ok() ? rows.value() : Batch();
  }

  // Rows as text, sorted; raw without _sequence, _source_time and _origin, which tell of the way
  // that a row came.
  std::vector<std::string> lines(Layer layer, const std::string& dataset) {
    const Batch rows = read(layer, dataset);
    std::vector<std::string> out;
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      std::string line;
      for (int column = 0; column < rows.schema().size(); ++column) {
        if (layer == Layer::kRaw && column >= 1 && column <= 3) continue;
        if (column > 0) line += "|";
        line += rows.is_null(column, row) ? "NULL" : value_text(rows.value(column, row));
      }
      out.push_back(std::move(line));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  std::vector<ModelVersionRecord> versions(const std::string& model) {
    Result<std::vector<ModelVersionRecord>> all = hub().versions(model, 100'000);
    EXPECT_TRUE(all.ok()) << all.error().message;
    if (!all.ok()) return {};
    std::reverse(all.value().begin(), all.value().end());
    return all.value();
  }

  // Retrains a version from raw, or the newest and champion of each model.
  void expect_exact(const std::string& reference = "") {
    const Result<Json> checked = verify(hub(), reference, {});
    ASSERT_TRUE(checked.ok()) << checked.error().message;
    for (const Json& version : checked.value()) {
      EXPECT_TRUE(version.at("exact").get<bool>()) << version.dump();
    }
  }

 private:
  std::unique_ptr<Io> io_;
  std::unique_ptr<Log> log_;
  std::string folder_;
  std::filesystem::file_time_type clock_;
  std::unique_ptr<Engine> engine_;
};

// A text as a cell of a CSV file.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text)
    out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// Numbers from a seed: the same everywhere.
class Dice final {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t below(std::uint64_t bound) {
    state_ += 0x9e3779b97f4a7c15U;  // splitmix64, Steele, Lea, Flood 2014
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % bound;
  }

  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace lockstep::test
