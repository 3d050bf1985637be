#include "base/simulated_sockets.h"

#include "base/io_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>

namespace lockstep {
namespace {

// The bytes of one direction.
struct Pipe {
  std::mutex mutex;
  std::condition_variable changed;
  std::string bytes;    // guarded by mutex
  bool closed = false;  // guarded by mutex
};

void close_pipe(Pipe& pipe) {
  {
    const std::scoped_lock lock(pipe.mutex);
    pipe.closed = true;
  }
  pipe.changed.notify_all();
}

class SimulatedConnection final : public Connection {
 public:
  SimulatedConnection(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}

  ~SimulatedConnection() override {
    close_pipe(*in_);
    close_pipe(*out_);
  }

  SimulatedConnection(const SimulatedConnection&) = delete;
  SimulatedConnection& operator=(const SimulatedConnection&) = delete;

  Result<std::size_t> read(std::span<std::byte> buffer, std::int64_t timeout_us) override {
    std::unique_lock lock(in_->mutex);
    const bool ready = in_->changed.wait_for(lock, std::chrono::microseconds(timeout_us), [&] {
      return in_->closed || !in_->bytes.empty();
    });
    if (!ready) {
      return make_error(Code::kInterrupted,
                        fmt::format("nothing came within {} ms", timeout_us / 1000));
    }
    const std::size_t count = std::min(buffer.size(), in_->bytes.size());
    std::memcpy(buffer.data(), in_->bytes.data(), count);
    in_->bytes.erase(0, count);
    return count;
  }

  Result<void> write(std::span<const std::byte> bytes) override {
    {
      const std::scoped_lock lock(out_->mutex);
      if (out_->closed) return system_error(EPIPE, "write to", "the simulated socket");
      for (const std::byte byte : bytes)
        out_->bytes += static_cast<char>(byte);
    }
    out_->changed.notify_all();
    return {};
  }

 private:
  const std::shared_ptr<Pipe> in_;
  const std::shared_ptr<Pipe> out_;
};

}  // namespace

struct SimulatedSockets::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::unique_ptr<Connection>> callers;  // guarded by mutex
};

namespace {

class SimulatedListener final : public Listener {
 public:
  explicit SimulatedListener(std::shared_ptr<SimulatedSockets::Queue> queue)
      : queue_(std::move(queue)) {}

  Result<std::unique_ptr<Connection>> accept(std::int64_t timeout_us) override {
    std::unique_lock lock(queue_->mutex);
    std::unique_ptr<Connection> caller;
    const bool ready = queue_->changed.wait_for(
        lock, std::chrono::microseconds(timeout_us), [&] { return !queue_->callers.empty(); });
    if (!ready) return caller;
    caller = std::move(queue_->callers.front());
    queue_->callers.pop_front();
    return caller;
  }

 private:
  const std::shared_ptr<SimulatedSockets::Queue> queue_;
};

}  // namespace

Result<std::unique_ptr<Listener>> SimulatedSockets::listen(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (!queues_[path].expired()) {
    return make_error(Code::kLocked,
                      fmt::format("cannot listen at {}: another program does", path),
                      "stop it first");
  }
  auto queue = std::make_shared<Queue>();
  queues_[path] = queue;
  return std::unique_ptr<Listener>(std::make_unique<SimulatedListener>(std::move(queue)));
}

Result<std::unique_ptr<Connection>> SimulatedSockets::connect(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  const auto found = queues_.find(path);
  const std::shared_ptr<Queue> queue = found == queues_.end() ? nullptr : found->second.lock();
  if (queue == nullptr) {
    return make_error(Code::kNotFound,
                      fmt::format("cannot connect to {}: no program listens there", path),
                      "start it with 'lockstep run'");
  }
  auto there = std::make_shared<Pipe>();
  auto back = std::make_shared<Pipe>();
  {
    const std::scoped_lock queue_lock(queue->mutex);
    queue->callers.push_back(std::make_unique<SimulatedConnection>(there, back));
  }
  queue->changed.notify_all();
  return std::unique_ptr<Connection>(
      std::make_unique<SimulatedConnection>(std::move(back), std::move(there)));
}

}  // namespace lockstep
