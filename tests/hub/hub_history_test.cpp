// Histories at random against a model in memory, and the same hubs written out for another client
// to read.
#include "hub/hub_history.h"

#include "hub/change_scan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck.h>
#include <rapidcheck/detail/Configuration.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lockstep {
namespace {

constexpr HubOptions kMixed{.inline_rows_max = 6,
                            .log_bytes_max = 1 << 20,
                            .inlined_deletes_max = 3,
                            .change_window_bytes = 4096};

std::string row_bytes(const Batch& batch, std::int64_t row) {
  std::string bytes;
  append_row_bytes(batch, row, bytes);
  return bytes;
}

std::multiset<std::string> rows_of(const Batch& batch) {
  std::multiset<std::string> rows;
  for (std::int64_t row = 0; row < batch.row_count(); ++row)
    rows.insert(row_bytes(batch, row));
  return rows;
}

Batch batch_of_model(const ModelTable& table) {
  BatchBuilder rows(all_types().schema);
  for (const auto& [id, row] : table)
    rows.append_row(row, 1);
  return must(rows.finish());
}

Batch expected_changes(const ModelTable& from, const ModelTable& to) {
  BatchBuilder all(all_types().schema);
  for (const auto& [id, row] : from)
    all.append_row(row, -1);
  for (const auto& [id, row] : to)
    all.append_row(row, 1);
  const Batch changes = must(net(must(all.finish()), std::vector<int>{0}));
  return must(in_key_order(changes, {0}));
}

ModelTable model_at(const ModelHub& hub, const TableName& name) {
  const auto found = hub.find(name);
  return found == hub.end() ? ModelTable{} : found->second;
}

void expect_every_snapshot(Hub& hub, const RandomHistory& history) {
  for (const auto& [snapshot, model] : history.snapshots()) {
    for (const auto& [name, table] : model) {
      const Batch rows = must(hub.read(name, SnapshotId{snapshot}));
      RC_ASSERT(rows_of(rows) == rows_of(batch_of_model(table)));
      RC_ASSERT(must(hub.row_count(name, SnapshotId{snapshot})) ==
                static_cast<std::int64_t>(table.size()));
    }
  }
}

void expect_changes(Hub& hub, RandomHistory& history, int pair_count) {
  std::vector<std::int64_t> ids;
  for (const auto& [snapshot, model] : history.snapshots())
    ids.push_back(snapshot);
  for (int pair = 0; pair < pair_count; ++pair) {
    const std::int64_t from = ids[history.below(ids.size())];
    const std::int64_t to = ids[history.below(ids.size())];
    for (const TableDefinition& table : RandomHistory::definitions()) {
      const Batch changes = must(hub.changes(table.name, SnapshotId{from}, SnapshotId{to}));
      const Batch expected = expected_changes(model_at(history.snapshots().at(from), table.name),
                                              model_at(history.snapshots().at(to), table.name));
      RC_ASSERT(changes.equals(expected));
    }
  }
}

void expect_lookups(Hub& hub, const RandomHistory& history) {
  BatchBuilder keys(Schema({{"id", Type::kInt}}));
  for (std::int64_t id = -6; id < 56; ++id)
    keys.append_row(std::vector<Value>{id});
  const Batch asked = must(keys.finish());
  for (const auto& [name, table] : history.snapshots().rbegin()->second) {
    const Lookup found = must(hub.lookup(name, asked));
    RC_ASSERT(found.rows.row_count() == static_cast<std::int64_t>(table.size()));
    for (std::int64_t row = 0; row < asked.row_count(); ++row) {
      const auto model = table.find(asked.int_at(0, row));
      const std::int64_t at = found.row_of_key[static_cast<std::size_t>(row)];
      RC_ASSERT((at >= 0) == (model != table.end()));
      if (at < 0) continue;
      const Batch one = batch_of(all_types().schema, {model->second});
      RC_ASSERT(rows_equal(found.rows, at, one, 0));
    }
  }
}

void check_history(std::uint64_t seed) {
  const int commit_count = *rc::gen::inRange(3, 25);
  HubPlayground ground;
  auto hub = ground.open(kMixed);
  RandomHistory history(*hub, seed);
  for (int step = 0; step < commit_count; ++step) {
    history.commit();
    if (history.below(3) == 0) history.compact();
    if (history.below(6) == 0) history.collect();
    if (history.below(8) != 0) continue;
    hub.reset();
    hub = ground.open(kMixed);
    history.use(*hub);
  }
  expect_every_snapshot(*hub, history);
  expect_changes(*hub, history, 12);
  expect_lookups(*hub, history);
  const auto reader = ground.open(kMixed, HubMode::kRead);
  expect_every_snapshot(*reader, history);
  hub.reset();
  hub = ground.open(kMixed);
  expect_lookups(*hub, history);
}

// Each case makes a hub on the disk: eight are what a fast suite can pay for.
// for more than 8.
TEST(HubHistory, EverySnapshotDifferenceAndLookupIsThatOfTheModel) {
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSuccess = std::min(params.maxSuccess, 8);
  params.disableShrinking = true;  // a seed has no smaller one that means less
  const auto result = rc::detail::checkTestable(&check_history, rc::detail::TestMetadata{}, params);
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  EXPECT_TRUE(result.is<rc::detail::SuccessResult>())
      << "seed " << params.seed << ": " << text.str();
}

nlohmann::json json_of(const Value& value) {
  if (is_null(value)) return nullptr;
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const Timestamp* time = std::get_if<Timestamp>(&value)) return time->us;
  return value_text(value);
}

void write_expectation(const std::string& path, const RandomHistory& history) {
  std::ofstream out(path);
  for (const auto& [snapshot, model] : history.snapshots()) {
    for (const auto& [name, table] : model) {
      nlohmann::json rows = nlohmann::json::array();
      for (const auto& [id, row] : table) {
        nlohmann::json cells = nlohmann::json::array();
        for (const Value& value : row)
          cells.push_back(json_of(value));
        rows.push_back(std::move(cells));
      }
      const nlohmann::json line = {{"snapshot", snapshot},
                                   {"schema", layer_name(name.layer)},
                                   {"table", name.dataset},
                                   {"rows", rows}};
      out << line.dump() << "\n";
    }
  }
}

// tests/e2e/ducklake_agreement_test.py names a folder and compares what DuckDB reads there.
TEST(HubHistory, IsWrittenOutForAnotherClient) {
  const char* named = getenv("LOCKSTEP_HUB_DUMP");
  const HubPlayground scratch;
  const std::string folder = named != nullptr ? named : scratch.folder() + "/dump";
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const std::string hub_folder = fmt::format("{}/{}", folder, seed);
    std::filesystem::create_directories(hub_folder);
    HubPlayground ground(hub_folder);
    auto hub = ground.open(kMixed);
    RandomHistory history(*hub, seed);
    for (int step = 0; step < 30; ++step) {
      history.commit();
      if (history.below(3) == 0) history.compact();
      if (seed == 3 && history.below(6) == 0) history.collect();
    }
    write_expectation(hub_folder + "/expected.ndjson", history);
    EXPECT_GT(std::filesystem::file_size(hub_folder + "/expected.ndjson"), 1000U);
  }
}

// A client that stays attached must see each commit: after one, the test waits until `go.<n>` lies
// in the folder.
TEST(HubHistory, CommitsWhileAnotherClientStaysAttached) {
  const char* named = getenv("LOCKSTEP_HUB_FOLLOW");
  const HubPlayground scratch;
  const std::string folder = named != nullptr ? named : scratch.folder() + "/follow";
  std::filesystem::create_directories(folder);
  HubPlayground ground(folder);
  auto hub = ground.open(kMixed);
  RandomHistory history(*hub, 7);
  for (int step = 0; step < 12; ++step) {
    history.commit();
    history.compact();
    write_expectation(folder + "/expected.ndjson.part", history);
    std::filesystem::rename(folder + "/expected.ndjson.part",
                            fmt::format("{}/expected.{}", folder, step));
    const std::string go = fmt::format("{}/go.{}", folder, step);
    for (int tries = 0; named != nullptr && !std::filesystem::exists(go) && tries < 3000; ++tries) {
      ground.io().sleep_us(10'000);
    }
  }
  EXPECT_GT(history.snapshots().size(), 6U);
}

}  // namespace
}  // namespace lockstep
