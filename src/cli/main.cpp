#include "base/io.h"
#include "base/log.h"
#include "base/out_of_memory.h"
#include "base/signals.h"
#include "cli/cli.h"
#include "cli/terminal.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace {

// A testing aid: LOCKSTEP_CRASH_AT=N ends the process as a power cut would, just before its N-th
// change to the disk, SQLite's included; 0 only counts them, and tells the count on standard error.
// It is the outermost place that there is, so that nothing in the program can know of it.
class CrashPoint final {
 public:
  explicit CrashPoint(lockstep::Io& io) {
    const std::string given = io.environment("LOCKSTEP_CRASH_AT").value_or("");
    const char* end = given.data() + given.size();
    const auto [stopped, error] = std::from_chars(given.data(), end, crash_at_);
    if (error != std::errc() || stopped != end) return;
    active_ = true;
    io.observe([this](lockstep::IoOperation operation, std::string_view) {
      if (changes_the_disk(operation) && ++seen_ == crash_at_) std::raise(SIGKILL);
      return lockstep::Result<void>();
    });
  }

  void tell(lockstep::Terminal& terminal) const {
    if (active_) terminal.write_error(fmt::format("disk changes: {}\n", seen_.load()));
  }

 private:
  static bool changes_the_disk(lockstep::IoOperation operation) {
    using enum lockstep::IoOperation;
    return operation == kWrite || operation == kSync || operation == kTruncate ||
           operation == kRename || operation == kRemove || operation == kMakeDirectory;
  }

  bool active_ = false;
  long crash_at_ = 0;
  std::atomic<long> seen_ = 0;
};

}  // namespace

int main(int count, char** words) {
  lockstep::end_when_out_of_memory();
  const auto io = lockstep::make_system_io();
  const auto terminal = lockstep::make_system_terminal();
  const CrashPoint crash_point(*io);
  const lockstep::StopSignal signal;
  const lockstep::World world{
      *io, *terminal, [&signal] { return signal.requested(); }, lockstep::make_stderr_log};
  const int exit_code =
      lockstep::run_lockstep(world, std::vector<std::string>(words + 1, words + count));
  crash_point.tell(*terminal);
  return exit_code;
}
