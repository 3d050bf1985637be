// The one place that starts threads: a thread that cannot be forgotten.
#pragma once

#include <functional>
#include <thread>

namespace lockstep {

// Resource. Runs `body` at once; the destructor waits until it has ended. The body must not throw:
// errors go into what it writes, and how it learns to stop is its owner's business.
class Thread final {
 public:
  explicit Thread(std::function<void()> body);
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  std::thread thread_;
};

// How many threads the machine runs at once; at least 1.
unsigned hardware_threads();

}  // namespace lockstep
