// Costs that must not grow with the history. The bounds are wide: they catch work done per row of
// the table, not noise.
#include "hub/hub_support.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

namespace lockstep {
namespace {

// Of this process, without waiting for the disk.
std::int64_t processor_us() {
  rusage use{};
  EXPECT_EQ(getrusage(RUSAGE_SELF, &use), 0);
  const auto us = [](const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return us(use.ru_utime) + us(use.ru_stime);
}

TEST(HubSpeed, AOneRowCommitDoesNotReadTheTable) {
  HubPlayground ground;
  const TableDefinition tables[] = {
      small_table(Layer::kRaw), small_table(Layer::kClean), small_table(Layer::kTrain)};
  auto hub = ground.open();
  CommitRequest load;
  for (const TableDefinition& table : tables) {
    load.create.push_back(table);
    load.changes.push_back({table.name, numbered_rows(0, 280'000)});
  }
  const std::int64_t load_start = ground.io().monotonic_us();
  must(hub->commit(load));
  const std::int64_t load_us = ground.io().monotonic_us() - load_start;
  hub.reset();
  hub = ground.open();
  const std::int64_t index_start = ground.io().monotonic_us();
  must(hub->lookup(tables[0].name, numbered_rows(0, 1)));
  const std::int64_t index_us = ground.io().monotonic_us() - index_start;
  must(hub->lookup(tables[1].name, numbered_rows(0, 1)));
  must(hub->lookup(tables[2].name, numbered_rows(0, 1)));
  constexpr int kCommits = 300;
  const std::int64_t start = ground.io().monotonic_us();
  const std::int64_t processor_start = processor_us();
  for (std::int64_t id = 0; id < kCommits; ++id) {
    CommitRequest one;
    const std::vector<Batch> update = {numbered_rows(id, id + 1, -1),
                                       numbered_rows(id, id + 1, 1, 0.75)};
    for (const TableDefinition& table : tables) {
      one.changes.push_back({table.name, must(concatenate(table.schema, update))});
    }
    must(hub->commit(one));
  }
  const std::int64_t commit_us = (ground.io().monotonic_us() - start) / kCommits;
  const std::int64_t own_us = (processor_us() - processor_start) / kCommits;
  RecordProperty("own_us", std::to_string(own_us));
  RecordProperty("load_us", std::to_string(load_us));
  RecordProperty("index_us", std::to_string(index_us));
  RecordProperty("commit_us", std::to_string(commit_us));
  EXPECT_LT(index_us, 5'000'000);
  EXPECT_LT(own_us, 20'000);
}

}  // namespace
}  // namespace lockstep
