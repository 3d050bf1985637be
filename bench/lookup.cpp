// What a look-up by key and a change of one row cost in a small table and in a large one: figures
// as JSON.
//
//   bench_lookup FOLDER ROWS
//
// makes a hub in FOLDER whose three layers have ROWS rows of 37 numbers, and leaves it there for
// another client to read.
#include "base/io.h"
#include "hub/hub.h"
#include "hub/key_index.h"
#include "support.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr std::int64_t kLoadRows = 250'000;  // a commit

// Keys in no order, so that no file has a range of them: an odd factor permutes 32 bits.
std::int64_t key_of(std::int64_t row) {
  return static_cast<std::int64_t>(static_cast<std::uint32_t>(row) * 2'654'435'761U);
}

void append_row(BatchBuilder& rows, std::int64_t row, int sign, std::mt19937_64& random) {
  rows.append_int(0, key_of(row));
  for (int feature = 0; feature < kFeatures; ++feature) {
    const auto number = static_cast<double>(random() % 100'000);
    rows.append(feature + 1, Value{feature % 3 == 0 ? number / 1000 : number / 7});
  }
  rows.append_sign(sign);
}

class Figures {
 public:
  explicit Figures(Io& io) : io_(io) {}

  template <typename Call>
  double us_of(Call call) {
    const std::int64_t start = io_.monotonic_us();
    call();
    return static_cast<double>(io_.monotonic_us() - start);
  }

  static double median(std::vector<double> times) {
    std::ranges::sort(times);
    return times[times.size() / 2];
  }

 private:
  Io& io_;
};

HubPlace place_in(const std::string& folder) {
  return {"sqlite:" + folder + "/catalog.sqlite", folder + "/data"};
}

void load(Io& io, const std::string& folder, std::int64_t row_count) {
  const Result<void> made = Hub::create(io, place_in(folder), "{}");
  if (!made.ok()) {
    fmt::print(stderr, "{}\n", made.error().message);
    std::exit(1);
  }
  const auto hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
  std::mt19937_64 random(1);
  for (std::int64_t start = 0; start < row_count; start += kLoadRows) {
    BatchBuilder rows(table_of(Layer::kRaw).schema);
    for (std::int64_t row = start; row < std::min(row_count, start + kLoadRows); ++row)
      append_row(rows, row, 1, random);
    const Batch batch = must(rows.finish());
    CommitRequest request;
    for (const Layer layer : kLayers) {
      if (start == 0) request.create.push_back(table_of(layer));
      request.changes.push_back({table_of(layer).name, batch});
    }
    must(hub->commit(request));
  }
}

Batch key_batch(std::int64_t row) {
  BatchBuilder keys(Schema({{"id", Type::kInt}}));
  keys.append_row(std::vector<Value>{key_of(row)});
  return must(keys.finish());
}

// An update of one row in all layers, with the look-up of the old one.
void update(Hub& hub, std::int64_t row, std::mt19937_64& random) {
  const Lookup old = must(hub.lookup(table_of(Layer::kRaw).name, key_batch(row)));
  BatchBuilder entering(table_of(Layer::kRaw).schema);
  append_row(entering, row, 1, random);
  const std::vector<Batch> both = {old.rows.with_all_signs(-1), must(entering.finish())};
  const Batch change = must(concatenate(table_of(Layer::kRaw).schema, both));
  CommitRequest request;
  for (const Layer layer : kLayers)
    request.changes.push_back({table_of(layer).name, change});
  must(hub.commit(request));
}

nlohmann::json measure_hub(Io& io, const std::string& folder, std::int64_t row_count) {
  Figures figures(io);
  load(io, folder, row_count);
  sync();  // what is written back meanwhile would be counted as a commit's wait for the disk
  nlohmann::json out;
  std::unique_ptr<Hub> hub;
  const TableName raw = table_of(Layer::kRaw).name;
  out["open_us"] = figures.us_of([&] {
    hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
    must(hub->lookup(raw, key_batch(1)));
  });
  std::mt19937_64 random(2);
  std::vector<std::int64_t> asked;
  for (int question = 0; question < 200; ++question)
    asked.push_back(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(row_count)));
  for (const char* state : {"row_cold_us", "row_cached_us"}) {
    std::vector<double> times;
    for (const std::int64_t row : asked)
      times.push_back(figures.us_of([&] { must(hub->lookup(raw, key_batch(row))); }));
    out[state] = Figures::median(times);
  }
  must(hub->lookup(table_of(Layer::kClean).name, key_batch(0)));
  must(hub->lookup(table_of(Layer::kTrain).name, key_batch(0)));
  std::vector<double> times;
  for (int change = 0; change < 200; ++change) {
    const auto row = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(row_count));
    times.push_back(figures.us_of([&] { update(*hub, row, random); }));
  }
  out["update_us"] = Figures::median(times);
  for (double& us : times) {  // of rows that were read a moment ago
    const auto row = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(row_count));
    must(hub->lookup(raw, key_batch(row)));
    us = figures.us_of([&] { update(*hub, row, random); });
  }
  out["update_known_us"] = Figures::median(times);
  return out;
}

// Rows in groups of ten, of which each lies in another part of the table.
TableDefinition group_table() {
  return {{Layer::kClean, "visits"},
          Schema({{"id", Type::kInt},
                  {"patient", Type::kInt},
                  {"hour", Type::kInt},
                  {"pressure", Type::kFloat},
                  {"pulse", Type::kFloat}}),
          {"id"}};
}

Batch group_rows(std::int64_t start, std::int64_t end, std::int64_t group_count) {
  BatchBuilder rows(group_table().schema);
  for (std::int64_t row = start; row < end; ++row) {
    const auto number = static_cast<double>(row % 1'000);
    rows.append_row(std::vector<Value>{
        key_of(row), key_of(row % group_count), row / group_count, number / 7, number / 3});
  }
  return must(rows.finish());
}

// The median of commits of a row each, behind the last one.
double commit_us(Figures& figures, Hub& hub, std::int64_t& next, std::int64_t group_count) {
  std::vector<double> times;
  for (int commit = 0; commit < 200; ++commit, ++next) {
    CommitRequest request;
    request.changes.push_back({group_table().name, group_rows(next, next + 1, group_count)});
    times.push_back(figures.us_of([&] { must(hub.commit(request)); }));
  }
  return Figures::median(times);
}

nlohmann::json measure_groups(Io& io, const std::string& folder, std::int64_t row_count) {
  Figures figures(io);
  must(io.make_directories(folder));
  if (!Hub::create(io, place_in(folder), "{}").ok()) std::exit(1);
  auto hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
  const std::int64_t group_count = row_count / 10;
  for (std::int64_t start = 0; start < row_count; start += kLoadRows) {
    CommitRequest request;
    if (start == 0) request.create.push_back(group_table());
    request.changes.push_back(
        {group_table().name,
         group_rows(start, std::min(row_count, start + kLoadRows), group_count)});
    must(hub->commit(request));
  }
  sync();
  const auto ask = [&](std::int64_t group) {
    BatchBuilder groups(Schema({{"patient", Type::kInt}}));
    groups.append_row(std::vector<Value>{key_of(group)});
    const GroupedRows found =
        must(hub->lookup_groups(group_table().name,
                                {{"patient"}, {"hour"}},
                                {.groups = must(groups.finish()), .rows_max = 1'000}));
    if (found.rows.row_count() < 10) std::exit(1);
  };
  nlohmann::json out;
  std::int64_t next = row_count;
  out["commit_us"] = commit_us(figures, *hub, next, group_count);
  out["build_us"] = figures.us_of([&] { ask(0); });
  out["commit_indexed_us"] = commit_us(figures, *hub, next, group_count);
  hub.reset();
  hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
  out["open_us"] = figures.us_of([&] { ask(0); });
  std::mt19937_64 random(4);
  std::vector<std::int64_t> asked;
  for (int question = 0; question < 200; ++question)
    asked.push_back(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(group_count)));
  for (const char* state : {"cold_us", "cached_us"}) {
    std::vector<double> times;
    for (const std::int64_t group : asked)
      times.push_back(figures.us_of([&] { ask(group); }));
    out[state] = Figures::median(times);
  }
  return out;
}

nlohmann::json measure_index(Io& io, const std::string& folder, std::int64_t row_count) {
  Figures figures(io);
  KeyIndexFolder files(io, folder + "/index", std::string(36, 'b'), "a secret");
  KeyIndex index;
  const Schema schema({{"id", Type::kInt}});
  const auto key = [&](std::int64_t row) { return encode_key(key_batch(row), std::vector{0}, 0); };
  const std::string pattern = key(0);
  const auto key_bytes = [&](std::int64_t row) {
    std::string bytes = pattern;  // a tag, then the number, big-endian
    for (int byte = 0; byte < 8; ++byte)
      bytes[bytes.size() - 1 - static_cast<std::size_t>(byte)] =
          static_cast<char>(row >> (8 * byte));
    return bytes;
  };
  index.attach(files, 1, [&](const TakePlace& take) -> Result<void> {
    for (std::int64_t row = 0; row < row_count; ++row)
      TRY(take(key_bytes(row), {.row_id = row, .file_id = row >> 20, .position = row & 0xFFFFF}));
    return {};
  });
  nlohmann::json out;
  out["build_us_a_key"] =
      figures.us_of([&] { must(index.rebuild()); }) / static_cast<double>(row_count);
  std::mt19937_64 random(3);
  constexpr int kQuestions = 20'000;
  for (const bool there : {true, false}) {
    const double us = figures.us_of([&] {
      for (int question = 0; question < kQuestions; ++question) {
        const auto row =
            static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(row_count));
        const auto found = must(index.find(key_bytes(there ? row : row + row_count)));
        if (found.has_value() != there) std::exit(1);
      }
    });
    out[there ? "find_us" : "miss_us"] = us / kQuestions;
  }
  return out;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** words) {
  std::int64_t rows = 0;
  const std::string_view number = count == 3 ? words[2] : "";
  std::from_chars(number.data(), number.data() + number.size(), rows);
  if (rows <= 0) {
    fmt::print(stderr, "bench_lookup FOLDER ROWS\n");
    return 2;
  }
  const auto io = lockstep::make_system_io();
  const std::string folder = words[1];
  nlohmann::json out = lockstep::measure_hub(*io, folder, rows);
  out["index"] = lockstep::measure_index(*io, folder, rows);
  out["groups"] = lockstep::measure_groups(*io, folder + "/groups", rows);
  fmt::print("{}\n", out.dump());
  return 0;
}
