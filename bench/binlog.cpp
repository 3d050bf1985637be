// How fast the events of a binary log become rows, without a server and without a hub: figures as
// JSON. usage: bench_binlog FILE...: files of a MariaDB server, of the table bench.t(id, x0 ...
// x3).
#include "base/io.h"
#include "source/mysql/mysql_changes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>

namespace lockstep {
namespace {

constexpr std::size_t kMagicSize = 4;
constexpr std::size_t kLengthOffset = 9;
constexpr int kRepeats = 5;
constexpr std::int64_t kBatchRows = 10'000;

FollowedTable bench_table() {
  FollowedTable table;
  std::vector<Field> fields = {{"id", Type::kInt}};
  table.readings = {{.kind = MysqlKind::kInt, .type = Type::kInt}};
  for (int column = 0; column < 4; ++column) {
    fields.push_back({fmt::format("x{}", column), Type::kFloat});
    table.readings.push_back({.kind = MysqlKind::kDouble, .type = Type::kFloat});
  }
  table.target = {.schema_name = "bench", .table = "t", .schema = Schema(fields), .key = {0}};
  return table;
}

struct Counts {
  std::int64_t rows = 0;
  std::int64_t transactions = 0;
};

Result<Counts> decode(const std::vector<std::string>& files) {
  Counts counts;
  MysqlChanges changes({bench_table()}, MysqlPosition{});
  for (const std::string& file : files) {
    for (std::size_t at = kMagicSize; at + kLengthOffset + 4 <= file.size();) {
      std::uint32_t length = 0;
      std::memcpy(&length, file.data() + at + kLengthOffset, sizeof(length));
      TRY(changes.take(std::string_view(file).substr(at, length), kBatchRows));
      at += length;
      while (const std::optional<SourceBatch> batch = changes.give()) {
        counts.rows += batch->rows.row_count();
        if (!batch->has_more) ++counts.transactions;
      }
    }
  }
  return counts;
}

Result<std::string> read_all(Io& io, const std::string& path) {
  const std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kRead));
  std::string bytes(TRY(file->size_bytes()), '\0');
  TRY(file->read_at(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

Result<void> run(int count, char** arguments) {
  const std::unique_ptr<Io> io = make_system_io();
  std::vector<std::string> files;
  std::size_t bytes = 0;
  for (int index = 1; index < count; ++index) {
    files.push_back(TRY(read_all(*io, arguments[index])));
    bytes += files.back().size();
  }
  double best_s = 0;
  Counts counts;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const std::int64_t start_us = io->monotonic_us();
    counts = TRY(decode(files));
    const double seconds = static_cast<double>(io->monotonic_us() - start_us) / 1e6;
    best_s = repeat == 0 ? seconds : std::min(best_s, seconds);
  }
  const nlohmann::json report = {{"rows", counts.rows},
                                 {"transactions", counts.transactions},
                                 {"bytes", bytes},
                                 {"best_s", best_s},
                                 {"repeats", kRepeats}};
  std::puts(report.dump().c_str());
  return {};
}

}  // namespace
}  // namespace lockstep

int main(int count, char** arguments) {
  const lockstep::Result<void> done = lockstep::run(count, arguments);
  if (done.ok()) return 0;
  std::fputs((done.error().message + "\n").c_str(), stderr);
  return 1;
}
