// Local sockets in memory. Only io_simulated.cpp includes this.
#pragma once

#include "base/io.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace lockstep {

// Resource. Safe from many threads. Waits are real waits: a socket joins two threads of a test.
class SimulatedSockets final {
 public:
  Result<std::unique_ptr<Listener>> listen(const std::string& path);
  Result<std::unique_ptr<Connection>> connect(const std::string& path);

  struct Queue;  // callers that wait to be accepted

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Queue>> queues_;  // guarded by mutex_
};

}  // namespace lockstep
