// What a commit costs, in sequence and in groups, beside bare SQLite transactions on the same disk:
// figures as JSON.
//
// Every commit is a whole one: the row in raw, clean and train, the source's position, a new model
// version with its weights and metrics, and the gate's word. Rows come from memory, so that no file
// is read and no network waited for.
#include "base/io.h"
#include "base/log.h"
#include "hub/hub.h"
#include "support.h"
#include "sync/configuration.h"
#include "sync/stream_source.h"
#include "sync/sync.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace lockstep {
namespace {

constexpr std::int64_t kRows = 5'000;

Schema columns() {
  std::vector<Field> fields = {{"id", Type::kInt}};
  for (int feature = 0; feature < kFeatures; ++feature)
    fields.push_back({fmt::format("x{}", feature), Type::kFloat});
  fields.push_back({"y", Type::kFloat});
  return Schema(std::move(fields));
}

std::string yaml(const std::string& snapshot_per) {
  std::string types = "id: int";
  std::string features;
  for (int feature = 0; feature < kFeatures; ++feature) {
    types += fmt::format(", x{}: float", feature);
    features += fmt::format("{}x{}", feature == 0 ? "" : ", ", feature);
  }
  return fmt::format(
      "hub: {{catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data, snapshot_per: {}}}\n"
      "sources:\n  stream: {{type: files, path: \"none/*.csv\", mode: upsert}}\n"
      "datasets:\n  rows:\n    from: [stream]\n    key: [id]\n    columns: {{{}, y: float}}\n"
      "    train: [split: {{by: id, test: 0.2}}]\n"
      "models:\n  m:\n    dataset: rows\n    features: [{}]\n    targets: [y]\n"
      "    expand: [impute: {{with: mean}}, standardize]\n    learner: {{type: ridge, l2: 1}}\n",
      snapshot_per,
      types,
      features);
}

// Rows at random, the same in every run.
class Rows final {
 public:
  SourceBatch transaction(std::int64_t first_id, std::int64_t count) {
    BatchBuilder rows(columns());
    SourceBatch batch;
    for (std::int64_t id = first_id; id < first_id + count; ++id) {
      double sum = 0;
      rows.append_int(0, id);
      for (int feature = 1; feature <= kFeatures; ++feature) {
        // Six digits, as measurements have them.
        const double x =
            static_cast<double>(static_cast<std::int64_t>(random_() % 6'000'000)) / 1e6 - 3;
        rows.append_float(feature, x);
        sum += x;
      }
      rows.append_float(kFeatures + 1, sum + static_cast<double>(random_() % 1'000) / 1e3);
      rows.append_sign(1);
      batch.operations.push_back(Operation::kUpsert);
      batch.positions.push_back(fmt::format("row {}", id));
    }
    batch.rows = must(rows.finish());
    batch.origin = "stream";
    return batch;
  }

  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }

 private:
  std::mt19937_64 random_{1};
};

// A hub of 5,000 rows with a calibrated model, in a folder of its own.
class World final {
 public:
  World(Io& io, std::string folder, const std::string& snapshot_per)
      : io_(io), log_(make_silent_log()), folder_(std::move(folder)) {
    must(io_.make_directories(folder_));
    const Configuration configuration =
        must(parse_configuration(io_, yaml(snapshot_per), folder_ + "/lockstep.yaml"));
    EngineOptions options;
    options.make_source = [this](Io&, const SourceRequest&) {
      return Result<std::unique_ptr<Source>>(std::make_unique<test::StreamSource>(stream_));
    };
    engine_ = must(Engine::open(io_, *log_, configuration, std::move(options)));
    stream_.transactions.push_back(rows_.transaction(0, kRows));
    sync();
    next_id_ = kRows;
  }

  // Transactions of so many rows each; an update is of one row that is there.
  void put(std::int64_t count, std::int64_t row_count) {
    for (std::int64_t index = 0; index < count; ++index) {
      stream_.transactions.push_back(rows_.transaction(next_id_, row_count));
      next_id_ += row_count;
    }
  }

  void put_update() { stream_.transactions.push_back(rows_.transaction(rows_.below(kRows), 1)); }

  void sync() {
    const Json report = must(engine_->sync());
    if (!report.at("errors").empty()) {
      fmt::print(stderr, "{}\n", report.at("errors").dump());
      std::exit(1);
    }
  }

  test::Stream& stream() { return stream_; }

  Hub& hub() { return engine_->hub(); }

 private:
  Io& io_;
  std::unique_ptr<Log> log_;
  std::string folder_;
  test::Stream stream_;
  Rows rows_;
  std::int64_t next_id_ = 0;
  std::unique_ptr<Engine> engine_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One transaction a row, as bare as SQLite makes them durable.
double bare_ms(Io& io, const std::string& folder) {
  const std::string path = folder + "/bare.sqlite";
  for (const char* ending : {"", "-wal", "-shm"})
    static_cast<void>(io.remove(path + ending));  // none there is as good
  sqlite3* database = nullptr;
  sqlite3_open(path.c_str(), &database);
  sqlite3_exec(database,
               "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
               "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)",
               nullptr,
               nullptr,
               nullptr);
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(database, "INSERT INTO t VALUES (?, 'text', 1.5)", -1, &insert, nullptr);
  std::vector<double> times;
  for (int id = 0; id < 1'000; ++id) {
    const std::int64_t started = io.monotonic_us();
    sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
    sqlite3_bind_int(insert, 1, id);
    sqlite3_step(insert);
    sqlite3_reset(insert);
    sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr);
    times.push_back(static_cast<double>(io.monotonic_us() - started) / 1e3);
  }
  sqlite3_finalize(insert);
  sqlite3_close(database);
  return median(std::move(times));
}

Json sequential(World& world, Io& io, std::int64_t count, bool update) {
  std::vector<double> times;
  for (std::int64_t commit = 0; commit < count; ++commit) {
    if (update) {
      world.put_update();
    } else {
      world.put(1, 1);
    }
    const std::int64_t started = io.monotonic_us();
    world.sync();
    times.push_back(static_cast<double>(io.monotonic_us() - started) / 1e3);
  }
  return {{"rows", update ? "updates" : "inserts"},
          {"commits", count},
          {"median_ms", median(std::move(times))}};
}

struct Load {
  std::int64_t waiting = 0;    // transactions, at all times
  std::int64_t row_count = 1;  // of each
  std::int64_t count = 0;      // of them in all
};

Json grouped(World& world, Io& io, const Load& load) {
  world.put(load.count, load.row_count);
  world.stream().in_flight_max = load.waiting;
  const std::int64_t before = number(world.hub().latest_snapshot());
  const std::int64_t started = io.monotonic_us();
  world.sync();
  const double seconds = static_cast<double>(io.monotonic_us() - started) / 1e6;
  const auto snapshots = static_cast<double>(number(world.hub().latest_snapshot()) - before);
  return {{"waiting", load.waiting},
          {"rows_each", load.row_count},
          {"snapshots", snapshots},
          {"snapshots_per_s", snapshots / seconds},
          {"rows_per_s", static_cast<double>(load.count * load.row_count) / seconds}};
}

// `only`: "commit" or "transaction"; empty: both.
int run(const std::string& folder, double share, const std::string& only) {
  const auto io = make_system_io();
  const auto scaled = [share](std::int64_t count) {
    return std::max<std::int64_t>(20,
                                  static_cast<std::int64_t>(static_cast<double>(count) * share));
  };
  Json out;
  out["features"] = kFeatures;
  out["d"] = kFeatures + 2;
  out["bare_ms"].push_back(bare_ms(*io, folder));
  if (only != "transaction") {
    World world(*io, folder + "/commit", "commit");
    out["sequential"].push_back(sequential(world, *io, scaled(1'000), false));
    out["sequential"].push_back(sequential(world, *io, scaled(1'000), true));
    out["bare_ms"].push_back(bare_ms(*io, folder));
    for (const Load& load : {Load{20, 1, 2'000}, Load{20, 100, 1'000}, Load{2'000, 1, 20'000}})
      out["commit"].push_back(
          grouped(world, *io, {load.waiting, load.row_count, scaled(load.count)}));
  }
  if (only != "commit") {
    World world(*io, folder + "/transaction", "transaction");
    for (const std::int64_t waiting : {20, 200, 2'000})
      out["transaction"].push_back(grouped(world, *io, {waiting, 1, scaled(10'000)}));
  }
  out["bare_ms"].push_back(bare_ms(*io, folder));
  fmt::print("{}\n", out.dump(2));
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** arguments) {
  if (count < 2) {
    fmt::print(stderr, "usage: bench_commits FOLDER [SHARE [commit|transaction]]\n");
    return 2;
  }
  return lockstep::run(
      arguments[1], count > 2 ? std::atof(arguments[2]) : 1.0, count > 3 ? arguments[3] : "");
}
