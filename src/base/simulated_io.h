// The disk in memory of base/io.h, with what a search through its failures needs.
#pragma once

#include "base/io.h"

#include <cstdint>
#include <memory>

namespace lockstep {

// A machine whose processes come and go: its disk can be copied, with what is not durable yet.
//
// A power loss (crash()) keeps unsynced changes up to some moment, or none, or decides for each of
// them. When the observer lets a sync fail, what was to be made durable is lost or torn as in a
// power loss, and yet can be read, and the next sync succeeds without it: as kernels do. A write to
// a full disk is cut off where the room ends.
class SimulatedMachine : public SimulatedIo {
 public:
  // Each operation moves the clock by up to so much.
  virtual void set_delay_us(std::int64_t longest) = 0;
  // Another machine with this disk, on which no process runs yet. Bytes are shared until one of the
  // two writes, so that a copy is cheap.
  virtual std::unique_ptr<SimulatedMachine> copy(std::uint64_t seed) const = 0;
  // Of all names and bytes as readers see them.
  virtual std::uint64_t content_hash() const = 0;
};

std::unique_ptr<SimulatedMachine> make_simulated_machine(std::uint64_t seed);

}  // namespace lockstep
