// Moves the write-ahead log of a catalog into its database beside the one who writes it: in a
// thread of its own, with a connection of its own. Internal to the catalog layer.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "base/thread.h"
#include "catalog/catalog.h"

#include <atomic>
#include <memory>
#include <string>

namespace lockstep {

class SqliteConnection;

// Resource; one owner, who starts and finishes.
class LogMover final {
 public:
  LogMover(Io& io, std::string path, SqliteUse use);
  ~LogMover();
  LogMover(const LogMover&) = delete;
  LogMover& operator=(const LogMover&) = delete;

  // Begins to move what is in the log now. Nothing may be underway.
  Result<void> start();

  bool is_underway() const { return thread_ != nullptr; }

  bool is_done() const { return done_.load(std::memory_order_acquire); }

  // Waits for it. `in_doubt()` tells whether a failure was one of writing.
  Result<void> finish();
  bool in_doubt() const;

 private:
  Io& io_;
  const std::string path_;
  const SqliteUse use_;
  std::unique_ptr<SqliteConnection> connection_;
  Result<void> moved_;  // the thread's, until it is done
  std::atomic<bool> done_ = false;
  std::unique_ptr<Thread> thread_;  // last, so that it ends before what it uses
};

}  // namespace lockstep
