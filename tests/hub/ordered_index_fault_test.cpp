// The files of ordered indexes under failures of the disk and power losses: no commit is lost by
// them, and no answer is wrong (hub-7).
#include "hub/fault_support.h"
#include "hub/ordered_index_support.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace lockstep {
namespace {

Result<void> ask(Hub& hub) {
  const Batch group = batch_of(Schema({{"name", Type::kText}}), {{std::string("name 1")}});
  TRY(hub.lookup_groups(small_table().name, names_by_x(), {.groups = group, .rows_max = 100}));
  return {};
}

// A hub of rows in files and in the catalog, with an index that is a commit behind.
std::unique_ptr<SimulatedMachine> machine_with_index() {
  auto machine = simulated_machine(1);
  auto hub = must(open_on(*machine, kSmallPieces));
  must(hub->commit(creation_of(numbered_rows(0, 40))));
  must(ask(*hub));
  must(hub->commit(change_of(numbered_rows(40, 43))));
  return machine;
}

std::string difference_from(Hub& hub, const Batch& rows) {
  return difference_of_all_groups(hub, small_table(), rows, names_by_x());
}

bool is_wrong(const std::string& told) {
  return told.starts_with("wrong: ");
}

struct FaultedQuestions {
  bool happened = false;
  bool committed = false;
  int told = 0;  // errors
};

// A question, a commit and a question again, one of whose operations fails: right answers, or
// errors that say something.
FaultedQuestions ask_under(Hub& hub, SimulatedMachine& machine, Fault fault, int at) {
  const std::vector<Batch> parts = {numbered_rows(0, 43), numbered_rows(50, 53)};
  FaultedQuestions out;
  const FaultAt armed(machine, fault, at);
  const std::string first = difference_from(hub, parts.front());
  const auto committed = hub.commit(change_of(parts.back()));
  out.committed = committed.ok();
  // Moves the logs, whose failure is told by whoever works next.
  static_cast<void>(hub.tend_log());
  const std::string second =
      out.committed ? difference_from(hub, must(concatenate(small_table().schema, parts)))
                    : committed.error().message;
  EXPECT_FALSE(is_wrong(first)) << armed.text() << ": " << first;
  EXPECT_FALSE(is_wrong(second)) << armed.text() << ": " << second;
  EXPECT_FALSE(armed.retried()) << armed.text();
  out.told = (first.empty() ? 0 : 1) + (second.empty() ? 0 : 1);
  out.happened = armed.happened();
  return out;
}

// What was committed is there in any case, and every answer after the failure is right: of the same
// hub, of the next one, and after a power loss.
TEST(OrderedIndexFaults, OfOneOperationLoseNoCommitAndNoAnswerIsWrong) {
  const auto base = machine_with_index();
  for (const Fault fault : {Fault::kError, Fault::kDiskFull}) {
    int told = 0;
    for (int at = 1; !HasFailure(); ++at) {
      SCOPED_TRACE(at);
      const auto machine = base->copy(static_cast<std::uint64_t>(at));
      auto hub = must(open_on(*machine, kSmallPieces));
      const FaultedQuestions asked = ask_under(*hub, *machine, fault, at);
      if (!asked.happened) break;
      told += asked.told;
      if (asked.committed) {
        ASSERT_EQ(difference_now(*hub), "");
      }
      const auto lost = machine->copy(static_cast<std::uint64_t>(at) + 1);
      lost->crash();
      hub.reset();
      for (SimulatedMachine* io : {machine.get(), lost.get()}) {
        hub = must(open_on(*io, kSmallPieces));
        ASSERT_EQ(difference_now(*hub), "");
        const std::int64_t count = must(hub->row_count(small_table().name, hub->latest_snapshot()));
        EXPECT_TRUE(count == 46 || (count == 43 && !asked.committed)) << count;
        hub.reset();
      }
      ASSERT_LT(at, 5'000);
    }
    EXPECT_GT(told, 5);
  }
}

// Power is lost before each operation of a short history, in several ways.
TEST(OrderedIndexFaults, AnswersRightAfterAPowerLossAtAnyOperation) {
  std::int64_t states = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto machine = simulated_machine(seed);
    std::mt19937_64 dice(seed);
    std::set<std::uint64_t> seen;
    const auto look = [&](IoOperation, std::string_view) -> Result<void> {
      for (int survival = 0; survival < 2 && !HasFailure(); ++survival) {
        const auto copy = machine->copy(dice());
        copy->crash();
        if (!seen.insert(copy->content_hash()).second) continue;
        ++states;
        const auto hub = must(open_on(*copy, kSmallPieces));
        if (!must(hub->table(small_table().name, hub->latest_snapshot()))) continue;
        EXPECT_EQ(difference_now(*hub), "") << "seed " << seed << ", state " << states;
      }
      return {};
    };
    {
      auto hub = must(open_on(*machine, kSmallPieces));
      must(hub->commit(creation_of(numbered_rows(0, 30))));
      machine->observe(look);
      must(ask(*hub));
      for (std::int64_t id = 30; id < 50; id += 4) {
        must(hub->commit(change_of(numbered_rows(id, id + 4))));
        must(hub->commit(change_of(numbered_rows(id, id + 2, -1))));
        if (id % 8 != 0) continue;
        hub.reset();
        hub = must(open_on(*machine, kSmallPieces));
        must(ask(*hub));
      }
    }
    machine->observe({});
  }
  EXPECT_GT(states, 300);
}

}  // namespace
}  // namespace lockstep
