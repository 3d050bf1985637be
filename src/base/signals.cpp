#include "base/signals.h"

#include "base/assert.h"

#include <array>
#include <atomic>
#include <csignal>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr int kInterruptedExitCode = 130;
constexpr std::array kSignals = {SIGINT, SIGTERM};

// A signal handler reaches nothing but globals.
std::atomic<bool> stop_requested{false};
std::atomic<bool> stop_installed{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler must not take a lock");

std::array<struct sigaction, kSignals.size()> old_actions;

void handle(int signal_number) {
  const bool again = stop_requested.exchange(true);
  if (again && signal_number == SIGINT) ::_exit(kInterruptedExitCode);
}

}  // namespace

StopSignal::StopSignal() {
  LOCKSTEP_ASSERT(!stop_installed.exchange(true), "two StopSignals at once");
  stop_requested = false;
  struct sigaction action = {};
  action.sa_handler = handle;  // without SA_RESTART, so that waits end
  for (std::size_t index = 0; index < kSignals.size(); ++index) {
    const int status = ::sigaction(kSignals[index], &action, &old_actions[index]);
    LOCKSTEP_ASSERT(status == 0, "a signal handler is refused");
  }
}

StopSignal::~StopSignal() {
  for (std::size_t index = 0; index < kSignals.size(); ++index) {
    ::sigaction(kSignals[index], &old_actions[index], nullptr);
  }
  stop_installed = false;
}

bool StopSignal::requested() const {
  return stop_requested;
}

}  // namespace lockstep
