// One column of many rows at an old snapshot, of which some are deleted: figures as JSON.
//
//   bench_scan make FOLDER ROWS       a hub of so many rows; 5 % go, and others go later
//   bench_scan compact FOLDER         merges its files, so that deletes lie in files
//   bench_scan scan FOLDER SNAPSHOT   times of several scans
#include "base/io.h"
#include "hub/hub.h"
#include "support.h"

#include <arrow/array/array_primitive.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::int64_t kLoadRows = 500'000;  // a commit
constexpr int kScans = 7;
constexpr int kDeletingCommits = 5;  // of a hundredth of the rows each

const TableDefinition& rows_table() {
  static const TableDefinition kTable = {
      {Layer::kRaw, "rows"},
      Schema({{"id", Type::kInt}, {"x", Type::kFloat}, {"ward", Type::kText}}),
      {"id"}};
  return kTable;
}

HubPlace place_in(const std::string& folder) {
  return {"sqlite:" + folder + "/catalog.sqlite", folder + "/data"};
}

// Measured values of three decimals, in no order.
double value_of(std::int64_t row) {
  return static_cast<double>(static_cast<std::uint32_t>(row) * 2'654'435'761U % 100'000) / 1000;
}

void append_row(BatchBuilder& rows, std::int64_t row, int sign) {
  rows.append_int(0, row);
  rows.append_float(1, value_of(row));
  rows.append_text(2, row % 3 == 0 ? "east" : "west");
  rows.append_sign(sign);
}

SnapshotId commit_rows(Hub& hub, BatchBuilder& rows, bool creates = false) {
  CommitRequest request;
  if (creates) request.create.push_back(rows_table());
  request.changes.push_back({rows_table().name, must(rows.finish())});
  return *must(hub.commit(request)).snapshot;
}

nlohmann::json make(Io& io, const std::string& folder, std::int64_t row_count) {
  must(Hub::create(io, place_in(folder), "{}"));
  const auto hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
  for (std::int64_t start = 0; start < row_count; start += kLoadRows) {
    BatchBuilder rows(rows_table().schema);
    for (std::int64_t row = start; row < std::min(row_count, start + kLoadRows); ++row)
      append_row(rows, row, 1);
    commit_rows(*hub, rows, start == 0);
  }
  SnapshotId asked{};
  // The last two commits change what the asked snapshot does not see.
  for (int round = 0; round < kDeletingCommits + 2; ++round) {
    BatchBuilder rows(rows_table().schema);
    for (std::int64_t row = 13 * round; row < row_count; row += 100)
      append_row(rows, row, -1);
    const SnapshotId made = commit_rows(*hub, rows);
    if (round < kDeletingCommits) asked = made;
  }
  return {{"snapshot", number(asked)}, {"rows", must(hub->row_count(rows_table().name, asked))}};
}

nlohmann::json compact(Io& io, const std::string& folder) {
  const auto hub = must(Hub::open(io, place_in(folder), HubMode::kWrite));
  const CompactionLimits limits{.rows_min = 1, .files_min = 2};
  int steps = 0;
  for (; must(hub->compact(limits)).state != CompactionState::kNothing; ++steps) {
  }
  return {{"steps", steps}, {"files", must(hub->disk_use()).data_files}};
}

nlohmann::json scan(Io& io, const std::string& folder, std::int64_t snapshot) {
  const auto hub = must(Hub::open(io, place_in(folder), HubMode::kRead));
  nlohmann::json out;
  for (int round = 0; round < kScans; ++round) {
    const std::int64_t started = io.monotonic_us();
    const auto rows = must(hub->scan(rows_table().name, SnapshotId{snapshot}, {.columns = {"x"}}));
    double sum = 0;
    std::int64_t count = 0;
    while (const auto batch = must(rows->next())) {
      const auto& values = static_cast<const arrow::DoubleArray&>(*batch->column(0));
      for (std::int64_t row = 0; row < values.length(); ++row)
        sum += values.Value(row);
      count += values.length();
    }
    out["seconds"].push_back(static_cast<double>(io.monotonic_us() - started) / 1e6);
    out["rows"] = count;
    out["sum"] = sum;
  }
  return out;
}

}  // namespace
}  // namespace lockstep

int main(int count, char** words) {
  const std::string_view what = count > 2 ? words[1] : "";
  const std::string folder = count > 2 ? words[2] : "";
  std::int64_t number = 0;
  const std::string_view text = count > 3 ? words[3] : "";
  std::from_chars(text.data(), text.data() + text.size(), number);
  const auto io = lockstep::make_system_io();
  nlohmann::json out;
  if (what == "make" && number > 0) {
    out = lockstep::make(*io, folder, number);
  } else if (what == "compact") {
    out = lockstep::compact(*io, folder);
  } else if (what == "scan" && number > 0) {
    out = lockstep::scan(*io, folder, number);
  } else {
    fmt::print(stderr, "bench_scan make FOLDER ROWS | compact FOLDER | scan FOLDER SNAPSHOT\n");
    return 2;
  }
  fmt::print("{}\n", out.dump());
  return 0;
}
