// Each operation of the disk fails once, in what keeps a hub compact, bounded and copied:
// compaction, retention, the key index, back-up and restore. What a line needs:
// hub/fault_support.h.
#include "hub/backup.h"
#include "hub/fault_support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep {
namespace {

// Every few keys make a run of the index, and merge with others.
constexpr HubOptions kSmall{
    .inline_rows_max = 5, .log_bytes_max = 1 << 24, .index = {.recent_max = 4, .build_max = 8}};
constexpr CollectionLimits kNewestOnly{.policy = {.snapshots_max = 1, .then_us = 0}, .grace_us = 0};

constexpr const char* kOrphan = "/hub/data/raw/vitals/lockstep-left.parquet";

void put(Hub& hub, const Batch& rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, rows});
  must(hub.commit(request));
}

// Files of which one has lost all of its rows, inlined rows of several versions, a dropped table,
// and an old file that nobody knows.
std::unique_ptr<SimulatedMachine> machine_with_history() {
  auto machine = simulated_machine(1);
  auto hub = must(open_on(*machine, kSmall));
  CommitRequest load;
  load.create = {small_table(), small_table(Layer::kTrain)};
  load.changes.push_back({small_table().name, numbered_rows(0, 20)});
  load.changes.push_back({small_table(Layer::kTrain).name, numbered_rows(0, 20)});
  load.positions["source"] = {{"", "1"}};
  must(hub->commit(load));
  put(*hub, numbered_rows(20, 40));
  put(*hub, numbered_rows(40, 43));
  for (const double factor : {0.25, 0.75}) {
    const std::vector<Batch> update = {numbered_rows(40, 42, -1), numbered_rows(40, 42, 1, factor)};
    put(*hub, must(concatenate(small_table().schema, update)));
  }
  put(*hub, numbered_rows(0, 20, -1));
  CommitRequest drop;
  drop.drop.push_back(small_table(Layer::kTrain).name);
  must(hub->commit(drop));
  hub.reset();
  must(write_file_atomically(*machine, kOrphan, "half a file"));
  machine->sleep_us(std::int64_t{7'200} * 1'000'000);
  return machine;
}

Result<void> collect_all(Hub& hub) {
  while (TRY(hub.collect(kNewestOnly)).more) {
  }
  return {};
}

// All of what both have, and some of what only one of them has.
bool lies_between(const HubImage& image, const HubImage& before, const HubImage& after) {
  const auto has_all = [](const HubImage& big, const HubImage& small) {
    return std::ranges::includes(big, small);
  };
  const bool grows = has_all(after, before);
  const HubImage& least = grows ? before : after;
  const HubImage& most = grows ? after : before;
  return has_all(image, least) && has_all(most, image);
}

TEST(HubUpkeepFaults, InCompactionMoveRowsOrLeaveThem) {
  const auto base = machine_with_history();
  const FaultCounts counts =
      fail_each_operation({"compaction",
                           *base,
                           [](Hub& hub) -> Result<void> {
                             TRY(hub.compact({.rows_min = 1, .older_rows_min = 1}));
                             return {};
                           },
                           kSmall});
  EXPECT_GT(counts.operations, 30);
  EXPECT_GT(counts.told, 20);
}

TEST(HubUpkeepFaults, InMovingDeletesToAFileMoveThemOrLeaveThem) {
  HubOptions options = kSmall;
  options.inlined_deletes_max = 2;
  const auto base = simulated_machine(1);
  {
    auto hub = must(open_on(*base, options));
    CommitRequest load;
    load.create = {small_table()};
    load.changes.push_back({small_table().name, numbered_rows(0, 20)});
    must(hub->commit(load));
    put(*hub, numbered_rows(0, 3, -1));
    ASSERT_EQ(must(hub->compact({.rows_min = 1})).files, 1);
    put(*hub, numbered_rows(3, 8, -1));
  }
  const FaultCounts counts = fail_each_operation({"deletes",
                                                  *base,
                                                  [](Hub& hub) -> Result<void> {
                                                    TRY(hub.compact({.rows_min = 1}));
                                                    return {};
                                                  },
                                                  options});
  EXPECT_GT(counts.operations, 15);
  EXPECT_GT(counts.told, 10);
}

// Begun before a commit and finished behind it: the work reads the hub as it was before, or after.
Result<void> compact_beside_a_commit(Hub& hub) {
  const CompactionLimits limits{
      .rows_min = 1, .older_rows_min = 1, .files_min = 2, .background = true};
  TRY(hub.compact(limits));
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(40, 41, -1)});
  TRY(hub.commit(request));
  while (TRY(hub.compact(limits)).state != CompactionState::kNothing) {
  }
  return {};
}

TEST(HubUpkeepFaults, InCompactionBesideACommitMoveRowsOrLeaveThem) {
  const auto base = machine_with_history();
  const FaultCounts counts = fail_each_operation(
      {"compaction beside a commit", *base, compact_beside_a_commit, kSmall, lies_between});
  EXPECT_GT(counts.operations, 100);
  EXPECT_GT(counts.told, 80);
}

TEST(HubUpkeepFaults, InRetentionRemoveNothingThatIsKept) {
  const auto base = machine_with_history();
  {
    const auto machine = base->copy(0);
    auto hub = must(open_on(*machine, kSmall));
    const HubImage before = must(image_of(*hub));
    must(collect_all(*hub));
    EXPECT_LT(must(image_of(*hub)).size(), before.size());
    EXPECT_FALSE(machine->info(kOrphan).ok());
  }
  const FaultCounts counts =
      fail_each_operation({"a round of retention", *base, collect_all, kSmall, lies_between});
  EXPECT_GT(counts.operations, 60);
  EXPECT_GT(counts.told, 40);
}

// Lost, made anew, and kept up with commits: an answer is right, or an error says why there is
// none.
TEST(HubUpkeepFaults, InTheKeyIndexNeverChangeAnAnswer) {
  auto base = machine_with_history();
  for (const FileInfo& file : must(base->list("/hub/catalog.sqlite.index")))
    must(base->remove(file.path));
  const auto look_up = [](Hub& hub, std::int64_t end) -> Result<void> {
    const Lookup found = TRY(hub.lookup(small_table().name, numbered_rows(0, end)));
    for (std::int64_t id = 0; id < end; ++id) {
      const std::int64_t row = found.row_of_key[static_cast<std::size_t>(id)];
      EXPECT_EQ(row < 0 ? -1 : found.rows.int_at(0, row), id < 20 ? -1 : id);
    }
    return {};
  };
  const FaultCounts counts =
      fail_each_operation({"the key index",
                           *base,
                           [&](Hub& hub) -> Result<void> {
                             TRY(look_up(hub, 43));
                             CommitRequest request;
                             request.changes.push_back({small_table().name, numbered_rows(43, 60)});
                             TRY(hub.commit(request));
                             return look_up(hub, 60);
                           },
                           kSmall});
  EXPECT_GT(counts.operations, 60);
  EXPECT_GT(counts.told, 20);
}

HubPlace other_place() {
  return {"sqlite-on-io:/other/catalog.sqlite", "/other/data"};
}

HubImage image_at(SimulatedMachine& io, const HubPlace& place) {
  auto hub = open_hub(io, place, HubMode::kWrite, kSmall);
  if (!hub.ok()) {
    ADD_FAILURE() << hub.error().message;
    return {};
  }
  return must(image_of(*hub.value()));
}

// Runs `action` with each operation failed in turn; `judge` sees the machine as a kill leaves it,
// and as a power loss does. How many attempts told an error.
int fail_each(const SimulatedMachine& base,
              const std::function<Result<void>(SimulatedMachine&)>& action,
              const std::function<void(SimulatedMachine&, bool done)>& judge) {
  int told = 0;
  for (const Fault fault : {Fault::kError, Fault::kDiskFull}) {
    for (int at = 1; !testing::Test::HasFailure(); ++at) {
      const auto machine = base.copy(static_cast<std::uint64_t>(at));
      bool done = false;
      {
        const FaultAt armed(*machine, fault, at);
        const Result<void> result = action(*machine);
        if (!armed.happened()) break;
        if (fault == Fault::kDiskFull && !armed.was_a_write()) continue;
        done = result.ok();
        EXPECT_TRUE(done || !result.error().message.empty());
      }
      SCOPED_TRACE(at);
      told += done ? 0 : 1;
      const auto lost = machine->copy(static_cast<std::uint64_t>(at) + 1);
      lost->crash();
      judge(*machine, done);
      judge(*lost, done);
    }
  }
  return told;
}

TEST(HubUpkeepFaults, InABackUpHarmNoHubAndLeaveNoHalf) {
  const auto base = machine_with_history();
  const HubImage image = image_at(*base->copy(0), simulated_place());
  const int told = fail_each(
      *base,
      [](SimulatedMachine& io) -> Result<void> {
        TRY(backup_hub(io, simulated_place(), "/backup", {}));
        return {};
      },
      [&](SimulatedMachine& io, bool done) {
        EXPECT_EQ(image_difference(image_at(io, simulated_place()), image), "");
        const auto restored = restore_hub(io, "/backup", other_place(), {});
        EXPECT_TRUE(restored.ok() || !done) << restored.error().message;
        if (restored.ok()) {
          EXPECT_EQ(image_difference(image_at(io, other_place()), image), "");
        } else {
          EXPECT_EQ(restored.error().code, Code::kNotFound) << restored.error().message;
        }
        EXPECT_TRUE(backup_hub(io, simulated_place(), "/another", {}).ok());
      });
  EXPECT_GT(told, 40);
}

TEST(HubUpkeepFaults, InARestoreLeaveAHubOrNoneAndCanBeRepeated) {
  const auto base = machine_with_history();
  const HubImage image = image_at(*base->copy(0), simulated_place());
  must(backup_hub(*base, simulated_place(), "/backup", {}));
  const int told = fail_each(
      *base,
      [](SimulatedMachine& io) -> Result<void> {
        TRY(restore_hub(io, "/backup", other_place(), {}));
        return {};
      },
      [&](SimulatedMachine& io, bool done) {
        if (!done) {
          const auto again = restore_hub(io, "/backup", other_place(), {.force = true});
          ASSERT_TRUE(again.ok()) << again.error().message;
        }
        EXPECT_EQ(image_difference(image_at(io, other_place()), image), "");
      });
  EXPECT_GT(told, 40);
}

}  // namespace
}  // namespace lockstep
