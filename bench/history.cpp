// What a long history of one-row commits comes to: how commits, memory and sizes go on as it grows.
// Figures as JSON.
//
//   bench_history FOLDER COMMITS
//
// makes a hub in FOLDER and leaves it there for other programs to look at. A commit has one row in
// three layers, the source's position and a model version; 20 wait at a time, and behind each group
// comes what a daemon does there: compaction in the background, else a step of collection.
#include "base/io.h"
#include "hub/hub.h"
#include "support.h"
#include "table/parquet.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <unistd.h>

namespace lockstep {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kWaiting = 20;
constexpr double kMegabyte = 1e6;

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0;
  std::int64_t resident = 0;
  file >> pages >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / kMegabyte;
}

double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// Steps of upkeep of one kind: how long commits waited for each, and how much of that was work and
// no waiting for the disk or for the processor.
struct Steps {
  std::vector<double> held_ms;
  std::vector<double> cpu_ms;
};

const char* kind_of_compaction(const CompactionStep& step) {
  if (step.state == CompactionState::kNothing) return "nothing to do";
  if (step.state == CompactionState::kUnderway) return "compaction in its thread";
  return step.files > 0 ? "compaction's end" : "compaction's rest";
}

const char* kind_of_collection(const CollectionStep& step) {
  if (step.snapshots > 0) return "snapshots expire";
  if (step.rows > 0) return "dead rows go";
  if (step.files > 0) return "files leave the catalog";
  return step.deleted > 0 ? "files are deleted" : "collection finds nothing";
}

// A hub and the daemon's part of what is done with it.
class History final {
 public:
  History(Io& io, HubPlace place) : io_(io), place_(std::move(place)) {
    must(Hub::create(io_, place_, "{}"));
    open();
    CommitRequest request;
    for (const Layer layer : kLayers)
      request.create.push_back(table_of(layer));
    must(hub_->commit(request));
  }

  void open() { hub_ = must(Hub::open(io_, place_, HubMode::kWrite)); }

  void close() { hub_.reset(); }

  Hub& hub() { return *hub_; }

  // One of ten commits updates a row, the others insert one.
  void commits(std::int64_t count) {
    for (std::int64_t done = 0; done < count;) {
      must(hub_->begin_group());
      for (std::int64_t waiting = 0; waiting < kWaiting && done < count; ++waiting, ++done)
        commit(done % 10 == 9);
      must(hub_->flush());
      must(hub_->tend_log());
      const std::int64_t started = io_.monotonic_us();
      const double cpu = cpu_ms();
      const char* const kind = upkeep();
      for (Steps* steps : {&upkeep_["all"], &upkeep_[kind]}) {
        steps->held_ms.push_back(static_cast<double>(io_.monotonic_us() - started) / 1e3);
        steps->cpu_ms.push_back(cpu_ms() - cpu);
      }
    }
  }

  void settle() {
    while (must(hub_->compact({})).state != CompactionState::kNothing) {
    }
  }

  std::map<std::string, Steps>& upkeep_steps() { return upkeep_; }

 private:
  void commit(bool update) {
    if (update) {
      id_ = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(next_id_));
    } else {
      id_ = next_id_++;
    }
    CommitRequest request;
    for (const Layer layer : kLayers) {
      BatchBuilder rows(table_of(layer).schema);
      if (update) append(rows, -1);
      append(rows, 1);
      request.changes.push_back({{layer, "rows"}, must(rows.finish())});
    }
    request.positions["stream"] = {{"", std::to_string(next_id_)}};
    ModelVersionRecord version;
    version.model = "m";
    version.version = ++version_;
    version.snapshot = hub_->next_snapshot();
    version.definition = std::string(64, 'd');
    version.weights = std::string((kFeatures + 2) * 8, 'w');
    version.weights_sha256 = std::string(64, 's');
    version.fingerprint = std::string(32, 'f');
    version.metrics = R"({"rmse": 10.123456, "mae": 8.123456, "r2": 0.5})";
    request.versions.push_back(version);
    must(hub_->commit(request));
  }

  void append(BatchBuilder& rows, int sign) {
    rows.append_int(0, id_);
    for (int feature = 1; feature <= kFeatures; ++feature) {
      // Six digits, as measurements have them.
      rows.append_float(feature, static_cast<double>(random_() % 6'000'000) / 1e6 - 3);
    }
    rows.append_sign(sign);
  }

  const char* upkeep() {
    const UpkeepWork work = {.compact = [&] { return hub_->compact({.background = true}); },
                             .collect = [&] { return hub_->collect({.background = true}); }};
    const UpkeepStep step = must(turns_.step(work, io_.monotonic_us()));
    return step.collection ? kind_of_collection(*step.collection)
                           : kind_of_compaction(step.compaction);
  }

  Io& io_;
  const HubPlace place_;
  std::unique_ptr<Hub> hub_;
  std::mt19937_64 random_{1};
  std::int64_t next_id_ = 0;
  std::int64_t id_ = 0;
  std::int64_t version_ = 0;
  std::map<std::string, Steps> upkeep_;
  UpkeepTurns turns_;
};

Json state_of(Hub& hub) {
  const DiskUse use = must(hub.disk_use());
  return {{"resident_mb", resident_mb()},
          {"catalog_mb", static_cast<double>(use.catalog_bytes - use.log_bytes) / kMegabyte},
          {"log_mb", static_cast<double>(use.log_bytes) / kMegabyte},
          {"data_mb", static_cast<double>(use.data_bytes) / kMegabyte},
          {"data_files", use.data_files},
          {"inlined_rows", use.inlined_rows}};
}

Json times_of(std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  return {{"median", times[times.size() / 2]},
          {"p99", times[times.size() * 99 / 100]},
          {"above_5", std::ranges::count_if(times, [](double ms) { return ms > 5; })},
          {"max", times.back()}};
}

// The rows that a layer has now, in one file as the hub writes them.
double one_file_mb(Hub& hub, Io& io, Layer layer, const std::string& path) {
  const Schema schema = table_of(layer).schema;
  std::vector<ParquetColumn> columns;
  for (int column = 0; column < schema.size(); ++column)
    columns.push_back({schema.field(column), column + 1, {}});
  const auto writer = must(open_parquet_writer(io, path, columns));
  const auto scan = must(hub.scan({layer, "rows"}, hub.latest_snapshot(), {}));
  while (const auto batch = must(scan->next()))
    must(writer->write(*batch));
  return static_cast<double>(must(writer->finish()).size_bytes) / kMegabyte;
}

int run(const std::string& folder, std::int64_t count) {
  const auto io = make_system_io();
  History history(*io, {"sqlite:" + folder + "/catalog.sqlite", folder + "/data"});
  Json out;
  out["commits"] = count;
  for (int part = 0; part < 10; ++part) {
    const std::int64_t started = io->monotonic_us();
    history.commits(count / 10);
    const double seconds = static_cast<double>(io->monotonic_us() - started) / 1e6;
    Json growth = state_of(history.hub());
    growth["commits_per_s"] = static_cast<double>(count / 10) / seconds;
    fmt::print(stderr, "{}\n", growth.dump());  // it may be long until the next
    out["growth"].push_back(std::move(growth));
  }
  for (auto& [kind, steps] : history.upkeep_steps()) {
    out["upkeep"][kind] = {{"count", steps.held_ms.size()},
                           {"held_ms", times_of(steps.held_ms)},
                           {"cpu_ms", times_of(steps.cpu_ms)}};
  }
  history.settle();
  out["settled"] = state_of(history.hub());
  double one_file = 0;
  for (const Layer layer : kLayers) {
    one_file += one_file_mb(
        history.hub(), *io, layer, fmt::format("{}/{}.parquet", folder, layer_name(layer)));
  }
  out["one_file_mb"] = one_file;
  history.close();
  const std::int64_t started = io->monotonic_us();
  history.open();
  history.commits(1);
  out["start_ms"] = static_cast<double>(io->monotonic_us() - started) / 1e3;
  fmt::print("{}\n", out.dump(2));
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "usage: bench_history FOLDER COMMITS\n");
    return 2;
  }
  return lockstep::run(arguments[1], std::atoll(arguments[2]));
}
