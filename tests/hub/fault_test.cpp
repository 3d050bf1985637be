// Each operation of the disk fails once, in everything that a hub does: hub-1, and hub.h's word
// that memory is a cache. What a new line needs: hub/fault_support.h.
#include "hub/fault_support.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

constexpr HubOptions kSmallFiles{.inline_rows_max = 5, .log_bytes_max = 1 << 24};
constexpr HubOptions kSmallLog{.inline_rows_max = 5, .log_bytes_max = 1};

CommitRequest change_of(Batch rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, std::move(rows)});
  return request;
}

// Rows in a file and in the catalog, some of both deleted; a position, a model and its state.
std::unique_ptr<SimulatedMachine> machine_with_rows() {
  auto machine = simulated_machine(1);
  auto hub = must(open_on(*machine, kSmallFiles));
  CommitRequest load = change_of(numbered_rows(0, 20));
  load.create.push_back(small_table());
  load.positions["source"] = {{"", "1"}};
  must(hub->commit(load));
  must(hub->commit(change_of(numbered_rows(20, 23))));
  must(hub->commit(change_of(numbered_rows(1, 2, -1))));
  return machine;
}

DefinitionRecord definition() {
  return {std::string(64, 'd'), "bp", "{}"};
}

// With all that goes with rows.
CommitRequest full_request(Hub& hub, Batch rows) {
  CommitRequest request = change_of(std::move(rows));
  request.positions["source"] = {{"", "2"}};
  request.definitions.push_back(definition());
  ModelVersionRecord version;
  version.model = "bp";
  version.version = 1;
  version.snapshot = hub.next_snapshot();
  version.definition = definition().sha256;
  version.weights = "bytes";
  version.weights_sha256 = sha256_hex(version.weights);
  request.versions.push_back(version);
  AliasEvent event;
  event.model = "bp";
  event.alias = "champion";
  event.follow = true;
  request.aliases.push_back(event);
  request.model_states.push_back({"bp", "{\"a\":1}"});
  return request;
}

Result<void> commit_full(Hub& hub, Batch rows) {
  TRY(hub.commit(full_request(hub, std::move(rows))));
  return {};
}

TEST(HubFaults, InACommitOfInlinedRowsLeaveAllOfItOrNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts =
      fail_each_operation({"a small commit",
                           *base,
                           [](Hub& hub) { return commit_full(hub, numbered_rows(100, 103)); },
                           kSmallFiles});
  EXPECT_GT(counts.operations, 20);
  EXPECT_GT(counts.told, 15);
}

TEST(HubFaults, InACommitToAFileLeaveAllOfItOrNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts =
      fail_each_operation({"a commit to a file",
                           *base,
                           [](Hub& hub) { return commit_full(hub, numbered_rows(100, 120)); },
                           kSmallFiles});
  EXPECT_GT(counts.operations, 30);
  EXPECT_GT(counts.told, 20);
}

TEST(HubFaults, InACommitThatDropsAndCreatesLeaveAllOfItOrNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts = fail_each_operation({"a new table in place of another",
                                                  *base,
                                                  [](Hub& hub) -> Result<void> {
                                                    CommitRequest request =
                                                        change_of(numbered_rows(0, 12));
                                                    request.drop.push_back(small_table().name);
                                                    request.create.push_back(small_table());
                                                    TRY(hub.commit(request));
                                                    return {};
                                                  },
                                                  kSmallFiles});
  EXPECT_GT(counts.operations, 30);
  EXPECT_GT(counts.told, 20);
}

// The move is no part of the commit: the commit is there, whatever becomes of it.
TEST(HubFaults, InMovingTheLogAfterACommitLoseNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts = fail_each_operation({"a commit, and the log moved",
                                                  *base,
                                                  [](Hub& hub) -> Result<void> {
                                                    TRY(commit_full(hub, numbered_rows(100, 103)));
                                                    return hub.tend_log();
                                                  },
                                                  kSmallLog});
  EXPECT_GT(counts.operations, 30);
  EXPECT_GT(counts.told, 20);
}

TEST(HubFaults, InACheckpointOfAStateLoseNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts =
      fail_each_operation({"a checkpoint of a state",
                           *base,
                           [](Hub& hub) {
                             CheckpointRecord record;
                             record.model = "bp";
                             record.definition = definition().sha256;
                             record.snapshot = hub.latest_snapshot();
                             return hub.write_checkpoint(record, std::string(3000, 's'));
                           },
                           kSmallFiles});
  EXPECT_GT(counts.operations, 15);
  EXPECT_GT(counts.told, 10);
}

TEST(HubFaults, InReadingAndLookingUpLoseNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts =
      fail_each_operation({"reading",
                           *base,
                           [](Hub& hub) -> Result<void> {
                             TRY(hub.lookup(small_table().name, numbered_rows(0, 30)));
                             TRY(image_of(hub));
                             return {};
                           },
                           kSmallFiles});
  EXPECT_GT(counts.operations, 5);
  EXPECT_GT(counts.told, 5);
}

// Opening to write, with a log to recover: its operations fail before there is a hub to ask.
TEST(HubFaults, AtTheStartLoseNothing) {
  const auto base = machine_with_rows();
  auto open = must(open_on(*base, kSmallFiles));
  must(open->commit(change_of(numbered_rows(50, 53))));
  const auto with_log = base->copy(1);  // as a killed process leaves it
  const HubImage image = must(image_of(*open));
  int failed = 0;
  for (const Fault fault : {Fault::kError, Fault::kDiskFull}) {
    for (int at = 1;; ++at) {
      const auto machine = with_log->copy(static_cast<std::uint64_t>(at));
      {
        const FaultAt armed(*machine, fault, at);
        const auto hub = open_on(*machine, kSmallFiles);
        if (!armed.happened()) break;
        EXPECT_FALSE(armed.retried()) << armed.text();
        failed += hub.ok() ? 0 : 1;
      }
      SCOPED_TRACE(at);
      const auto lost = machine->copy(static_cast<std::uint64_t>(at) + 1);
      lost->crash();
      for (SimulatedMachine* io : {machine.get(), lost.get()}) {
        const auto again = open_on(*io, kSmallFiles);
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_EQ(image_difference(must(image_of(*again.value())), image), "");
        EXPECT_TRUE(probe(*again.value(), "goes on").ok());
      }
    }
  }
  EXPECT_GT(failed, 20);
}

// From nothing: a second attempt makes the hub, and what it is told then is durable.
TEST(HubFaults, WhileAHubIsMadeLeaveAHubOrNone) {
  int failed = 0;
  for (const Fault fault : {Fault::kError, Fault::kDiskFull}) {
    for (int at = 1;; ++at) {
      const auto machine = make_simulated_machine(static_cast<std::uint64_t>(at));
      Result<void> made;
      std::string text;
      {
        // Syncs are not watched: SQLite undoes its first transaction in the new file, and syncs
        // that.
        const FaultAt armed(*machine, fault, at);
        made = Hub::create(*machine, simulated_place(), "configuration: here");
        if (!armed.happened()) break;
        if (fault == Fault::kDiskFull && !armed.was_a_write()) continue;
        text = armed.text();
        failed += made.ok() ? 0 : 1;
      }
      SCOPED_TRACE(text);
      const auto lost = machine->copy(static_cast<std::uint64_t>(at) + 1);
      lost->crash();
      for (SimulatedMachine* io : {machine.get(), lost.get()}) {
        auto hub = open_on(*io);
        if (!hub.ok()) {
          EXPECT_FALSE(made.ok()) << "the hub was made, and is gone";
          EXPECT_EQ(hub.error().code, Code::kNoHub) << hub.error().message;
          const Result<void> second = Hub::create(*io, simulated_place(), "configuration: here");
          ASSERT_TRUE(second.ok()) << second.error().message;
          hub = open_on(*io);
        }
        ASSERT_TRUE(hub.ok()) << hub.error().message;
        ASSERT_TRUE(probe(*hub.value(), "goes on").ok());
        hub = Error{};
        io->crash();
        hub = open_on(*io);
        ASSERT_TRUE(hub.ok()) << hub.error().message;
        EXPECT_EQ(must(hub.value()->positions())[kProbeSource][""], "goes on");
      }
    }
  }
  EXPECT_GT(failed, 50);
}

}  // namespace
}  // namespace lockstep
