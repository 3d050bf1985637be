// How fast the events of a binary log become rows, without a server and without a hub: figures as
// JSON. usage: bench_binlog FILE...: files of a MariaDB server, of the table bench.t(id, x0 ...
// x3). `best_s` is from bytes to finished batches with their places, `cells_s` the part of it that
// checks the events and splits their rows into cells; both are seconds of the processor, the best
// of some, as other work shares the machine.
#include "source/mysql/binlog.h"

#include "base/io.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/mysql_changes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>
#include <limits>
#include <string>

namespace lockstep {
namespace {

constexpr std::size_t kMagicSize = 4;
constexpr std::size_t kLengthOffset = 9;
constexpr int kRepeats = 9;
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

template <typename Take>
Result<void> for_each_event(const std::vector<std::string>& files, const Take& take) {
  for (const std::string& file : files) {
    for (std::size_t at = kMagicSize; at + kLengthOffset + 4 <= file.size();) {
      std::uint32_t length = 0;
      std::memcpy(&length, file.data() + at + kLengthOffset, sizeof(length));
      TRY(take(std::string_view(file).substr(at, length)));
      at += length;
    }
  }
  return {};
}

Result<Counts> decode(const std::vector<std::string>& files) {
  Counts counts;
  MysqlChanges changes({bench_table()}, MysqlPosition{});
  TRY(for_each_event(files, [&](std::string_view bytes) -> Result<void> {
    TRY(changes.take(bytes, kBatchRows));
    while (const std::optional<SourceBatch> batch = changes.give()) {
      counts.rows += batch->rows.row_count();
      if (!batch->has_more) ++counts.transactions;
    }
    return {};
  }));
  return counts;
}

// Each event's checksum and form, and each row's cells: nothing is made of them.
Result<std::int64_t> split(const std::vector<std::string>& files) {
  std::int64_t row_count = 0;
  bool has_checksum = true;
  std::vector<CellSize> sizes;
  std::vector<LogCell> cells;
  LogRows images;
  TRY(for_each_event(files, [&](std::string_view bytes) -> Result<void> {
    const BinlogEvent event = TRY(parse_binlog_event(bytes, has_checksum));
    if (event.type == BinlogEventType::kFormat) has_checksum = TRY(parse_binlog_format(event));
    if (event.type == BinlogEventType::kTableMap && sizes.empty())
      sizes = TRY(cell_sizes(TRY(parse_table_map(event.body))));
    if (!is_rows_event(event.type)) return {};
    TRY(parse_log_rows(event, images));
    const PresentColumns present(images.before, images.column_count);
    for (std::string_view rest = images.rows; !rest.empty(); ++row_count)
      TRY(take_row_image(rest, present, sizes, cells));
    return {};
  }));
  return row_count;
}

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
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
  double best_s = std::numeric_limits<double>::max();
  double cells_s = best_s;
  Counts counts;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    double start_s = cpu_seconds();
    counts = TRY(decode(files));
    best_s = std::min(best_s, cpu_seconds() - start_s);
    start_s = cpu_seconds();
    TRY(split(files));
    cells_s = std::min(cells_s, cpu_seconds() - start_s);
  }
  const nlohmann::json report = {{"rows", counts.rows},
                                 {"transactions", counts.transactions},
                                 {"bytes", bytes},
                                 {"best_s", best_s},
                                 {"cells_s", cells_s},
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
