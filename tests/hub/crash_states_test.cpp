// hub-1 under power losses: as many states as LOCKSTEP_CRASH_STATES says, in histories of
// LOCKSTEP_CRASH_ACTIONS commits, checkpoints and restarts, from that of LOCKSTEP_SEED on.
#include "hub/crash_explorer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>

namespace lockstep {
namespace {

std::int64_t number_of_environment(Io& io, const std::string& name, std::int64_t fallback) {
  const auto text = io.environment(name);
  std::int64_t value = fallback;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

TEST(HubCrashStates, EveryAcknowledgedCommitIsThereOnceAfterAPowerLossAtAnyOperation) {
  const auto io = make_system_io();
  const std::int64_t goal = number_of_environment(*io, "LOCKSTEP_CRASH_STATES", 1'000);
  const auto first = static_cast<std::uint64_t>(number_of_environment(*io, "LOCKSTEP_SEED", 1));
  const auto actions = static_cast<int>(number_of_environment(*io, "LOCKSTEP_CRASH_ACTIONS", 10));
  const std::int64_t started = io->monotonic_us();
  CrashCounts counts;
  std::uint64_t seed = first;
  for (; counts.states < goal && !HasFailure(); ++seed) {
    const CrashOptions options{
        .seed = seed, .actions = actions, .states_max = goal, .makes_hub = seed % 16 == 3};
    CrashExplorer explorer(options, counts);
    explorer.play();
  }
  ASSERT_FALSE(HasFailure()) << "replay with LOCKSTEP_SEED=" << seed - 1;
  const double seconds = static_cast<double>(io->monotonic_us() - started) / 1e6;
  fmt::print(
      "{} power-loss states at {} operations of {} commits and {} upkeeps in {:.1f} s, {:.0f} a "
      "second; {} judged "
      "as hubs, the others recovered to the same bytes as one of these: {} with "
      "the commit under way, {} that lost power again at the start, {} after another process went "
      "on; {} more were alike; seeds {} to {}\n",
      counts.states,
      counts.operations,
      counts.commits,
      counts.upkeeps,
      seconds,
      static_cast<double>(counts.states) / seconds,
      counts.judged,
      counts.in_flight,
      counts.twice,
      counts.killed,
      counts.alike,
      first,
      seed - 1);
  EXPECT_GE(counts.states, goal);
  EXPECT_GT(counts.in_flight, 0);
  // A short run ends before the first of them.
  if (goal >= 100'000) {
    EXPECT_GT(counts.upkeeps, 0);
  }
}

}  // namespace
}  // namespace lockstep
