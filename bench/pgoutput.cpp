// How fast a PostgreSQL server's stream becomes rows, without a hub: figures as JSON.
//
//   bench_pgoutput URL POSITION ROWS
//
// of the table public.t(id, x0 ... x3) in the publication `bench`, by a slot of its own. ROWS 0:
// makes the slot, and puts where it begins into the file POSITION. Else it goes on from there until
// so many rows have come, each batch let go of as soon as it is made.
#include "base/io.h"
#include "source/source.h"
#include "support.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>

namespace lockstep {
namespace {

constexpr std::int64_t kBatchRows = 10'000;
constexpr std::int64_t kWaitUs = 1'000'000;

SourceRequest request_of(const std::string& url) {
  SourceRequest request;
  request.name = "bench";
  request.settings = must(parse_yaml(
      fmt::format("{{type: postgres, url: \"{}\", slot: alone, publication: bench}}", url),
      "bench"));
  request.targets = {{.table = "public.t",
                      .schema = Schema({{"id", Type::kInt},
                                        {"x0", Type::kFloat},
                                        {"x1", Type::kFloat},
                                        {"x2", Type::kFloat},
                                        {"x3", Type::kFloat}}),
                      .key = {"id"}}};
  return request;
}

struct Counts {
  std::int64_t rows = 0;
  std::int64_t transactions = 0;
};

// Until `row_count` rows have come; moves `position`.
Counts read_rows(Source& source, Position& position, std::int64_t row_count) {
  Counts counts;
  while (counts.rows < row_count) {
    const std::optional<SourceBatch> batch = must(source.next({kBatchRows}));
    if (!batch) {
      must(source.wait(kWaitUs));
      continue;
    }
    counts.rows += batch->rows.row_count();
    if (!batch->has_more) ++counts.transactions;
    move_position(position, batch->position_changes);
    must(source.committed(batch->position_changes));
  }
  return counts;
}

// The first copy, of an empty table.
Position begin(Source& source) {
  Position position;
  must(source.open({}));
  while (const std::optional<SourceBatch> batch = must(source.next({kBatchRows}))) {
    move_position(position, batch->position_changes);
    must(source.committed(batch->position_changes));
  }
  return position;
}

int run(const std::string& url, const std::string& path, std::int64_t row_count) {
  const std::unique_ptr<Io> io = make_system_io();
  const std::unique_ptr<Source> source = must(make_source(*io, request_of(url)));
  if (row_count == 0) {
    std::ofstream(path) << nlohmann::json(begin(*source));
    return 0;
  }
  Position position = nlohmann::json::parse(std::ifstream(path)).get<Position>();
  must(source->open(position));
  const std::int64_t start_us = io->monotonic_us();
  const std::clock_t start = std::clock();
  const Counts counts = read_rows(*source, position, row_count);
  const nlohmann::json report = {
      {"rows", counts.rows},
      {"transactions", counts.transactions},
      {"wall_s", static_cast<double>(io->monotonic_us() - start_us) / 1e6},
      {"cpu_s", static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC}};
  std::puts(report.dump().c_str());
  std::ofstream(path) << nlohmann::json(position);
  return 0;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** arguments) {
  constexpr int kArguments = 4;
  if (count != kArguments) {
    std::fputs("usage: bench_pgoutput URL POSITION ROWS\n", stderr);
    return 2;
  }
  return lockstep::run(arguments[1], arguments[2], std::atoll(arguments[3]));
}
