#include "base/io.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/cli.h"
#include "cli/terminal.h"

#include <memory>
#include <string>
#include <vector>

int main(int count, char** words) {
  const auto io = lockstep::make_system_io();
  const auto terminal = lockstep::make_system_terminal();
  const lockstep::StopSignal signal;
  const lockstep::World world{
      *io, *terminal, [&signal] { return signal.requested(); }, lockstep::make_stderr_log};
  return lockstep::run_lockstep(world, std::vector<std::string>(words + 1, words + count));
}
