#include "base/thread.h"

#include <algorithm>
#include <utility>

namespace lockstep {

Thread::Thread(std::function<void()> body) : thread_(std::move(body)) {
}

Thread::~Thread() {
  thread_.join();
}

unsigned hardware_threads() {
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace lockstep
