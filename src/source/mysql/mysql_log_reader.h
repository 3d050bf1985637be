// Reads a server's binary log in a thread of its own: the library waits for each event.
#pragma once

#include "base/result.h"
#include "base/thread.h"
#include "source/mysql/binlog_payload.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace lockstep {

// Resource. Its methods are for one thread.
class MysqlLogReader final {
 public:
  // Bytes that wait to be received, and no more events then: the server waits, too.
  static constexpr std::size_t kWaitingMax = 2'000'000;

  // `fetch` gives the next event, good until it is called again, or why there is none; it is called
  // in the reader's thread, until it fails. `cancel`, from another, makes it fail.
  using Fetch = std::function<Result<SentEvent>()>;
  MysqlLogReader(Fetch fetch, std::function<void()> cancel);
  ~MysqlLogReader();
  MysqlLogReader(const MysqlLogReader&) = delete;
  MysqlLogReader& operator=(const MysqlLogReader&) = delete;

  // The oldest event that has come, good until the next call; nullopt: none now.
  Result<std::optional<SentEvent>> receive();
  bool wait(std::int64_t timeout_us);  // true: receive() has something
  std::uint64_t waiting_bytes();

 private:
  void run();
  bool keep(const SentEvent& event);

  const Fetch fetch_;
  const std::function<void()> cancel_;
  // By the owner's thread alone: what it took at once, and how far it gave it.
  std::string taken_;
  std::size_t given_ = 0;
  // Guarded by mutex_: events one behind another, each with its head in front.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string come_;
  std::optional<Error> error_;
  bool ends_ = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace lockstep
